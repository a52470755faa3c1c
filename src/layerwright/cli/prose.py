"""A clash told from its beginning to its end, for ``layerwright explain conflict``."""

from collections.abc import Iterator, Sequence
from typing import Final

from layerwright.cli.excerpts import Painter, fix_lines, safe, source_lines, table, wrapped
from layerwright.cli.findings import grouped
from layerwright.core.findings import CONFIDENCES, Evidence, Finding, Member

__all__ = ["conflict_lines"]

_HOW: Final = {
    "binary": "read from the binaries",
    "metadata": "from metadata",
    "docs": "from documentation",
    "community": "from third parties",
}
_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def conflict_lines(painter: Painter, findings: Sequence[Finding], width: int) -> Iterator[str]:
    """What clashes, why, who asked for each, and what mends it; one chapter for each clash."""
    for number, (finding, images) in enumerate(grouped(findings), 1):
        if number > 1:
            yield ""
        head = f"{number}. {safe(finding.message)}"
        first, *rest = wrapped(head, width, indent="   ")
        yield painter.paint(first, "1")
        for line in rest:
            yield painter.paint(line, "1")
        yield f"   {finding.code}, error{_in(images)}"
        yield from _sides(painter, finding.members, width)
        yield from _why(painter, finding.evidence, width)
        yield from _repairs(painter, finding, width)


def _in(images: Sequence[str]) -> str:
    if not images:
        return ""
    return f", in {'image' if len(images) == 1 else 'images'} {safe(', '.join(images))}"


def _sides(painter: Painter, members: Sequence[Member], width: int) -> Iterator[str]:
    if not members:
        return
    yield ""
    count = _NUMBERS[len(members)] if len(members) < len(_NUMBERS) else str(len(members))
    if len(members) == 1:
        yield f"   {painter.paint('What it is about', '1')}"
    else:
        lead = f"These {count} things clash. Take any one of them away, and the others go together:"
        yield from (f"   {painter.paint(line, '1')}" for line in wrapped(lead, width - 3))
    rows = [
        (one.kind, safe(" ".join(filter(None, (one.name, one.version)))), safe(one.origin)) for one in members
    ]
    lines = table(rows)
    for member, line in zip(members, lines, strict=True):
        yield f"     {line}"
        if member.location is not None:
            yield from (f"     {shown}" for shown in source_lines(painter, member.location))


def _why(painter: Painter, evidence: Sequence[Evidence], width: int) -> Iterator[str]:
    if not evidence:
        return
    yield ""
    yield f"   {painter.paint('How that is known', '1')}:"
    for confidence in CONFIDENCES:
        for fact in evidence:
            if fact.confidence != confidence:
                continue
            said = f"{safe(fact.text)} ({_HOW[confidence]}: {safe(fact.source)})"
            first, *rest = wrapped(said, width - 7, indent="  ")
            yield f"     - {first}"
            yield from (f"       {line}" for line in rest)


def _repairs(painter: Painter, finding: Finding, width: int) -> Iterator[str]:
    yield ""
    if not finding.fix:
        yield f"   {painter.paint('No repair is known', '1')}: nothing that is recorded of these takes the clash away."
        return
    checked = sum(fix.verified for fix in finding.fix)
    lead = "What mends it, the least change first"
    yield f"   {painter.paint(lead, '1')}:" if checked else f"   {painter.paint('What may mend it', '1')}:"
    for fix in finding.fix:
        yield from (f"   {line}" for line in fix_lines(painter, fix, width - 3 if width else 0))

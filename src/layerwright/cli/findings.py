"""Findings for people, for programs and for code hosts: the one way out of check, verify, lint and doctor."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from layerwright.cli.excerpts import (
    Painter,
    fix_lines,
    member_lines,
    safe,
    source_lines,
    width_of,
    wrapped,
)
from layerwright.cli.terminal import Terminal
from layerwright.core.errors import UsageError
from layerwright.core.events import Notice
from layerwright.core.findings import (
    LEVELS,
    Finding,
    Kind,
    Level,
    Place,
    findings_document,
    sort_findings,
    summarise,
)
from layerwright.core.source import Location

if TYPE_CHECKING:
    from layerwright.cli.context import Context
    from layerwright.reports.html import Details

__all__ = ["findings_result", "grouped", "locate_findings", "print_findings"]

_STYLES: dict[Level, str] = {"error": "1;31", "warning": "1;33", "note": "1;36", "unknown": "1;35"}
_STANDARD_OUTPUT = Path("-")
_SHOWN_IMAGES = 4
_SHOWN_EVIDENCE = 6


def findings_result(
    context: "Context",
    findings: Iterable[Finding],
    *,
    strict: bool = False,
    scope: str = "",
    title: str = "",
    sarif: Path | None = None,
    html: Path | None = None,
    kinds: Iterable[Kind] = (),
    details: "Callable[[], Details] | None" = None,
) -> int:
    """Give findings out the way the command line asks for.

    Args:
        context: the command's surroundings; its reporter is closed.
        findings: what was found, in any order; places that are keys of a spec get their lines here.
        strict: what is unknown fails too.
        scope: what was looked at, for the last line: ``3 images``.
        title: heading of the page, such as ``layerwright verify receipts:1.2.0``.
        sarif: file for SARIF 2.1.0; ``-`` prints it in place of the text.
        html: file for the report as a page.
        kinds: what is known of the findings' codes, for SARIF.
        details: gives what the page shows beside the findings; called only when a page is asked for.

    Returns:
        The exit code: 1 when something fails, else 0.

    Raises:
        UsageError: a file cannot be written.
    """
    context.reporter.close()
    terminal = context.terminal
    found = sort_findings(locate_findings(findings))
    if sarif is not None:
        from layerwright import __version__  # noqa: PLC0415 - start-up
        from layerwright.reports.sarif import sarif_document  # noqa: PLC0415 - start-up

        folder = context.session.start
        document = sarif_document(
            found, version=__version__, folder=folder, root=_repository(folder), kinds=kinds
        )
        text = json.dumps(document, ensure_ascii=False, indent=1)
        if sarif == _STANDARD_OUTPUT:
            terminal.print(text)
        else:
            _write(context, sarif, text + "\n")
    if html is not None:
        from layerwright.reports.html import Details, html_page  # noqa: PLC0415 - start-up

        page = html_page(found, title=title or "layerwright", details=details() if details else Details())
        _write(context, html, page)
    if terminal.json:
        if sarif != _STANDARD_OUTPUT:
            terminal.print(json.dumps(findings_document(found), ensure_ascii=False))
    else:
        aside = replace(terminal, out=terminal.messages) if sarif == _STANDARD_OUTPUT else terminal
        print_findings(aside, found, strict=strict, scope=scope)
    failing = ("error", "unknown") if strict else ("error",)
    return 1 if any(one.level in failing for one in found) else 0


def _repository(folder: Path) -> Path:
    """The folder of the repository that the folder lies in; the folder itself when it lies in none."""
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _write(context: "Context", path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    context.reporter(Notice(message=f"wrote {path}"))


def print_findings(
    terminal: Terminal, findings: Iterable[Finding], *, strict: bool = False, scope: str = ""
) -> None:
    """Print findings as text, worst first, and a line that counts them.

    A finding that holds alike for several images is shown once. ``--quiet`` leaves out notes, and what is unknown
    unless that fails; they are counted all the same.

    Args:
        terminal: where it goes; lines are folded only when a person looks.
        findings: what was found.
        strict: what is unknown fails.
        scope: what was looked at, for the last line.
    """
    found = sort_findings(findings)
    painter = Painter.of(terminal)
    hidden = {"note"} if strict else {"note", "unknown"}
    for finding, images in grouped(found):
        if terminal.quiet and finding.level in hidden:
            continue
        for line in _lines(painter, finding, images, width_of(terminal)):
            terminal.print(line)
        terminal.print("")
    terminal.print(_summary(painter, found, strict=strict, scope=scope))


def grouped(findings: Sequence[Finding]) -> list[tuple[Finding, tuple[str, ...]]]:
    """Equal findings once, each with the images that they hold for."""
    groups: dict[Finding, dict[str, None]] = {}
    for finding in findings:
        same = replace(finding, where=replace(finding.where, image=""))
        groups.setdefault(same, {})[finding.where.image] = None
    return [(finding, tuple(filter(None, images))) for finding, images in groups.items()]


def _lines(painter: Painter, finding: Finding, images: Sequence[str], width: int) -> Iterable[str]:
    style = _STYLES[finding.level]
    head = f"{finding.level}[{finding.code}]"
    first, *rest = wrapped(f"{head}: {safe(finding.message)}", width, indent="  ")
    yield painter.paint(head, style) + painter.paint(first[len(head) :], "1")
    for line in rest:
        yield painter.paint(line, "1")
    yield from _place_lines(painter, finding.where, images)
    for fact in finding.evidence[:_SHOWN_EVIDENCE]:
        said = f"{safe(fact.text)} ({fact.confidence}: {safe(fact.source)})"
        yield from painter.led("=", wrapped(said, width - 5))
    left = len(finding.evidence) - _SHOWN_EVIDENCE
    if left > 0:
        yield from painter.led("=", [f"and {left} more facts; --json has them"])
    yield from member_lines(painter, finding.members, width)
    for fix in finding.fix:
        yield from fix_lines(painter, fix, width)


def _place_lines(painter: Painter, where: Place, images: Sequence[str]) -> Iterable[str]:
    """The source excerpt, and the images, layer and path that the finding is about."""
    shown = ", ".join(images[:_SHOWN_IMAGES])
    if len(images) > _SHOWN_IMAGES:
        shown += f" and {len(images) - _SHOWN_IMAGES} more"
    about = []
    if shown:
        about.append(f"image {shown}" if len(images) == 1 else f"images {shown}")
    if where.layer:
        about.append(f"layer {where.layer.removeprefix('sha256:')[:12]}")
    if where.path:
        about.append(where.path)
    if where.location is not None:
        yield from source_lines(painter, where.location)
    if about:
        mark = "in" if where.location is not None else "-->"
        yield f"  {painter.paint(mark, '1;34')} {safe(', '.join(about))}"


def _summary(painter: Painter, findings: Sequence[Finding], *, strict: bool, scope: str) -> str:
    counts = summarise(findings)
    parts = []
    for level in LEVELS:
        count = counts[level]
        if not count:
            continue
        said = f"{count} {level}" if count == 1 or level == "unknown" else f"{count} {level}s"
        if strict and level == "unknown":
            said += " (--strict: these fail)"
        parts.append(painter.paint(said, _STYLES[level]))
    inside = f" in {scope}" if scope else ""
    if not parts:
        return painter.paint(f"nothing found{inside}", "1;32")
    return f"{', '.join(parts)}{inside}"


def locate_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Findings whose places that are keys of a spec have lines, columns and the lines' text; each file is read once."""
    texts: dict[str, str | None] = {}
    known: dict[Location, Location] = {}

    def located(location: Location | None) -> Location | None:
        if location is None or (location.line and location.text):
            return location
        if location not in known:
            known[location] = _fill_in(location, texts)
        return known[location]

    return [
        replace(
            finding,
            where=replace(finding.where, location=located(finding.where.location)),
            members=tuple(replace(one, location=located(one.location)) for one in finding.members),
            fix=tuple(replace(one, replaces=located(one.replaces)) for one in finding.fix),
        )
        for finding in findings
    ]


def _fill_in(location: Location, texts: dict[str, str | None]) -> Location:
    if location.file not in texts:
        try:
            texts[location.file] = Path(location.file).read_text(encoding="utf-8-sig")
        except (OSError, ValueError):
            texts[location.file] = None
    text = texts[location.file]
    if text is None:
        return location
    from layerwright.spec.faults import hide_credentials  # noqa: PLC0415 - start-up
    from layerwright.spec.positions import locate  # noqa: PLC0415 - start-up

    if location.line:
        lines = text.splitlines()
        line = lines[location.line - 1] if location.line <= len(lines) else ""
        return replace(location, text=hide_credentials(line))
    return locate(location, text)

"""What Docker and shells cannot read."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.core.source import Location
from layerwright.lint.dockerfile import Fault
from layerwright.lint.dockerfile.model import FaultKind
from layerwright.lint.dockerfile.read import KEYWORDS
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import docs, finding
from layerwright.lint.rules.continuations import CONTINUATION

__all__ = ["KINDS", "find"]

SYNTAX = Kind(
    code="LW-LINT-DOCKERFILE-SYNTAX",
    title="Docker does not understand the file",
    why="The build stops before its first step.",
    evidence="An unknown instruction, something before FROM, a here-document without an end, an empty line "
    "within a continued instruction (which Docker warns of and will refuse).",
    repair="As the finding says.",
)

UNREAD = Kind(
    code="LW-LINT-SHELL-UNREAD",
    title="shell text could not be read",
    why="A quote, bracket or keyword is missing, or the text is for another shell: what stands behind was "
    "judged with gaps.",
    evidence="The grammar of bash does not fit the text.",
    repair="`bash -n FILE` says what bash makes of it.",
)

KINDS = (SYNTAX, UNREAD)

_EMPTY_LINES: Final = docs(
    "empty continuation lines will become errors",
    "docs.docker.com/reference/build-checks/no-empty-continuation",
)


def find(document: Document) -> Iterator[Finding]:
    """Faults that the readers met."""
    dockerfile = document.dockerfile
    if dockerfile is not None:
        commented = {document.source.line_of(one.start) for one in dockerfile.faults if one.kind == "comment"}
        for fault in dockerfile.faults:
            if fault.kind == "instruction" and document.source.line_of(fault.start) - 1 in commented:
                continue  # what follows a continuation that a comment broke off
            # A block of a page is often a part of a Dockerfile.
            if document.kind == "dockerfile" or fault.kind not in {"first", "nothing"}:
                where = document.source.location(min(fault.start, len(document.source.text)))
                yield _TELL[fault.kind](document, fault, where)
    for unit in document.units:
        if unit.script.broken >= 0 and unit.origin != "block":
            yield _unread(unit)


def _comment(document: Document, fault: Fault, where: Location) -> Finding:
    del fault
    escape = document.dockerfile.escape if document.dockerfile else "\\"
    line = where.text
    at = line.find(escape + " ", max(where.column - 1, 0))
    return finding(
        CONTINUATION,
        "error",
        "a comment stands behind the backslash, so the instruction ends here",
        where,
        fix="put the comment on a line of its own above",
        edit=f"{line[at:].lstrip(escape).strip()}\n{line[:at]}{escape}" if at >= 0 else line,
    )


def _empty(document: Document, fault: Fault, where: Location) -> Finding:
    del fault
    return finding(
        CONTINUATION,
        "warning",
        "an empty line stands within an instruction, which Docker will refuse one day",
        where,
        fix="remove the empty line",
        edit=f"{document.source.line_text(where.line - 1)}\n{document.source.line_text(where.line + 1)}",
        at=document.source.location(document.source.line_start(where.line - 1)),
        evidence=[_EMPTY_LINES],
    )


def _end(document: Document, fault: Fault, where: Location) -> Finding:
    del fault
    escape = document.dockerfile.escape if document.dockerfile else "\\"
    return finding(
        CONTINUATION,
        "warning",
        "the file ends after a continuation: something is missing, or the backslash is too much",
        where,
        fix="remove the backslash, or write what should follow",
        edit=where.text.rstrip().removesuffix(escape).rstrip(),
    )


def _first(document: Document, fault: Fault, where: Location) -> Finding:
    del document
    return finding(
        SYNTAX,
        "error",
        f"{fault.text} stands before FROM",
        where,
        fix="begin with FROM (only ARG may stand before it)",
        edit=f"FROM IMAGE\n{where.text}",
    )


def _heredoc(document: Document, fault: Fault, where: Location) -> Finding:
    del document
    return finding(
        SYNTAX,
        "error",
        f"the here-document {fault.text} has no end",
        where,
        fix=f"end it with a line that is {fault.text} and nothing else",
        edit=f"{where.text}\n…\n{fault.text}",
    )


def _nothing(document: Document, fault: Fault, where: Location) -> Finding:
    del document, fault
    return finding(
        SYNTAX, "error", "the file has no instruction", where, fix="begin with FROM", edit="FROM IMAGE"
    )


def _instruction(document: Document, fault: Fault, where: Location) -> Finding:
    text = fault.text
    word = text.split(maxsplit=1)[0] if text.split() else text
    near = difflib.get_close_matches(word.upper(), sorted(KEYWORDS), n=1, cutoff=0.6)
    before = document.source.line_text(where.line - 1) if where.line > 1 else ""
    if not near and before.strip() and not before.lstrip().startswith("#"):
        return finding(
            CONTINUATION,
            "error",
            f"{word!r} is taken for an instruction: the line before has no backslash at its end",
            where,
            fix="continue the line before",
            edit=f"{before.rstrip()} \\\n{where.text}",
        )
    return finding(
        SYNTAX,
        "error",
        f"{word!r} is no instruction" + (f"; {near[0]} is" if near else ""),
        where,
        fix=f"write {near[0]}" if near else "remove the line, or continue the one before with a backslash",
        edit=where.text.replace(word, near[0], 1) if near else f"# {where.text.strip()}",
    )


def _unread(unit: Unit) -> Finding:
    where = unit.script.piece.location(min(unit.script.broken, max(len(unit.script.text) - 1, 0)))
    return finding(
        UNREAD,
        "unknown",
        "this shell text could not be read to its end",
        where,
        fix="look for a missing quote, bracket or keyword before this place",
        command=f"bash -n {unit.script.piece.source.file}" if unit.origin == "file" and not unit.path else "",
    )


_TELL: Final[Mapping[FaultKind, Callable[[Document, Fault, Location], Finding]]] = {
    "comment": _comment,
    "empty": _empty,
    "end": _end,
    "first": _first,
    "heredoc": _heredoc,
    "instruction": _instruction,
    "nothing": _nothing,
}

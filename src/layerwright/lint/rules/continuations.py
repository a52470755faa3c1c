"""Commands that break off: a backslash that continues nothing."""

import re
from collections.abc import Callable, Iterator

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import finding
from layerwright.lint.shell import Command
from layerwright.lint.source import Piece

__all__ = ["CONTINUATION", "KINDS", "find"]

CONTINUATION = Kind(
    code="LW-LINT-LOST-CONTINUATION",
    title="a command breaks off in the middle",
    why="The shell runs the first part without its arguments and takes the rest for another command: "
    "pasted as it is, docker starts without an image and `-it` is not found; variables meant for a "
    "script are set and forgotten.",
    evidence="A backslash before an empty line or a comment, something behind a backslash, or a line that "
    "begins with an option after a line without a backslash.",
    repair="A backslash as the last character of every line but the last; comments above the command.",
)

KINDS = (CONTINUATION,)

_BEHIND = re.compile(r"\\[ \t]+(#[^\n]*)$", re.MULTILINE)

_TRAILING = re.compile(r"\\[ \t]+$", re.MULTILINE)

_BEFORE_EMPTY = re.compile(r"\\\n([ \t]*)(\n|#|$)")


def find(document: Document) -> Iterator[Finding]:
    """Lost continuations in scripts and pages; those of Dockerfiles are among the faults of syntax."""
    for unit in document.units:
        if unit.built or unit.origin == "command":
            continue
        told: set[int] = set()
        outside = _outside(unit)
        for found in (*_behind(unit, outside), *_before(unit, outside)):
            if found.where.location is not None:
                told.add(found.where.location.line)
            yield found
        for command in unit.commands:
            yield from _missing(unit.script.piece, command, told)


def _outside(unit: Unit) -> Callable[[int], bool]:
    """Tells whether a place is code: not in a here-document, comment or quotes."""
    piece = unit.script.piece
    bodies = [
        (piece.text.find(one.body.text), len(one.body.text))
        for command in unit.commands
        for one in command.redirects
        if one.body is not None and one.body.text
    ]

    def outside(position: int) -> bool:
        inside = any(start <= position < start + length for start, length in bodies)
        return not (inside or _in_comment(piece, position) or _is_escaped(piece, position))

    return outside


def _behind(unit: Unit, outside: Callable[[int], bool]) -> Iterator[Finding]:
    """Comments and blanks behind the backslash."""
    piece = unit.script.piece
    for found in _BEHIND.finditer(piece.text):
        if outside(found.start()):
            where = piece.location(found.start())
            yield finding(
                CONTINUATION,
                "error",
                "a comment stands behind the backslash, so the command ends here",
                where,
                fix="put the comment on a line of its own above the command",
                edit=f"{found[1]}\n{where.text[: where.column - 1]}\\",
            )
    for found in _TRAILING.finditer(piece.text):
        if outside(found.start()):
            where = piece.location(found.start())
            yield finding(
                CONTINUATION,
                "error",
                "blanks stand behind the backslash, so the command ends here",
                where,
                fix="remove the blanks",
                edit=where.text.rstrip(),
            )


def _before(unit: Unit, outside: Callable[[int], bool]) -> Iterator[Finding]:
    """A backslash before an empty line or a comment."""
    piece = unit.script.piece
    for found in _BEFORE_EMPTY.finditer(piece.text):
        rest = piece.text[found.end() :]
        if not outside(found.start()) or not rest.strip():
            continue
        where = piece.location(found.start())
        comment = found[2] == "#"
        following = next((line for line in rest.splitlines()[comment:] if line.strip()), "")
        yield finding(
            CONTINUATION,
            "error",
            f"{'a comment' if comment else 'an empty line'} follows the backslash, so the command ends here",
            where,
            fix="put the next line directly below" if not comment else "put the comment above the command",
            edit=f"{where.text}\n{following}",
        )


def _missing(piece: Piece, command: Command, told: set[int]) -> Iterator[Finding]:
    """A line that begins with an option, below one without a backslash."""
    begin = command.location()
    if not re.fullmatch(r"-{1,2}[a-zA-Z][\w-]*(=.*)?", command.program) or command.before:
        return
    if {begin.line - 1, begin.line - 2} & told or begin.line == 1:
        return
    if command.piece.text[: command.start].rpartition("\n")[2].strip():
        return
    before = piece.source.line_text(begin.line - 1)
    yield finding(
        CONTINUATION,
        "error",
        f"{command.program} is taken for a command: the line before has no backslash at its end",
        piece.source.location(piece.source.line_start(begin.line - 1)),
        fix="continue the line before",
        edit=f"{before.rstrip()} \\",
    )


def _in_comment(piece: Piece, position: int) -> bool:
    begin = piece.text.rfind("\n", 0, position) + 1
    return bool(re.match(r"\s*#", piece.text[begin : position + 1]))


def _is_escaped(piece: Piece, position: int) -> bool:
    """The backslash is one of a pair, or stands in single quotes on its line."""
    begin = piece.text.rfind("\n", 0, position) + 1
    line = piece.text[begin:position]
    return line.endswith("\\") or line.count("'") % 2 == 1

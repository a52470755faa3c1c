"""How rules say what they found."""

import re
from collections.abc import Iterable
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level, Place
from layerwright.core.source import Location
from layerwright.lint.shell import Command, Word
from layerwright.lint.source import Piece

__all__ = ["above", "changed", "docs", "finding", "listed", "without"]

_SHOWN: Final = 4
_TO_FILL_IN: Final = re.compile(r"…|\b(VERSION|COMMIT|DIGEST|SHA256|NAME|IMAGE|PROGRAM)\b")
"""What an edit leaves to the reader: such a line cannot be put in as it is."""


def finding(
    kind: Kind,
    level: Level,
    message: str,
    where: Location,
    *,
    fix: str,
    edit: str = "",
    at: Location | None = None,
    command: str = "",
    cost: int = 1,
    evidence: Iterable[Evidence] = (),
) -> Finding:
    """A finding with one way to mend it.

    Args:
        kind: what it is.
        level: how bad.
        message: one sentence without a full stop.
        where: the place.
        fix: what to do, one sentence without a full stop.
        edit: the line, or lines, as they should be; in capitals what only the reader knows.
        at: the line that ``edit`` replaces, when it is another one than ``where``.
        command: what to type.
        cost: how much it changes.
        evidence: facts from outside the file.
    """
    ready = bool(edit) and not _TO_FILL_IN.search(edit)
    return Finding(
        code=kind.code,
        level=level,
        message=message,
        where=Place(location=where),
        evidence=tuple(evidence),
        fix=(
            Fix(text=fix, edit=edit, command=command, cost=cost, replaces=(at or where) if ready else None),
        ),
    )


def docs(text: str, source: str) -> Evidence:
    """A fact from a maker's documentation."""
    return Evidence(text=text, source=source, confidence="docs")


def changed(command: Command, word: Word, new: str) -> str:
    """The lines of a word with another in its place."""
    return command.piece.edited(word.start, word.stop, new)


def above(command: Command, line: str) -> str:
    """A line above the one that a command begins in, ended as that one is within a ``printf``."""
    place = command.location()
    indentation = place.text[: len(place.text) - len(place.text.lstrip())]
    end = next((end for end in ("\\n\\", "' \\") if place.text.endswith(end)), "")
    quote = "'" if end.startswith("'") else ""
    return f"{indentation}{quote}{line}{end}\n{place.text}"


def without(piece: Piece, first: Word, last: Word | None = None) -> str:
    """The lines of a word, or of a run of words, without it and the blanks before it."""
    start, stop = first.start, (last or first).stop
    while start and piece.text[start - 1] in " \t" and piece.at(start - 1) == piece.at(start) - 1:
        start -= 1
    where = piece.location(first.start)
    if not where.text[: where.column - 1].strip():
        # The first word of its line: the indentation stays.
        start = first.start
        while (
            stop < len(piece.text) and piece.text[stop] in " \t" and piece.at(stop) == piece.at(stop - 1) + 1
        ):
            stop += 1
    return piece.edited(start, stop, "")


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: at most four, and how many more there are."""
    known = list(dict.fromkeys(names))
    shown = known[:_SHOWN]
    more = len(known) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else ""

"""How rules say what they found."""

from collections.abc import Iterable
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level, Place
from layerwright.core.source import Location
from layerwright.lint.shell import Command, Word
from layerwright.lint.source import Piece

__all__ = ["changed", "docs", "finding", "listed", "without"]

_SHOWN: Final = 4


def finding(
    kind: Kind,
    level: Level,
    message: str,
    where: Location,
    *,
    fix: str,
    edit: str = "",
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
        edit: the line, or lines, as they should be.
        command: what to type.
        cost: how much it changes.
        evidence: facts from outside the file.
    """
    return Finding(
        code=kind.code,
        level=level,
        message=message,
        where=Place(location=where),
        evidence=tuple(evidence),
        fix=(Fix(text=fix, edit=edit, command=command, cost=cost, replaces=where if edit else None),),
    )


def docs(text: str, source: str) -> Evidence:
    """A fact from a maker's documentation."""
    return Evidence(text=text, source=source, confidence="docs")


def changed(command: Command, word: Word, new: str) -> str:
    """The lines of a word with another in its place."""
    return command.piece.edited(word.start, word.stop, new)


def without(piece: Piece, first: Word, last: Word | None = None) -> str:
    """The lines of a word, or of a run of words, without it and the blanks before it."""
    start = first.start
    while start and piece.text[start - 1] in " \t":
        start -= 1
    # What was joined from two lines keeps its first line's end.
    start = start if piece.at(start) == piece.at(first.start) - (first.start - start) else first.start
    return piece.edited(start, (last or first).stop, "")


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: at most four, and how many more there are."""
    known = list(dict.fromkeys(names))
    shown = known[:_SHOWN]
    more = len(known) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else ""

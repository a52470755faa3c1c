"""Pieces of text that explain: source lines with a caret, facts, tables, and lines as they should be.

What comes from outside passes through ``safe``: names in an image may hold a terminal's own commands.
"""

import os
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Self

from msgspec import Struct

from layerwright.cli.terminal import Terminal
from layerwright.core.findings import Fix, Member
from layerwright.core.source import Location
from layerwright.core.text import visible as safe

__all__ = [
    "Painter",
    "cells",
    "fix_lines",
    "member_lines",
    "safe",
    "source_lines",
    "table",
    "width_of",
    "wrapped",
]

_WIDEST: Final = 110
"""Longer lines are hard to read, however wide the window."""

_NARROWEST: Final = 40
_LONGEST_SOURCE: Final = 160


def cells(text: str) -> int:
    """How many columns of a terminal the text takes (UAX 11: wide and full-width characters take two)."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )


def width_of(terminal: Terminal) -> int:
    """Columns to fold lines at; 0 when nobody looks: lines of a log stay whole, so that they can be searched."""
    try:
        if not terminal.out.isatty():
            return 0
        return max(_NARROWEST, min(os.get_terminal_size(terminal.out.fileno()).columns, _WIDEST))
    except (OSError, ValueError):
        return 0


def wrapped(text: str, width: int, *, indent: str = "") -> list[str]:
    """The text in lines of at most this width (never folded at 0 or less), at least one; long words stay whole."""
    if width <= 0 or cells(text) <= width:
        return [text]
    fold = textwrap.TextWrapper(
        width=width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return fold.wrap(text) or [""]


class Painter(Struct, frozen=True):
    """Paints text that goes to standard output, where colour may be used there."""

    colour: bool

    @classmethod
    def of(cls, terminal: Terminal) -> Self:
        """Colour when the terminal allows it and results are not redirected."""
        try:
            return cls(terminal.colour and terminal.out.isatty())
        except ValueError:
            return cls(colour=False)

    def paint(self, text: str, code: str) -> str:
        """The text in an ANSI style, such as ``1;31``."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def led(self, mark: str, lines: Sequence[str]) -> Iterator[str]:
        """Lines below a mark that stands before the first."""
        for position, line in enumerate(lines):
            yield f"   {self.paint(mark, '1;34') if position == 0 else ' ' * len(mark)} {line}"


def source_lines(painter: Painter, where: Location) -> Iterator[str]:
    """The place, and its line with a caret below the thing that is meant."""
    yield f"  {painter.paint('-->', '1;34')} {safe(str(where))}"
    text = where.text.rstrip()
    if not text.strip():
        return
    margin = len(text) - len(text.lstrip())
    column = where.column - 1 - margin
    text = text.strip()
    if column >= 0 and column > _LONGEST_SOURCE // 2:
        cut = column - _LONGEST_SOURCE // 4
        text, column = "..." + text[cut:], column - cut + 3
    if len(text) > _LONGEST_SOURCE:
        text = text[:_LONGEST_SOURCE] + "..."
    number = str(where.line) if where.line else ""
    rail = painter.paint("|", "1;34")
    yield f"{painter.paint(f'{number:>4}', '1;34')} {rail} {safe(text)}"
    if where.marked and 0 <= column < len(text):
        before = cells(safe(text[:column]))
        marked = painter.paint("^" * cells(safe(where.marked[: len(text) - column])), "1;31")
        yield f"     {rail} {' ' * before}{marked}"


def table(rows: Sequence[Sequence[str]], *, gap: str = "  ") -> list[str]:
    """Rows with their columns below each other; columns that are empty everywhere are left out."""
    if not rows:
        return []
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    widths = [max(cells(cell) for cell in column) for column in columns]
    lines = []
    for row in zip(*columns, strict=True):
        padded = (cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True))
        lines.append(gap.join(padded).rstrip())
    return lines


def member_lines(painter: Painter, members: Iterable[Member], width: int) -> Iterator[str]:
    """What clashes, one row each, with where it comes from."""
    listed = list(members)
    if not listed:
        return
    yield f"  {painter.paint('these clash', '1')}; without any one of them the rest fits:"
    rows = [[one.kind, safe(one.name), safe(one.version), safe(_origin(one))] for one in listed]
    for line in table(rows):
        if width and cells(line) + 4 > width:
            # The last column says where it comes from: below, when it does not fit beside.
            break
        yield f"    {line}"
    else:
        return
    yield from _stacked(rows)


def _stacked(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for kind, name, version, origin in rows:
        yield f"    {' '.join(filter(None, (kind, name, version)))}"
        if origin:
            yield f"      {origin}"


def _origin(member: Member) -> str:
    if member.location is None:
        return member.origin
    place = f"{member.location.file}:{member.location.line}" if member.location.line else str(member.location)
    return (
        member.origin if place in member.origin else f"{member.origin}, {place}" if member.origin else place
    )


def fix_lines(painter: Painter, fix: Fix, width: int) -> Iterator[str]:
    """What to do, the line as it should be beside the line it replaces, and what to type."""
    head = "fix"
    said = safe(fix.text) + (" (checked: the clash is gone)" if fix.verified else "")
    first, *rest = wrapped(f"{head}: {said}", width - 2, indent="       ")
    yield f"  {painter.paint(head, '1;32')}{first[len(head) :]}"
    yield from rest
    for line in (fix.replaces.text if fix.replaces else "").splitlines()[:1]:
        yield f"       {painter.paint('- ' + safe(line.strip()), '31')}"
    for line in fix.edit.splitlines():
        yield f"       {painter.paint('+ ' + safe(line), '32')}"
    for line in fix.command.splitlines():
        yield f"       $ {safe(line)}"

"""A user's file and text taken out of it: every character of a piece knows where it stands in the file."""

from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property
from typing import Self

from msgspec import Struct

from layerwright.core.source import Location

__all__ = ["Piece", "Source"]

_LONGEST = 10_000
"""Characters; a change of longer lines is not shown."""


class Source(Struct, frozen=True, kw_only=True, dict=True):
    """One file.

    Attributes:
        file: path as messages show it.
        text: its text; offsets count its characters.
    """

    file: str
    text: str

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        """Where lines begin; only line feeds end them, as Docker and shells have it."""
        starts = [0]
        found = self.text.find("\n")
        while found >= 0:
            starts.append(found + 1)
            found = self.text.find("\n", found + 1)
        return tuple(starts)

    @property
    def line_count(self) -> int:
        """Lines, the empty one after a last line feed not counted."""
        return len(self._starts) - (self.text.endswith("\n") or not self.text)

    def line_of(self, offset: int) -> int:
        """1-based line of a character."""
        return bisect_right(self._starts, offset)

    def line_start(self, line: int) -> int:
        """Where a line begins."""
        return self._starts[line - 1]

    @cached_property
    def _lines(self) -> dict[int, str]:
        return {}

    def line_text(self, line: int) -> str:
        """A line without its line end."""
        if not 0 < line <= len(self._starts):
            return ""
        if line not in self._lines:
            stop = self._starts[line] - 1 if line < len(self._starts) else len(self.text)
            self._lines[line] = self.text[self._starts[line - 1] : stop].removesuffix("\r")
        return self._lines[line]

    def location(self, offset: int) -> Location:
        """Line and column of a character, with the line's text."""
        line = self.line_of(offset)
        return Location(
            file=self.file,
            line=line,
            column=offset - self._starts[line - 1] + 1,
            text=self.line_text(line),
        )

    def replaced(self, start: int, stop: int, new: str) -> str:
        """The lines from ``start`` to ``stop`` with that part replaced; empty for lines that nobody reads."""
        first, last = self.line_of(start), self.line_of(max(start, stop - 1))
        end = self.line_start(last) + len(self.line_text(last))
        if end - self.line_start(first) > _LONGEST:
            return ""
        return self.text[self.line_start(first) : start] + new + self.text[min(stop, end) : end]

    def replaced_all(self, edits: Iterable[tuple[int, int, str]]) -> str:
        """The lines from the first edit (begin, end, new text) to the last, with all of them made."""
        ordered = sorted(edits)
        last = self.line_of(max(ordered[0][0], max(stop for _, stop, _ in ordered) - 1))
        end = self.line_start(last) + len(self.line_text(last))
        if end - self.line_start(self.line_of(ordered[0][0])) > _LONGEST:
            return ""
        made, at = [], self.line_start(self.line_of(ordered[0][0]))
        for start, stop, new in ordered:
            made += [self.text[at:start], new]
            at = stop
        return "".join(made) + self.text[at:end]

    def whole(self) -> "Piece":
        """The file as a piece."""
        return Piece(source=self, text=self.text, origins=((0, 0),))


class Piece(Struct, frozen=True, kw_only=True):
    """Text that was taken out of a file, with parts left out: continuations, comments, quotes.

    Attributes:
        source: the file.
        text: the piece's own text.
        origins: for each run of characters that stand together in the file too, where it begins here and there.
    """

    source: Source
    text: str
    origins: tuple[tuple[int, int], ...]

    @classmethod
    def joined(cls, source: Source, parts: Iterable[tuple[int, str]]) -> Self:
        r"""A piece of parts, each with its place in the file.

        Args:
            source: the file.
            parts: place in the file and text; the text may differ from what stands there, such as a line feed
                for ``\n``, but then it is one character.
        """
        text: list[str] = []
        origins: list[tuple[int, int]] = []
        length = 0
        for start, part in parts:
            if part:
                origins.append((length, start))
                text.append(part)
                length += len(part)
        return cls(source=source, text="".join(text), origins=tuple(origins) or ((0, 0),))

    def at(self, offset: int) -> int:
        """Where a character of the piece stands in the file; the place after the last one follows it."""
        if offset and offset >= len(self.text):
            return self.at(len(self.text) - 1) + 1
        here, there = self.origins[bisect_right(self.origins, (offset, len(self.source.text) + 1)) - 1]
        return there + offset - here

    def location(self, offset: int) -> Location:
        """Line and column in the file."""
        return self.source.location(self.at(offset))

    def part(self, start: int, stop: int | None = None) -> "Piece":
        """A part of the piece."""
        stop = len(self.text) if stop is None else min(stop, len(self.text))
        start = min(start, stop)
        first = bisect_right(self.origins, (start, len(self.source.text) + 1)) - 1
        here, there = self.origins[first]
        rest = [(begin - start, place) for begin, place in self.origins[first + 1 :] if begin < stop]
        return Piece(
            source=self.source,
            text=self.text[start:stop],
            origins=((0, there + start - here), *rest),
        )

    def stripped(self) -> "Piece":
        """Without blanks at both ends."""
        start = len(self.text) - len(self.text.lstrip())
        return self.part(start, max(start, len(self.text.rstrip())))

    def edited_all(self, edits: Iterable[tuple[int, int, str]]) -> str:
        """The file's lines with several parts of the piece replaced."""
        placed = [
            (self.at(start), self.at(stop - 1) + 1 if stop > start else self.at(start), new)
            for start, stop, new in edits
        ]
        return self.source.replaced_all(placed)

    def edited(self, start: int, stop: int, new: str) -> str:
        """The file's lines from ``start`` to ``stop`` of the piece with that part replaced."""
        begin = self.at(start)
        end = self.at(stop - 1) + 1 if stop > start else begin
        return self.source.replaced(begin, end, new)

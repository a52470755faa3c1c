"""A remote file of which some pieces are here: read like any other, and filled where it is read next."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final

from layerwright.facts.access import BeyondError
from layerwright.sources.parallel import in_parallel

__all__ = ["Piece", "Window"]

Piece = Callable[[int, int], bytes]
"""Gives the bytes of the file from a place on: exactly as many as asked."""

_GAP: Final = 1 << 15
"""Unwanted bytes between two pieces that are sooner read than asked around."""

_THREADS: Final = 3


class Window:
    """The pieces; satisfies ``facts.access.Access``. For one thread at a time.

    Attributes:
        size: bytes of the whole file.
        loaded: bytes that were asked of the server.
    """

    def __init__(self, size: int, piece: Piece) -> None:
        self.size = size
        self.loaded = 0
        self._piece = piece
        self._starts: list[int] = []
        self._pieces: list[bytes] = []

    def read(self, offset: int, size: int) -> bytes:
        """Cut a piece out of those that are here.

        Raises:
            BeyondError: some of it is not here.
        """
        size = min(size, self.size - offset)
        if offset < 0 or size <= 0:
            return b""
        number = bisect_right(self._starts, offset) - 1
        if number < 0:
            raise BeyondError
        start, data = self._starts[number], self._pieces[number]
        if offset + size > start + len(data):
            raise BeyondError
        return data[offset - start : offset - start + size]

    def find(self, needle: bytes, begin: int, end: int) -> int:
        """Look in what is here.

        Raises:
            BeyondError: some of it is not here.
        """
        found = self.read(begin, end - begin).find(needle)
        return found if found < 0 else begin + found

    def fill(self, places: Iterable[tuple[int, int]]) -> None:
        """Bring pieces, given as place and size; neighbours come in one request, different ones in parallel.

        Raises:
            NetworkError: they cannot be had.
        """
        missing = [gap for offset, size in places for gap in self._missing(offset, size)]
        joined: list[tuple[int, int]] = []
        for begin, end in sorted(missing):
            if joined and begin <= joined[-1][1] + _GAP:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((begin, end))
        came = in_parallel(lambda place: self._piece(place[0], place[1] - place[0]), joined, threads=_THREADS)
        for (begin, _), data in zip(joined, came, strict=True):
            self.loaded += len(data)
            self._put(begin, data)

    def cost(self, offset: int, size: int) -> int:
        """Bytes that ``fill`` would bring for a place."""
        return sum(end - begin for begin, end in self._missing(offset, size))

    def _missing(self, offset: int, size: int) -> list[tuple[int, int]]:
        begin, end = max(0, offset), min(offset + size, self.size)
        gaps: list[tuple[int, int]] = []
        for start, data in zip(self._starts, self._pieces, strict=True):
            if start + len(data) <= begin or start >= end:
                continue
            if start > begin:
                gaps.append((begin, start))
            begin = start + len(data)
        if begin < end:
            gaps.append((begin, end))
        return gaps

    def _put(self, begin: int, data: bytes) -> None:
        """Keep a piece, joined with those it touches."""
        end = begin + len(data)
        starts: list[int] = []
        pieces: list[bytes] = []
        for start, piece in zip(self._starts, self._pieces, strict=True):
            if start + len(piece) < begin or start > end:
                starts.append(start)
                pieces.append(piece)
                continue
            if start < begin:
                data = piece[: begin - start] + data
                begin = start
            if start + len(piece) > end:
                data += piece[end - start :]
                end = start + len(piece)
        place = bisect_right(starts, begin)
        starts.insert(place, begin)
        pieces.insert(place, data)
        self._starts, self._pieces = starts, pieces

"""Bytes that come in pieces, for parsers that ask for so many at a time."""

from collections.abc import Callable, Generator, Iterator
from typing import TypeAlias

__all__ = ["Asking", "CutShort", "Damaged", "Feed", "Pump"]


class CutShort(Exception):  # noqa: N818 - says what happened
    """The bytes ended before the parser had what it asked for."""


class Damaged(Exception):  # noqa: N818 - says what is
    """The bytes are not what the first of them promised; the text says why."""


Asking: TypeAlias = Generator[None, None, bytes]
"""A step of a parser that yields whenever it needs more bytes."""


class Feed:
    """What has come and was not taken yet.

    A parser is a generator: it takes bytes with ``yield from``, and is resumed whenever more have come.
    """

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self.taken = 0
        self.closed = False

    def add(self, data: bytes) -> None:
        """More bytes."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def _wait(self, count: int) -> Generator[None, None, None]:
        while len(self._data) - self._at < count:
            if self.closed:
                raise CutShort
            yield

    def take(self, count: int) -> Asking:
        """Exactly so many bytes.

        Raises:
            CutShort: there are fewer.
        """
        yield from self._wait(count)
        piece = self._data[self._at : self._at + count]
        self._at += count
        self.taken += count
        return piece

    def some(self, limit: int) -> Asking:
        """At least one byte and at most ``limit``; none at the end."""
        while self._at >= len(self._data):
            if self.closed:
                return b""
            yield
        piece = self._data[self._at : self._at + limit]
        self._at += len(piece)
        self.taken += len(piece)
        return piece

    def ahead(self, least: int, limit: int) -> Asking:
        """What comes next, without taking it: from ``least`` to ``limit`` bytes, fewer only before the end."""
        while len(self._data) - self._at < least and not self.closed:
            yield
        return self._data[self._at : self._at + limit]

    def drop(self, count: int) -> None:
        """Take so many of the bytes that ``ahead`` showed."""
        self._at += count
        self.taken += count

    def back(self, count: int) -> None:
        """Give back so many of the bytes that the last call returned."""
        self._at -= count
        self.taken -= count


class Pump:
    """Bytes on their way into a parser, which goes on as they come until it ends or gives up.

    Args:
        feed: where the parser takes its bytes from.
        parser: yields whenever it needs more.
        gave_up: gets why, in words.
    """

    def __init__(
        self, feed: Feed, parser: Iterator[None], gave_up: Callable[[str], None] = lambda _: None
    ) -> None:
        self._feed = feed
        self._parser: Iterator[None] | None = parser
        self._gave_up = gave_up

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        if self._parser is not None:
            self._feed.add(data)
            self._run(self._parser)

    def close(self) -> None:
        """That was all."""
        self._feed.closed = True
        if self._parser is not None:
            self._run(self._parser)

    def _run(self, parser: Iterator[None]) -> None:
        try:
            next(parser)
        except StopIteration:
            self._parser = None
        except CutShort:
            self._parser = None
            self._gave_up("ends early")
        except Damaged as fault:
            self._parser = None
            self._gave_up(str(fault))

"""How many bytes of a library are code for which GPU generation, counted while the file passes by.

The format is the one that ``facts.fatbin`` describes and reads at any place; here nothing can be looked at twice.
"""

from collections import Counter
from collections.abc import Generator
from typing import Final

from layerwright.facts.fatbin import CONTAINER, ENTRY_SIZE, MAGIC, read_entry
from layerwright.verify.secrets.feed import CutShort, Feed, Pump

__all__ = ["GpuCode"]

_WINDOW: Final = 1 << 20


class GpuCode:
    """The count for one file.

    Attributes:
        sizes: ``("8.6", "code")`` → bytes; PTX is what a driver compiles for newer GPUs.
    """

    def __init__(self) -> None:
        self.sizes: Counter[tuple[str, str]] = Counter()
        self._feed = Feed()
        self._pump = Pump(self._feed, self._containers())

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        self._pump.feed(data)

    def close(self) -> None:
        """That was all."""
        self._pump.close()

    def _containers(self) -> Generator[None, None, None]:
        while True:
            window = yield from self._feed.ahead(CONTAINER.size, _WINDOW)
            if len(window) < CONTAINER.size:
                return
            at = window.find(MAGIC)
            if at < 0:
                self._feed.drop(len(window) - len(MAGIC) + 1)
            elif at:
                self._feed.drop(at)
            else:
                _, _, header, body = CONTAINER.unpack_from(window)
                if header == CONTAINER.size:
                    self._feed.drop(header)
                    yield from self._entries(body)
                else:
                    self._feed.drop(len(MAGIC))

    def _entries(self, left: int) -> Generator[None, None, None]:
        while left >= ENTRY_SIZE:
            data = yield from self._feed.ahead(ENTRY_SIZE, ENTRY_SIZE)
            if len(data) < ENTRY_SIZE:
                raise CutShort
            entry = read_entry(data)
            if entry is None or not entry.capability or entry.size > left:
                return  # the number stood there by chance: go on looking right behind it
            yield from self._skip(entry.size)
            left -= entry.size
            self.sizes[entry.capability, entry.kind] += entry.size

    def _skip(self, count: int) -> Generator[None, None, None]:
        while count:
            piece = yield from self._feed.some(min(count, _WINDOW))
            if not piece:
                raise CutShort
            count -= len(piece)

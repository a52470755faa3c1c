"""How many bytes of a library are code for which GPU generation, counted while the file passes by.

The format is the one that ``facts.fatbin`` describes and reads at any place; here nothing can be looked at twice.
"""

import struct
from collections import Counter
from collections.abc import Generator
from typing import Final

from layerwright.facts.fatbin import capability
from layerwright.verify.secrets.feed import CutShort, Feed, Pump

__all__ = ["GpuCode"]

_MAGIC: Final = struct.pack("<I", 0xBA55ED50)
_CONTAINER: Final = struct.Struct("<IHHQ")
_ENTRY: Final = struct.Struct("<HHIQ")
_ENTRY_SIZE: Final = 64
_LARGEST_HEADER: Final = 4096
_LONGEST_SM: Final = 9999
_WINDOW: Final = 1 << 20
_KINDS: Final = {1: "PTX", 2: "code"}


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
            window = yield from self._feed.ahead(_CONTAINER.size, _WINDOW)
            if len(window) < _CONTAINER.size:
                return
            at = window.find(_MAGIC)
            if at < 0:
                self._feed.drop(len(window) - len(_MAGIC) + 1)
            elif at:
                self._feed.drop(at)
            else:
                _, _, header, body = _CONTAINER.unpack_from(window)
                if header == _CONTAINER.size:
                    self._feed.drop(header)
                    yield from self._entries(body)
                else:
                    self._feed.drop(len(_MAGIC))

    def _entries(self, left: int) -> Generator[None, None, None]:
        while left >= _ENTRY_SIZE:
            data = yield from self._feed.ahead(_ENTRY_SIZE, _ENTRY_SIZE)
            if len(data) < _ENTRY_SIZE:
                raise CutShort
            kind, _, header, size = _ENTRY.unpack_from(data)
            number, flags = int.from_bytes(data[28:32], "little"), int.from_bytes(data[40:44], "little")
            sound = kind in _KINDS and 32 <= header <= _LARGEST_HEADER and number <= _LONGEST_SM  # noqa: PLR2004 - its fields
            if not sound or header + size > left:
                return  # the number stood there by chance: go on looking right behind it
            yield from self._skip(header + size)
            left -= header + size
            self.sizes[capability(number, flags), _KINDS[kind]] += header + size

    def _skip(self, count: int) -> Generator[None, None, None]:
        while count:
            piece = yield from self._feed.some(min(count, _WINDOW))
            if not piece:
                raise CutShort
            count -= len(piece)

"""Bytes at any place of a file, an archive's member or memory: what the readers of this room read from."""

import io
import os
from mmap import mmap
from typing import BinaryIO, Final, Protocol

__all__ = ["Access", "BeyondError", "BytesAccess", "FileAccess", "PrefixAccess", "Readable", "access_to"]

_BLOCK: Final = 1 << 13
"""Bytes of a file read at once: the small tables of a library lie close together."""


class Access(Protocol):
    """Reads at any place.

    Attributes:
        size: bytes of the whole thing.
    """

    @property
    def size(self) -> int:
        """Bytes of the whole thing."""

    def read(self, offset: int, size: int) -> bytes:
        """The bytes from ``offset`` on: exactly ``size`` of them, fewer only at the end of the thing.

        Raises:
            BeyondError: the bytes exist but are not to be had.
        """

    def find(self, needle: bytes, begin: int, end: int) -> int:
        """Where ``needle`` first lies wholly within ``begin`` to ``end``; -1 when it does not."""


Readable = bytes | bytearray | mmap | BinaryIO
"""What ``access_to`` takes: bytes, a map of memory or an open file that can seek."""


class BeyondError(Exception):
    """The bytes lie beyond what was read of the file."""


class BytesAccess:
    """Bytes or a map, read in place."""

    def __init__(self, data: bytes | bytearray | mmap) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, size: int) -> bytes:
        """Cut a piece out."""
        return bytes(self._data[offset : offset + size]) if offset >= 0 and size > 0 else b""

    def find(self, needle: bytes, begin: int, end: int) -> int:
        """Look in place."""
        return self._data.find(needle, begin, end)


class PrefixAccess:
    """The first bytes of something longer; asking for more raises ``BeyondError``.

    Args of the constructor:
        data: what was read.
        size: bytes of the whole thing.
    """

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self.size = max(size, len(data))

    def read(self, offset: int, size: int) -> bytes:
        """Cut a piece out, if it was read to its end."""
        if offset < 0 or size <= 0:
            return b""
        if min(offset + size, self.size) > len(self.data):
            raise BeyondError
        return self.data[offset : offset + size]

    def find(self, needle: bytes, begin: int, end: int) -> int:
        """Look in place, if all of it was read."""
        if min(end, self.size) > len(self.data):
            raise BeyondError
        return self.data.find(needle, begin, end)


class FileAccess:
    """An open file that can seek; reads blocks and keeps the last ones. For one thread at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self._blocks: dict[int, bytes] = {}

    def read(self, offset: int, size: int) -> bytes:
        """Read a piece, small ones by way of the blocks."""
        if offset < 0 or size <= 0 or offset >= self.size:
            return b""
        if size > _BLOCK:
            return self._load(offset, size)
        number, start = divmod(offset, _BLOCK)
        piece = self._block(number)[start : start + size]
        if len(piece) < size:
            piece += self._block(number + 1)[: size - len(piece)]
        return piece

    def find(self, needle: bytes, begin: int, end: int) -> int:
        """Read piece by piece, each overlapping the one before by what a match could stand on."""
        overlap = len(needle) - 1
        end = min(end, self.size)
        while begin + overlap < end:
            piece = self._load(begin, min(1 << 20, end - begin))
            if (found := piece.find(needle)) >= 0:
                return begin + found
            if len(piece) <= overlap:
                return -1
            begin += len(piece) - overlap
        return -1

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is None:
            if len(self._blocks) >= 64:  # noqa: PLR2004 - half a mebibyte
                self._blocks.clear()
            block = self._blocks[number] = self._load(number * _BLOCK, _BLOCK)
        return block

    def _load(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(size)
        while len(data) < size and (more := self._file.read(size - len(data))):
            data += more
        return data


def access_to(source: Readable | Access) -> Access:
    """Access to what is given; an access is given back as it is."""
    if isinstance(source, bytes | bytearray | mmap):
        return BytesAccess(source)
    if isinstance(source, io.IOBase):
        return FileAccess(source)  # type: ignore[arg-type]  # every file that reads bytes
    if isinstance(source, BytesAccess | PrefixAccess | FileAccess) or not hasattr(source, "seek"):
        return source
    return FileAccess(source)  # type: ignore[arg-type]  # such as a temporary file's wrapper

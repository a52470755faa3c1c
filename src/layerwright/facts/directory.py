"""The directory of a zip file, read from any place it can be read from, and its members' bytes.

Directories are bounded and judged before anything is read by them: a hostile one cannot make us read a member
twice, inflate without end, or take memory for what is not there.
"""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from types import ModuleType
from typing import Final, NamedTuple

from layerwright.core.errors import IntegrityError
from layerwright.facts.access import Access

codec: ModuleType = zlib
with contextlib.suppress(
    ImportError
):  # isal: the same bytes in half the time; there is no wheel for every machine
    from isal import isal_zlib as codec

__all__ = [
    "DEFLATED",
    "STORED",
    "TAIL",
    "Entry",
    "WheelError",
    "directory_place",
    "inflate_front",
    "local_data",
    "member_bytes",
    "member_pieces",
    "read_directory",
]

STORED, DEFLATED = 0, 8

TAIL: Final = 1 << 16
"""Bytes at the end of a zip file in which its end record stands, but for a long comment, which wheels do not have."""

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MOST_MEMBERS: Final = 1 << 18
_LARGEST_DIRECTORY: Final = 1 << 26
_LARGE, _MANY = 0xFFFFFFFF, 0xFFFF
_ENCRYPTED: Final = 1 << 0 | 1 << 6 | 1 << 13
_UTF8: Final = 1 << 11
_CHUNK: Final = 1 << 20
_INPUT: Final = 1 << 18
_DAMAGED = (zlib.error, codec.error) if codec is not zlib else (zlib.error,)


class WheelError(IntegrityError):
    """A file is no wheel that can be read."""


class Entry(NamedTuple):
    """A member.

    Attributes:
        name: its path.
        method: ``STORED`` or ``DEFLATED``; others are listed and not read.
        crc: CRC-32 of its content.
        packed: bytes in the archive.
        size: bytes of the content.
        at: where its local header begins.
        encrypted: it cannot be read.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    at: int
    encrypted: bool

    @property
    def readable(self) -> bool:
        """Whether its content can be had."""
        return not self.encrypted and self.method in (STORED, DEFLATED)

    @property
    def span(self) -> int:
        """Bytes from its local header on that hold all of it, unless the header has more extra fields than usual."""
        return _LOCAL.size + len(self.name.encode()) + 64 + self.packed


def directory_place(tail: bytes, size: int) -> tuple[int, int]:
    """Where the directory of a zip file begins and how many bytes it has.

    Args:
        tail: the last bytes of the file, ``TAIL`` of them or all.
        size: bytes of the file.

    Raises:
        WheelError: the file does not end as a zip file does.
    """
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise WheelError("it does not end as a zip file does")
    _, _, _, _, count, length, start, _ = _END.unpack_from(tail, at)
    end = size - len(tail) + at
    if _LARGE in (length, start) or count == _MANY:
        length, start = _place_64(tail, at, length, start)
    if start + length > end:
        raise WheelError("its directory lies beyond its end")
    if length > _LARGEST_DIRECTORY:
        raise WheelError(f"its directory has {length:,} bytes")
    return start, length


def _place_64(tail: bytes, at: int, length: int, start: int) -> tuple[int, int]:
    """The directory's place by the end record for large files, which stands before the other."""
    locator = at - _LOCATOR_64.size
    if locator < 0 or tail[locator : locator + 4] != b"PK\x06\x07":
        return length, start
    record = tail.rfind(b"PK\x06\x06", 0, locator)
    if record < 0 or record + _END_64.size > locator:
        raise WheelError("its end record for large files is missing")
    fields = _END_64.unpack_from(tail, record)
    return fields[8], fields[9]


def read_directory(data: bytes, end: int) -> tuple[Entry, ...]:
    """The members, in the order in which they stand in the file; folders are left out.

    Args:
        data: the directory.
        end: where it begins in the file: no member reaches beyond.

    Raises:
        WheelError: it is damaged, or no wheel may have such members.
    """
    found: list[Entry] = []
    at = 0
    while at + _CENTRAL.size <= len(data) and data[at : at + 4] == b"PK\x01\x02":
        fields = _CENTRAL.unpack_from(data, at)
        flags, method, crc, packed, size, name_size, extra_size, comment_size = (
            fields[3],
            fields[4],
            *fields[7:13],
        )
        offset = fields[16]
        name_at = at + _CENTRAL.size
        raw = data[name_at : name_at + name_size]
        extra = data[name_at + name_size : name_at + name_size + extra_size]
        if len(raw) < name_size or len(extra) < extra_size:
            raise WheelError("its directory is cut short")
        size, packed, offset = _sizes_64(extra, size, packed, offset)
        at = name_at + name_size + extra_size + comment_size
        if len(found) >= _MOST_MEMBERS:
            raise WheelError(f"it has more than {_MOST_MEMBERS:,} members")
        name = raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
        if "\0" in name:
            raise WheelError("the name of a member holds a null byte")
        if not name.endswith("/"):
            found.append(Entry(name, method, crc, packed, size, offset, bool(flags & _ENCRYPTED)))
    if at != len(data):
        raise WheelError("its directory is damaged")
    found.sort(key=lambda entry: entry.at)
    limits = [entry.at for entry in found[1:]] + [end]
    for entry, limit in zip(found, limits, strict=False):
        if entry.at + _LOCAL.size + entry.packed > limit:
            raise WheelError(f"its member {entry.name!r} overlaps another")
        if entry.method == STORED and entry.packed != entry.size:
            raise WheelError(f"its member {entry.name!r} is stored with two different sizes")
    return tuple(found)


def _sizes_64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and place with those of the extra field for large files (APPNOTE 4.5.3), which has what does not fit."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if kind != 1:
            continue
        values = iter(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
        size = next(values, size) if size == _LARGE else size
        packed = next(values, packed) if packed == _LARGE else packed
        offset = next(values, offset) if offset == _LARGE else offset
        break
    return size, packed, offset


def local_data(access: Access, entry: Entry) -> int:
    """Where a member's packed bytes begin.

    Raises:
        WheelError: its own header contradicts the directory.
        BeyondError: the header was not read.
    """
    data = access.read(entry.at, _LOCAL.size)
    if len(data) < _LOCAL.size or data[:4] != b"PK\x03\x04":
        raise WheelError(f"its member {entry.name!r} is not where the directory says")
    fields = _LOCAL.unpack(data)
    if fields[3] != entry.method:
        raise WheelError(f"the header of its member {entry.name!r} contradicts the directory")
    return entry.at + _LOCAL.size + int(fields[9]) + int(fields[10])


def member_pieces(access: Access, entry: Entry) -> Iterator[bytes]:
    """A member's content, checked against size and CRC-32 by the time it ends.

    Raises:
        WheelError: it is damaged, or packed in a way that is not read.
        BeyondError: its bytes were not read.
    """
    if not entry.readable:
        raise WheelError(f"its member {entry.name!r} is encrypted or packed by method {entry.method}")
    crc = done = 0
    for piece in _unpacked(access, entry, entry.packed, entry.size + 1):
        crc = int(codec.crc32(piece, crc))
        done += len(piece)
        if done > entry.size:
            break
        yield piece
    if done != entry.size or crc != entry.crc:
        raise WheelError(f"its member {entry.name!r} does not have the size and CRC-32 of the directory")


def member_bytes(access: Access, entry: Entry, *, limit: int) -> bytes:
    """A member's whole content.

    Raises:
        WheelError: as ``member_pieces``; or it has more than ``limit`` bytes.
        BeyondError: its bytes were not read.
    """
    if entry.size > limit:
        raise WheelError(f"its member {entry.name!r} has {entry.size:,} bytes")
    return b"".join(member_pieces(access, entry))


def inflate_front(access: Access, entry: Entry, packed: int, *, limit: int) -> bytes:
    """The first bytes of a member that its first ``packed`` bytes hold, at most ``limit``; not checked.

    Raises:
        WheelError: it is damaged.
        BeyondError: the bytes were not read.
    """
    return b"".join(_unpacked(access, entry, min(packed, entry.packed), min(limit, entry.size)))


def _unpacked(access: Access, entry: Entry, packed: int, limit: int) -> Iterator[bytes]:
    """What the first packed bytes hold, until ``limit`` bytes or more came."""
    pieces = _packed(access, entry, packed)
    if entry.method == DEFLATED:
        pieces = _inflated(pieces, entry, limit)
    for piece in pieces:
        yield piece
        limit -= len(piece)
        if limit <= 0:
            return


def _packed(access: Access, entry: Entry, packed: int) -> Iterator[bytes]:
    at = local_data(access, entry)
    end = at + packed
    while at < end:
        data = access.read(at, min(_INPUT, end - at))
        if not data:
            raise WheelError(f"its member {entry.name!r} is cut short")
        at += len(data)
        yield data


def _inflated(pieces: Iterator[bytes], entry: Entry, limit: int) -> Iterator[bytes]:
    """Inflate in steps of at most a mebibyte, whatever the data would swell to."""
    engine = codec.decompressobj(-15)
    step = max(1, min(_CHUNK, limit))
    try:
        for piece in pieces:
            data = piece
            while data and not engine.eof:
                yield engine.decompress(data, step)
                data = engine.unconsumed_tail
            if engine.eof:
                return
        while not engine.eof and (rest := engine.decompress(b"", step)):  # what waited inside for room
            yield rest
    except _DAMAGED as error:
        raise WheelError(f"its member {entry.name!r} is damaged ({error})") from error

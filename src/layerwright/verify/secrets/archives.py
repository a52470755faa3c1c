"""Archives inside files, opened while they stream by: tar, zip, ar (Debian packages), gzip, bzip2, xz, zstd.

The parsers want no more than one pass and some kilobytes. They read what is there in good faith (a zip by its local
headers); what they cannot read is told as ``Damaged``, and the bytes of the archive are searched as they are too.
"""

import re
import struct
from collections.abc import Callable, Generator
from typing import Final, Protocol, TypeAlias

from layerwright.verify.secrets.feed import CutShort, Damaged, Feed
from layerwright.verify.secrets.unpack import Decompressor, copy_packed, decompressor

__all__ = ["HEAD", "Into", "Parser", "Sink", "archive_kind", "parser_for"]

HEAD: Final = 1024
"""First bytes of a file that tell what it is."""

_BLOCK: Final = 512
_PIECE: Final = 1 << 20
_NAME_LIMIT: Final = 1 << 16

Parser: TypeAlias = Generator[None, None, None]


class Sink(Protocol):
    """Takes the content of one member."""

    def feed(self, data: bytes) -> None:
        """More of it."""
        ...

    def close(self) -> None:
        """That was all."""
        ...


class Into(Protocol):
    """Where the parsers put what they find."""

    def member(self, name: str) -> Sink:
        """A member begins.

        Raises:
            Damaged: no more of them are wanted.
        """
        ...

    def unread(self, name: str, reason: str) -> None:
        """A member that nobody can read; the reason follows its name in a sentence."""
        ...


def archive_kind(head: bytes) -> str:
    """What a file is by its first ``HEAD`` bytes: a name that ``parser_for`` takes, or nothing."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar" and _is_checked(head[:_BLOCK]):
        return "tar"
    # a zip that can be executed, as pex and zipapp make them, begins with a line for the kernel
    if head.startswith(b"#!") and b"\nPK\x03\x04" in head:
        return "zip"
    return ""


_MAGIC: Final = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"!<arch>\ndebian-binary", "deb"),
)


def parser_for(kind: str, feed: Feed, into: Into, name: str) -> Parser:
    """The parser of an archive.

    Args:
        kind: as ``archive_kind`` says.
        feed: its bytes.
        into: takes the members.
        name: of the file, of which a packed file's own name is made.
    """
    if kind == "zip":
        return _zip(feed, into)
    if kind == "tar":
        return _tar(feed, into)
    if kind == "deb":
        return _ar(feed, into)
    return _packed(feed, into, kind, name)


def _packed(feed: Feed, into: Into, kind: str, name: str) -> Parser:
    base = name.rpartition("/")[2]
    sink = into.member(
        re.sub(r"\.t(?:gz|bz2?|xz|zst)$", ".tar", re.sub(r"(?<=.)\.(?:gz|bz2|xz|zst)$", "", base))
    )
    try:
        while True:
            yield from copy_packed(feed, decompressor(kind), sink.feed)
            # one stream may follow another; zeros are padding (gzip(1), xz(1))
            padding = b"\0"
            while padding == b"\0":
                padding = yield from feed.some(1)
            if not padding:
                return
            feed.back(1)
    finally:
        sink.close()


def _copy(feed: Feed, size: int, out: Callable[[bytes], None]) -> Parser:
    while size:
        piece = yield from feed.some(min(size, _PIECE))
        if not piece:
            raise CutShort
        size -= len(piece)
        out(piece)


def _skip(piece: bytes) -> None:
    del piece


def _ar(feed: Feed, into: Into) -> Parser:
    yield from feed.take(8)
    while True:
        begin = yield from feed.some(1)
        if not begin:
            return
        header = begin + (yield from feed.take(59))
        try:
            size = int(header[48:58])
        except ValueError:
            raise Damaged("is damaged (a member's size is no number)") from None
        if size < 0:
            raise Damaged("is damaged (a member's size is negative)")
        sink = into.member(header[:16].decode("latin-1").rstrip(" /"))
        try:
            yield from _copy(feed, size, sink.feed)
        finally:
            sink.close()
        if size % 2:
            yield from feed.take(1)


def _is_checked(header: bytes) -> bool:
    """Whether a tar header's checksum fits (POSIX ustar; old tars summed signed bytes, which no tool of today does)."""
    if len(header) < _BLOCK:
        return False
    try:
        stated = int(header[148:156].strip(b" \0") or b"0", 8)
    except ValueError:
        return False
    return stated == sum(header[:148]) + 8 * 32 + sum(header[156:_BLOCK])


def _number(field: bytes) -> int:
    """A size in octal, or in base 256 as GNU tar writes large ones."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:])
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise Damaged("is damaged (a member's size is no number)") from None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _tar(feed: Feed, into: Into) -> Parser:
    given: dict[str, str] = {}
    while True:
        block = yield from feed.some(_BLOCK)
        if not block:
            return
        block += yield from feed.take(_BLOCK - len(block))
        if not block.strip(b"\0"):
            continue
        if not _is_checked(block):
            raise Damaged("is damaged (a header's checksum is wrong)")
        size, kind = _number(block[124:136]), block[156:157]
        if kind in b"xgLK":
            if size > _NAME_LIMIT:
                raise Damaged("is damaged (a header is too long)")
            more = yield from feed.take(size)
            yield from feed.take(-size % _BLOCK)
            given |= {"path": _text(more)} if kind == b"L" else _pax(more) if kind == b"x" else {}
            continue
        if kind in b"12":  # links have no content, whatever their size says
            size = 0
        name = given.get("path") or "/".join(filter(None, (_text(block[345:500]), _text(block[:100]))))
        size = _stated(given.get("size", ""), size)
        given = {}
        if size:
            sink = into.member(name.removeprefix("./"))
            try:
                yield from _copy(feed, size, sink.feed)
            finally:
                sink.close()
            yield from feed.take(-size % _BLOCK)


def _stated(text: str, size: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else size  # noqa: PLR2004 - 64 bits


def _pax(records: bytes) -> dict[str, str]:
    """``path`` and ``size`` of a pax header."""
    found: dict[str, str] = {}
    while records:
        length, space, rest = records.partition(b" ")
        if not space or not length.isdigit() or not len(length) < int(length) <= len(records):
            break
        key, _, value = rest[: int(length) - len(length) - 2].partition(b"=")
        if key in (b"path", b"size"):
            found[key.decode()] = value.decode("utf-8", "replace")
        records = records[int(length) :]
    return found


_LOCAL: Final = b"PK\x03\x04"
_DESCRIPTOR: Final = b"PK\x07\x08"
_METHODS: Final = {8: "deflate", 12: "bzip2", 93: "zstd"}
_ENCRYPTED: Final = 1
_SIZE_FOLLOWS: Final = 8
_MAX32: Final = 0xFFFFFFFF


def _zip(feed: Feed, into: Into) -> Parser:
    begin = yield from feed.some(HEAD)
    if not begin.startswith(_LOCAL):
        feed.back(len(begin) - max(0, begin.find(_LOCAL)))
    else:
        feed.back(len(begin))
    while True:
        found = yield from _next_header(feed)
        if not found:
            return
        _, flags, method, _, _, _, packed, size, name_length, extra_length = struct.unpack(
            "<HHHHHIIIHH", (yield from feed.take(26))
        )
        name = (yield from feed.take(name_length)).decode("utf-8", "replace")
        packed = _zip64((yield from feed.take(extra_length)), size, packed)
        follows = bool(flags & _SIZE_FOLLOWS)
        if flags & _ENCRYPTED:
            into.unread(name, "is encrypted")
            yield from _past(feed, None if follows else packed)
        elif method == 0:
            yield from _stored(
                feed, into, name, None if follows and not packed and name[-1:] != "/" else packed
            )
        else:
            yield from _deflated(feed, into, name, _METHODS.get(method, ""), None if follows else packed)


def _zip64(extra: bytes, size: int, packed: int) -> int:
    """The packed size, which an extra field holds when it does not fit into the header."""
    if packed != _MAX32:
        return packed
    while len(extra) >= 4:  # noqa: PLR2004 - tag and length
        tag, length = struct.unpack("<HH", extra[:4])
        at = 4 + (8 if size == _MAX32 else 0)
        if tag == 1 and at + 8 <= 4 + length and at + 8 <= len(extra):
            return int.from_bytes(extra[at : at + 8], "little")
        extra = extra[4 + length :]
    raise Damaged("is damaged (a size is missing)")


def _next_header(feed: Feed) -> Generator[None, None, bool]:
    """Whether another member follows; data descriptors and padding between members are stepped over."""
    window = b""
    for _ in range(64):
        more = yield from feed.some(1)
        if not more:
            return False
        window = (window + more)[-4:]
        if window == _LOCAL:
            return True
        if window in (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06"):
            return False
    raise Damaged("is damaged (no header where a member should begin)")


def _past(feed: Feed, size: int | None) -> Parser:
    if size is None:
        raise Damaged("holds an encrypted member of unknown size")
    yield from _copy(feed, size, _skip)


def _stored(feed: Feed, into: Into, name: str, size: int | None) -> Parser:
    if size == 0:
        return
    sink = into.member(name)
    try:
        if size is None:
            yield from _to_descriptor(feed, sink.feed)
        else:
            yield from _copy(feed, size, sink.feed)
    finally:
        sink.close()


def _to_descriptor(feed: Feed, out: Callable[[bytes], None]) -> Parser:
    """A stored member whose size stands behind it, as ``torch.save`` writes them: it ends where a size is right."""
    size = 0
    while True:
        window = yield from feed.ahead(24, _PIECE)
        at = window.find(_DESCRIPTOR)
        if at < 0:
            count = len(window) - len(_DESCRIPTOR) + 1
            if count <= 0:
                raise CutShort
        elif at and at + 24 > len(window):
            count = at
        else:
            # crc, packed size and size follow, of 4 bytes or in large files of 8
            stated = {int.from_bytes(window[at + 8 : at + 8 + width], "little") for width in (4, 8)}
            if size + at in stated:
                out(window[:at])
                feed.drop(at)
                return
            count = at + len(_DESCRIPTOR)
        out(window[:count])
        feed.drop(count)
        size += count


def _deflated(feed: Feed, into: Into, name: str, kind: str, size: int | None) -> Parser:
    engine: Decompressor | None = decompressor(kind) if kind else None
    if engine is None:
        into.unread(name, "is compressed in a way that is not known")
        yield from _past(feed, size)
        return
    sink = into.member(name)
    try:
        yield from copy_packed(feed, engine, sink.feed, first=size or 4096)
    finally:
        sink.close()

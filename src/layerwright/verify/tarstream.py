"""Layer tars read as a stream: every member's header, and its content while it passes by.

``tarfile`` takes ten times as long per member and keeps every header; an image of 5 GB has a hundred thousand. Formats:
POSIX.1-2017 ``pax`` (ustar and pax records) and what GNU tar adds (``L``, ``K``, ``S``, numbers in base 256).
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct

from layerwright.core.errors import IntegrityError

__all__ = ["TarMember", "read_tar"]

MemberKind = Literal["file", "hard", "link", "folder", "device", "fifo"]

_BLOCK: Final = 512
_ZERO: Final = bytes(_BLOCK)
_LONGEST: Final = 8 << 20
"""Bytes of a name or of pax records; the longest path that Linux takes has 4,096."""

_KINDS: Final[dict[int, MemberKind]] = {
    ord("0"): "file",
    0: "file",
    ord("7"): "file",
    ord("S"): "file",
    ord("1"): "hard",
    ord("2"): "link",
    ord("3"): "device",
    ord("4"): "device",
    ord("5"): "folder",
    ord("6"): "fifo",
}
_PAX: Final = ord("x")
_PAX_GLOBAL: Final = ord("g")
_LONG_NAME: Final = ord("L")
_LONG_LINK: Final = ord("K")
_SPARSE: Final = ord("S")
_BASE_256: Final = 0x80


class TarMember(Struct, frozen=True, kw_only=True, gc=False):
    """One member.

    Attributes:
        path: its parts joined by ``/``, without a leading slash; empty for the root. Bytes that are no UTF-8 stand as
            surrogates.
        kind: what it is; ``file`` is followed by its content.
        mode: permission bits with set-uid, set-gid and sticky.
        uid, gid: owner.
        size: bytes of content; 0 for all but files.
        target: of a symbolic link as it stands, of a hard link as a path in the archive.
        capabilities: it carries file capabilities (``security.capability``), which give rights as set-uid does.
        sparse: its content here is a map and pieces, not the file's bytes.
    """

    path: str
    kind: MemberKind
    mode: int
    uid: int
    gid: int
    size: int
    target: str = ""
    capabilities: bool = False
    sparse: bool = False


class _Stream:
    """Chunks as one run of bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._now = b""
        self._at = 0

    def block(self) -> bytes:
        """The next 512 bytes; empty at the end of the stream."""
        end = self._at + _BLOCK
        if end <= len(self._now):
            found = self._now[self._at : end]
            self._at = end
            return found
        found = b"".join(self.pieces(_BLOCK, ends=True))
        if found and len(found) < _BLOCK:
            raise IntegrityError("a layer is no sound tar: it ends within a header")
        return found

    def pieces(self, size: int, *, ends: bool = False) -> Iterator[bytes]:
        """The next bytes, as they lie; ``ends`` when the stream may be over before."""
        left = size
        while left:
            if self._at == len(self._now):
                chunk = next(self._chunks, None)
                if chunk is None:
                    if ends:
                        return
                    raise IntegrityError("a layer is no sound tar: it ends within a file")
                self._now = chunk
                self._at = 0
                continue
            start = self._at
            self._at = min(start + left, len(self._now))
            left -= self._at - start
            yield self._now[start : self._at]

    def drain(self) -> None:
        """Read what is left: whatever verifies the stream speaks at its end."""
        for _ in self._chunks:
            pass


class _Content:
    """The content of the current member; what is not taken is skipped."""

    def __init__(self, stream: _Stream, size: int) -> None:
        self._left = size
        self._padding = -size % _BLOCK
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream.pieces(self._left):
            self._left -= len(piece)
            yield piece

    def whole(self) -> bytes:
        return b"".join(self)

    def skip(self) -> None:
        for piece in self._stream.pieces(self._left + self._padding):
            del piece
        self._left = self._padding = 0


class _Extra(Struct, kw_only=True):
    """What was said before a header, for the member that follows."""

    name: str | None = None
    target: str | None = None
    records: dict[str, str] | None = None


def read_tar(chunks: Iterable[bytes]) -> Iterator[tuple[TarMember, Iterable[bytes]]]:
    """Every member with its content, which must be taken before the next member is asked for.

    Args:
        chunks: the uncompressed tar; read to its end.

    Raises:
        IntegrityError: no sound tar, or a name that would leave the root.
    """
    stream = _Stream(chunks)
    extra = _Extra()
    general: dict[str, str] = {}
    while (block := stream.block()) and block != _ZERO:
        _check(block)
        kind, size = block[156], _number(block, 124, 136)
        if kind in (_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK):
            if size > _LONGEST:
                raise IntegrityError(f"a layer is no sound tar: a name of {size:,} bytes")
            content = _Content(stream, size)
            data = content.whole()
            content.skip()
            if kind == _PAX:
                extra.records = _records(data)
            elif kind == _PAX_GLOBAL:
                general |= _records(data)
            elif kind == _LONG_NAME:
                extra.name = _text(data)
            else:
                extra.target = _text(data)
            continue
        sparse = kind == _SPARSE
        if sparse:
            _skip_map(stream, block)
        member, stored = _member(block, size, extra, general, sparse=sparse)
        extra = _Extra()
        content = _Content(stream, stored)
        if member is not None:
            yield member, content
        content.skip()
    stream.drain()


def _member(
    block: bytes, size: int, extra: _Extra, general: dict[str, str], *, sparse: bool
) -> tuple[TarMember | None, int]:
    """The member (None for a kind that nobody knows), and the bytes that follow its header."""
    name, target = extra.name, extra.target
    mode, uid, gid = _number(block, 100, 108), _number(block, 108, 116), _number(block, 116, 124)
    capabilities = False
    if extra.records or general:
        records = general | (extra.records or {})
        name, target = records.get("path", name), records.get("linkpath", target)
        size, uid, gid = (
            _decimal(records, key, value) for key, value in (("size", size), ("uid", uid), ("gid", gid))
        )
        capabilities = "SCHILY.xattr.security.capability" in records
        if any(key.startswith("GNU.sparse.") for key in records):
            sparse = True
            name = records.get("GNU.sparse.name", name)
    if name is None:
        name = _text(block[:100])
        if block[257:263] == b"ustar\0" and block[345]:
            name = f"{_text(block[345:500])}/{name}"
    kind = _KINDS.get(block[156])
    if kind is None:
        return None, size
    if kind == "file" and name.endswith("/"):
        kind = "folder"  # as before POSIX
    stored = size if kind == "file" else 0
    return (
        TarMember(
            path=_path(name),
            kind=kind,
            mode=mode & 0o7777,
            uid=uid,
            gid=gid,
            size=stored,
            target=target if target is not None else _text(block[157:257]),
            capabilities=capabilities,
            sparse=sparse,
        ),
        stored,
    )


def _path(name: str) -> str:
    """The name without empty parts and dots."""
    if (
        "//" in name
        or "./" in name
        or name.startswith("/")
        or name.endswith(("/", "/.", ".."))
        or name == "."
    ):
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise IntegrityError(f"a layer's entry {name[:300]!r} would leave its folder")
        name = "/".join(parts)
    if "\0" in name:
        raise IntegrityError(f"a layer's entry {name[:300]!r} has a NUL in its name")
    return name


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(block: bytes, start: int, end: int) -> int:
    """A number in octal digits, or in base 256."""
    field = block[start:end]
    if field[0] & _BASE_256:
        if field[0] == 0xFF:  # noqa: PLR2004 - the sign
            raise IntegrityError("a layer is no sound tar: a negative number")
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:])
    digits = field.partition(b"\0")[0].strip()
    if not digits:
        return 0
    if not digits.isdigit():
        raise IntegrityError(f"a layer is no sound tar: {digits[:12]!r} is no number")
    try:
        return int(digits, 8)
    except ValueError as error:
        raise IntegrityError(f"a layer is no sound tar: {digits[:12]!r} is no number") from error


def _decimal(records: dict[str, str], key: str, otherwise: int) -> int:
    text = records.get(key)
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit() or len(text) > 20:  # noqa: PLR2004 - of 64 bits
        raise IntegrityError(f"a layer is no sound tar: {text[:40]!r} is no {key}")
    return int(text)


def _records(data: bytes) -> dict[str, str]:
    """Pax records: ``LENGTH KEY=VALUE`` with a line feed, the length counting all of it."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        digits, blank, _ = data[at : at + 20].partition(b" ")
        if not blank or not digits.isdigit():
            raise IntegrityError("a layer is no sound tar: damaged pax records")
        end = at + int(digits)
        key, equals, value = data[at + len(digits) + 1 : end - 1].partition(b"=")
        if end > len(data) or end <= at or not equals or data[end - 1 : end] != b"\n":
            raise IntegrityError("a layer is no sound tar: damaged pax records")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        at = end
    return found


def _skip_map(stream: _Stream, block: bytes) -> None:
    """Pass over the further map blocks of GNU's old sparse format."""
    more = block[482]
    while more:
        following = stream.block()
        if not following:
            raise IntegrityError("a layer is no sound tar: it ends within a header")
        more = following[504]


def _check(block: bytes) -> None:
    """Compare the header's checksum: the sum of its bytes, its own field counted as blanks."""
    wanted = _number(block, 148, 156)
    if sum(block) - sum(block[148:156]) + 256 != wanted:
        raise IntegrityError("a layer is no sound tar: the checksum of a header is wrong")

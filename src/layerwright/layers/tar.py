"""Deterministic tar headers, to the byte those that Docker's engine writes for the same tree.

Ustar, with a pax record only where ustar has no room (POSIX.1-2017 pax). Where the standard leaves a choice, the
choice is Docker's (Go's ``archive/tar`` under moby's ``pkg/archive``; compared byte by byte with Docker 20.10.24): type
bits in the mode, ``root`` as user and group name, zeros as device numbers, the longest prefix that fits,
``PaxHeaders.0`` in the pax header's name, and entries in ``walk_order``. A layer that BuildKit makes by unpacking one
of our tars therefore has our diff id, so the fastest way into a Docker engine ends with the very same image.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

__all__ = [
    "DIRECTORY",
    "END_OF_ARCHIVE",
    "FIFO",
    "FILE",
    "HARD_LINK",
    "MTIME",
    "SYMBOLIC_LINK",
    "TarEntry",
    "base_directory_mode",
    "header",
    "padding",
    "parents",
    "walk_order",
]

MTIME: Final = 315_619_200
"""Time of every entry: 1980-01-02 00:00 UTC.

Zip files cannot hold a time before 1980 (APPNOTE 4.4.6) and ``zipfile`` refuses to pack such a file, so the epoch would
break whoever builds an archive inside the image; one day later it is 1980 in every time zone.
"""

END_OF_ARCHIVE: Final = bytes(1024)

FILE: Final = b"0"
HARD_LINK: Final = b"1"
SYMBOLIC_LINK: Final = b"2"
DIRECTORY: Final = b"5"
FIFO: Final = b"6"
_PAX: Final = b"x"

_BASE_MODES = {"dev/shm": 0o1777, "root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777}

_NAME_SIZE = 100
_PREFIX_SIZE = 155
_LARGEST_OCTAL_11 = 8**11 - 1
_LARGEST_OCTAL_7 = 8**7 - 1
_TYPE_BITS = {
    FILE: 0o100000,
    HARD_LINK: 0o100000,
    DIRECTORY: 0o040000,
    SYMBOLIC_LINK: 0o120000,
    FIFO: 0o010000,
}
_MAGIC = b"ustar\x0000"
_MAGIC_SUM = sum(_MAGIC)
_OWNER = b"root".ljust(32, b"\0") * 2 + b"0000000\0" * 2  # user and group name, device numbers
_OWNER_SUM = sum(_OWNER)
_NO_OWNER = bytes(len(_OWNER))


class TarEntry(Struct, frozen=True, kw_only=True):
    """What a tar header says.

    Attributes:
        path: without a leading slash; directories without a trailing one. Bytes that are no UTF-8 stand as surrogates.
        type: one of the ``typeflag`` bytes of this module.
        mode: permission bits, with set-uid, set-gid and sticky.
        size: bytes of content after the header, 0 for all but files.
        link: target of a symbolic link as it stands, or path in the archive of a hard link.
        xattrs: extended attributes, written as ``SCHILY.xattr.NAME`` pax records.
    """

    path: str
    type: bytes = FILE
    mode: int = 0o644
    size: int = 0
    link: str = ""
    uid: int = 0
    gid: int = 0
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


def base_directory_mode(path: str) -> int:
    """Mode of a folder that bases bring along: an entry for a mere parent must not change what /tmp is."""
    return _BASE_MODES.get(path, 0o755)


def padding(size: int) -> bytes:
    """Zero bytes that fill the last block of a content of this size."""
    return bytes(-size % 512)


def parents(path: str) -> list[str]:
    """Directories above a path, topmost first, without the root."""
    found = []
    position = path.find("/")
    while position >= 0:
        found.append(path[:position])
        position = path.find("/", position + 1)
    return found


def walk_order(path: str) -> list[bytes]:
    """Sort key of an entry: a folder stands right before its content, names in byte order (Go's ``filepath.Walk``)."""
    return path.encode("utf-8", "surrogateescape").split(b"/")


def _block(
    name: bytes, prefix: bytes, mode: int, uid: int, gid: int, size: int, kind: bytes, link: bytes, mtime: int
) -> bytes:
    # The owner's names are fixed, whatever the ids: nothing of the host has a place here.
    owner, owner_sum = (_NO_OWNER, 0) if kind == _PAX else (_OWNER, _OWNER_SUM)
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, mtime)
    # Only what is not empty is summed up; the sum's own field counts as eight spaces.
    total = sum(name) + sum(numbers) + 8 * 32 + kind[0] + sum(link) + _MAGIC_SUM + owner_sum + sum(prefix)
    return b"".join((
        name, bytes(_NAME_SIZE - len(name)), numbers, b"%06o\0 " % total, kind, link, bytes(_NAME_SIZE - len(link)),
        _MAGIC, owner, prefix, bytes(_PREFIX_SIZE + 12 - len(prefix)),
    ))  # fmt: skip


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Cut a name for the ``prefix`` and ``name`` fields at the last fitting slash; ``None`` when it does not fit."""
    if len(name) <= _NAME_SIZE:
        return b"", name
    cut = name.rfind(b"/", 0, min(len(name) - 1, _PREFIX_SIZE + 1))
    if cut <= 0 or len(name) - cut - 1 > _NAME_SIZE:
        return None
    return name[:cut], name[cut + 1 :]


def _ascii(name: bytes) -> bytes:
    return name.decode("ascii", "ignore").replace("\0", "").encode()


def _short(name: bytes) -> bytes:
    """What stands in a 100-byte field when a pax record holds the whole name."""
    short = _ascii(name)
    # Some readers take a file whose cut name ends with a slash for a folder (Go's archive/tar, formatString).
    if len(short) > _NAME_SIZE and short[_NAME_SIZE - 1 : _NAME_SIZE] == b"/":
        return short[: _NAME_SIZE - 1].rstrip(b"/")
    return short[:_NAME_SIZE]


def _record(key: str, value: bytes) -> bytes:
    body = b" " + key.encode() + b"=" + value + b"\n"
    length = len(body) + 1
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def header(entry: TarEntry) -> bytes:
    """The header block(s) of an entry: 512 bytes, or 1 536 and more when pax records come before."""
    if (
        entry.type == FILE
        and len(entry.path) <= _NAME_SIZE
        and entry.path.isascii()
        and entry.size <= _LARGEST_OCTAL_11
        and not (entry.uid or entry.gid or entry.xattrs)
    ):  # nearly every entry of a wheel
        return _block(entry.path.encode(), b"", entry.mode | 0o100000, 0, 0, entry.size, FILE, b"", MTIME)
    name = entry.path.encode("utf-8", "surrogateescape")
    link = entry.link.encode("utf-8", "surrogateescape")
    if entry.type == DIRECTORY:
        name += b"/"
    records = {}
    split = _split(name) if name.isascii() else None
    if split is None:
        records["path"] = name
    if len(link) > _NAME_SIZE or not link.isascii():
        records["linkpath"] = link
    numbers = {"size": entry.size, "uid": entry.uid, "gid": entry.gid}
    for key, limit in (("size", _LARGEST_OCTAL_11), ("uid", _LARGEST_OCTAL_7), ("gid", _LARGEST_OCTAL_7)):
        if numbers[key] > limit:
            records[key] = b"%d" % numbers[key]
            numbers[key] = 0
    for key in entry.xattrs:
        records[f"SCHILY.xattr.{key}"] = entry.xattrs[key]
    mode = entry.mode | _TYPE_BITS[entry.type]
    ids = numbers["uid"], numbers["gid"]
    if not records and split is not None:
        return _block(split[1], split[0], mode, *ids, numbers["size"], entry.type, link, MTIME)
    # With any record the main header is filled as far as it goes and the prefix stays empty.
    if len(name) > _NAME_SIZE:
        records["path"] = name
    block = _block(_short(name), b"", mode, *ids, numbers["size"], entry.type, _short(link), MTIME)
    data = b"".join(_record(key, records[key]) for key in sorted(records))
    folder, slash, last = name.rpartition(b"/")
    pax_name = folder + slash + b"PaxHeaders.0" + (b"/" + last if last else b"")
    pax_name = _ascii(pax_name)[:_NAME_SIZE].rstrip(b"/")
    pax = _block(pax_name, b"", 0, 0, 0, len(data), _PAX, b"", 0)
    return pax + data + padding(len(data)) + block

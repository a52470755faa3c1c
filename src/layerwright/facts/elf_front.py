"""What the first bytes of an ELF file prove, for members of a remote wheel, which inflate from their start only.

The dynamic section, which says what is what, stands near the end of a library. The names that it points at stand near
the beginning, with the tables of symbol versions (GNU ld, lld, gold and mold all do so). Those tables carry the hash of
every version's name (Linux Standard Base Core 5.0, 10.7.5), so the place of the table of strings can be *proved*: it is
the one place at which every name has its hash. Names of libraries in a proven table of strings are those
that the file needs, and its own.

A file whose names were moved to its end (patchelf does so) proves nothing but its machine; then that is what is said.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from layerwright.facts.access import BeyondError, PrefixAccess
from layerwright.facts.elf import (
    MAGIC,
    library_of,
    read_dynamic,
    read_header,
    read_library,
    read_segments,
)
from layerwright.facts.elf_tables import Header, Segment
from layerwright.facts.model import Library

__all__ = ["Front", "read_front"]

_LOAD: Final = 1  # p_type
_WEAK: Final = 2
_FIRST: Final = 1 << 12
"""Bytes in which header and program headers stand, unless a tool moved them to the end."""

_FURTHEST: Final = 1 << 26
"""Bytes of a front that are looked through: C++ names of libtorch_cpu take some 30 MiB."""

_MOST_CANDIDATES: Final = 20000
_MOST_ANCHORS: Final = 64
_LONGEST_NAME: Final = 512
_LOOKED_FOR_MOVED: Final = 1 << 20
_MOVED: Final = re.compile(rb"X{64}|Z{64}")
"""What patchelf leaves where it took a table away: Z, and X before 2021 (``writeReplacedSections``)."""

_KNOWN_VERSION: Final = re.compile(rb"\0((?:GLIBC|GLIBCXX|CXXABI|GCC)_[0-9][0-9.]{0,14})(?=\0)")
_LIBRARY: Final = re.compile(r"[A-Za-z0-9_+.-]+\.so(?:\.[A-Za-z0-9_.-]+)?")
_NAME: Final = re.compile(rb"[!-~]+")
_NAME_BYTES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-."
_ALL: Final = ("soname", "needed", "rpath", "runpath", "versions_needed", "versions_defined")


class _Effort:
    """What may still be spent on a file: a hostile one gets no more than that."""

    def __init__(self) -> None:
        self._left = 1 << 20

    def spend(self, amount: int) -> None:
        """Take some.

        Raises:
            _TooMuchError: nothing is left.
        """
        self._left -= amount
        if self._left < 0:
            raise _TooMuchError


class _TooMuchError(Exception):
    """A file is made to take time."""


class Front(NamedTuple):
    """What a front proves.

    Attributes:
        library: never ``whole`` unless the front is the whole file.
        useful: bytes of front that could prove more; 0 when no longer front would.
    """

    library: Library
    useful: int


class _Tables(NamedTuple):
    """Tables of versions whose names are proven.

    Attributes:
        base: where the table of strings begins.
        versions: by library.
        complete: the table was read to its end.
    """

    base: int
    versions: dict[str, tuple[str, ...]]
    complete: bool


def read_front(data: bytes, size: int, *, path: str = "") -> Front | None:
    """What the first bytes of a file prove; None when it is no ELF file, or there is nothing to tell by.

    Args:
        data: the file's first bytes.
        size: bytes of the whole file.
        path: for the result.

    Raises:
        ElfError: the file is damaged.
    """
    if data[:4] != MAGIC:
        return None
    if len(data) >= size:
        whole = read_library(data, path=path)
        return Front(whole, 0) if whole else None
    access = PrefixAccess(data, size)
    try:
        header = read_header(access)
    except BeyondError:
        return Front(Library(path=path, whole=False, unread=_ALL), _FIRST)
    nothing = Library(path=path, machine=header.machine, whole=False, unread=_ALL)
    try:
        segments = read_segments(access, header)
    except BeyondError:
        near = header.segments_at + header.segment_size * header.segment_count
        return Front(nothing, near if near <= _FIRST else 0)
    try:
        dynamic = read_dynamic(access, header, segments)
    except BeyondError:
        return _derived(data, header, segments, nothing)
    return Front(library_of(path, header, dynamic), 0)


def _derived(data: bytes, header: Header, segments: tuple[Segment, ...], nothing: Library) -> Front:
    """Read the tables without the dynamic section."""
    first = min(
        (segment for segment in segments if segment.kind == _LOAD), key=lambda s: s.offset, default=None
    )
    if first is None:
        return Front(nothing, 0)
    extent = min(first.offset + first.size, _FURTHEST)
    region = data[:extent]
    # no longer front tells more of a file whose names were moved to its end
    more = extent if len(data) < extent and not _MOVED.search(region, 0, _LOOKED_FOR_MOVED) else 0
    effort = _Effort()
    try:
        tables = _versions(region, header.order, effort)
        if tables is None:
            return Front(nothing, more)
        defined = _definitions(region, header.order, tables.base, effort)
    except _TooMuchError:
        return Front(nothing, 0)
    end = region.find(b"\0\0", tables.base + 1)
    closed = end >= 0
    stop = end + 1 if closed else len(region)
    names = _library_names(region, tables.base, stop)
    file = nothing.path.rpartition("/")[2]
    base = defined[0] if defined else ""
    needed, doubtful = _needed(names, tables.versions, file, base, closed=closed)
    if defined:
        # linked without a name of its own, a file has its own file's name there
        soname = base if base != file and _is_own(base, file) else ""
    else:
        soname = next((name for name in names if _is_own(name, file)), "")
    unread = ["rpath", "runpath"]
    if not soname:
        unread.append("soname")
    if doubtful:
        unread.append("needed")
    if not tables.complete:
        unread.append("versions_needed")
    if defined is None:
        unread.append("versions_defined")
    library = Library(
        path=nothing.path,
        machine=header.machine,
        soname=soname,
        needed=needed,
        versions_needed=tables.versions,
        versions_defined=defined[1] if defined else (),
        whole=False,
        unread=tuple(sorted(unread)),
    )
    return Front(library, more if not (closed and tables.complete) else 0)


def _needed(
    names: list[str], versions: dict[str, tuple[str, ...]], file: str, base: str, *, closed: bool
) -> tuple[tuple[str, ...], bool]:
    """Names that the file needs, and whether there may be more.

    Every linker writes the file's own name after those it needs. So one that is not known to be needed, and is not the
    file's own to look at, is left out when it is the last: it may be an own name unlike the file's.
    """
    if not closed:
        return tuple(versions), True
    doubtful = any(re.search(".lib[A-Za-z]", name) for name in names)  # one name may stand within another
    found: list[str] = []
    own: list[str] = []
    for name in names:
        if name in versions or not (name == base or _is_own(name, file)):
            found.append(name)
        else:
            own.append(name)
    if found and not own and found[-1] not in versions:
        found.pop()
        doubtful = True
    found += [name for name in versions if name not in found]
    return tuple(found), doubtful


def _is_own(name: str, file: str) -> bool:
    """Whether a name is a library's own by its file's name, ``libx.so.1`` of ``libx.so.1.2``; none needs itself."""
    return name.startswith("lib") and (name == file or file.startswith(f"{name}."))


def _library_names(data: bytes, base: int, stop: int) -> list[str]:
    """Whole strings that are names of libraries, in order."""
    found: dict[str, None] = {}
    at = base
    for _ in range(_MOST_CANDIDATES):
        at = data.find(b".so", at, stop)
        if at < 0:
            break
        start = (
            at
            - len(data[max(base, at - _LONGEST_NAME) : at])
            + len(data[max(base, at - _LONGEST_NAME) : at].rstrip(_NAME_BYTES))
        )
        end = data.find(b"\0", at, stop)
        if end < 0:
            break
        if start > base and data[start - 1] == 0 and end - start <= _LONGEST_NAME:
            text = data[start:end].decode("ascii", "replace")
            if _LIBRARY.fullmatch(text):
                found[text] = None
        at = end
    return list(found)


def _versions(data: bytes, order: str, effort: _Effort) -> _Tables | None:
    """The table of versions needed, found by the hashes in it."""
    anchors: dict[int, list[int]] = {}
    for number, match in enumerate(_KNOWN_VERSION.finditer(data)):
        if number >= _MOST_ANCHORS:
            break
        anchors.setdefault(_hash(match[1]), []).append(match.start() + 1)
    if not anchors:
        return None
    one = b"\x01\x00" if order == "<" else b"\x00\x01"
    small = rb"..\x00\x00" if order == "<" else rb"\x00\x00.."
    pattern = re.compile(b"(?=" + one + rb"..(?:" + small + rb"|....)" + small + small + b")", re.DOTALL)
    for number, match in enumerate(pattern.finditer(data)):
        if number >= _MOST_CANDIDATES:
            break
        if match.start() % 4 == 0 and (found := _try_versions(data, match.start(), order, anchors, effort)):
            return found
    return None


def _try_versions(
    data: bytes, at: int, order: str, anchors: dict[int, list[int]], effort: _Effort
) -> _Tables | None:
    """Read a table of versions from a place, if it is one."""
    rows: list[tuple[int, int, int, bool]] = []  # file, name, hash, weak
    complete = False
    for file, auxiliary in _chain(data, at, order):
        if file < 0:
            complete = auxiliary == 0
            break
        effort.spend(1)
        rows.append((file, *_row(data, auxiliary, order)))
    if not rows:
        return None
    bases = {place - name for _, name, hashed, _ in rows for place in anchors.get(hashed, ())}
    for base in sorted(bases):
        versions, missing = _named(data, base, rows, effort)
        if versions:
            return _Tables(base, versions, complete and not missing)
    return None


def _row(data: bytes, at: int, order: str) -> tuple[int, int, bool]:
    hashed, flags, _, name, _ = struct.unpack_from(order + "IHHII", data, at)
    return name, hashed, bool(flags & _WEAK)


def _chain(data: bytes, at: int, order: str) -> Iterator[tuple[int, int]]:
    """Pairs of a library's name and the place of a version; last (-1, 0), or (-1, 1) where the data ends first."""
    entry, row = struct.Struct(order + "HHIII"), struct.Struct(order + "IHHII")
    left = 1 << 12
    while left > 0:
        if at + entry.size > len(data):
            yield -1, 1
            return
        version, count, file, first, following = entry.unpack_from(data, at)
        if version != 1 or not count:
            return
        place = at + first
        for number in range(count):
            left -= 1
            if place + row.size > len(data):
                yield -1, 1
                return
            yield file, place
            step = row.unpack_from(data, place)[4]
            if (step == 0) != (number == count - 1) or left <= 0:
                return
            place += step
        if not following:
            yield -1, 0
            return
        at += following


def _named(
    data: bytes, base: int, rows: list[tuple[int, int, int, bool]], effort: _Effort
) -> tuple[dict[str, tuple[str, ...]], bool]:
    """The versions by library, and whether some names lie beyond the data; empty unless every other has its hash."""
    if base < 0 or data[base : base + 1] != b"\0":
        return {}, False
    found: dict[str, list[str]] = {}
    missing = False
    for file, name, hashed, weak in rows:
        library, version = _string(data, base + file), _string(data, base + name)
        if library is None or version is None:
            missing = True
            continue
        effort.spend(len(version))
        if _hash(version) != hashed or not _NAME.fullmatch(library):
            return {}, False
        names = found.setdefault(library.decode("ascii"), [])
        if not weak:
            names.append(version.decode("utf-8", "backslashreplace"))
    return {library: tuple(dict.fromkeys(names)) for library, names in found.items()}, missing


def _definitions(data: bytes, order: str, base: int, effort: _Effort) -> tuple[str, tuple[str, ...]] | None:
    """The file's name in its table of versions defined, and these; None when no whole table is there."""
    if order == "<":
        begin, small = b"\x01\x00\x01\x00\x01\x00\x01\x00", rb"..\x00\x00"
    else:
        begin, small = b"\x00\x01\x00\x01\x00\x01\x00\x01", rb"\x00\x00.."
    pattern = re.compile(b"(?=" + begin + b"...." + small + b")", re.DOTALL)
    for number, match in enumerate(pattern.finditer(data)):
        if number >= _MOST_CANDIDATES:
            break
        if (names := _try_definitions(data, match.start(), order, base, effort)) is not None:
            return names[0], tuple(dict.fromkeys(names[1:]))
    return None


def _try_definitions(data: bytes, at: int, order: str, base: int, effort: _Effort) -> list[str] | None:
    entry = struct.Struct(order + "HHHHIII")
    names: list[str] = []
    for _ in range(1 << 12):
        if at + entry.size > len(data):
            return None
        _, _, _, _, hashed, first, following = entry.unpack_from(data, at)
        if at + first + 4 > len(data):
            return None
        name = _string(data, base + struct.unpack_from(order + "I", data, at + first)[0])
        effort.spend(1 + len(name or b""))
        if not name or _hash(name) != hashed:
            return None
        names.append(name.decode("utf-8", "backslashreplace"))
        if not following:
            return names
        at += following
    return None


def _string(data: bytes, at: int) -> bytes | None:
    """The string at a place; None when its end lies beyond the data, or nowhere."""
    end = data.find(b"\0", at, at + _LONGEST_NAME) if at < len(data) else -1
    return data[at:end] if end >= 0 else None


def _hash(name: bytes) -> int:
    """The hash of System V ABI, chapter 5, "Hash Table"."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high & 0xFFFFFFFF
    return value

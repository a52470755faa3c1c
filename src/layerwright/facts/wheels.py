"""What a wheel says of itself: its metadata, its shared libraries, its top-level names."""

import mmap
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, NamedTuple

from layerwright.facts.access import Access, BytesAccess
from layerwright.facts.directory import (
    TAIL,
    Entry,
    WheelError,
    directory_place,
    member_bytes,
    member_pieces,
    read_directory,
)
from layerwright.facts.elf import MAGIC, ElfError, read_library
from layerwright.facts.model import Library, WheelFacts

__all__ = [
    "METADATA_LIMIT",
    "Metadata",
    "find_metadata",
    "is_library",
    "library_entries",
    "make_facts",
    "read_metadata",
    "read_wheel",
    "read_wheel_file",
    "top_level",
    "unread_library",
]

METADATA_LIMIT: Final = 16 << 20
"""Bytes of METADATA that are too many."""

_IN_MEMORY: Final = 32 << 20
_LARGEST_LIBRARY: Final = 8 << 30
"""Bytes of a library that is not read: the largest known of 2026 is libtorch_cuda with some 1.5 GB."""

_MOST_LIBRARIES: Final = 20000
_MOST_BYTES: Final = 64 << 30
"""Bytes of all libraries of a wheel that are inflated."""


class Metadata(NamedTuple):
    """The part of METADATA that rules ask for; fields as in ``WheelFacts``."""

    name: str
    version: str
    requires_python: str
    requires: tuple[str, ...]


def read_wheel(
    access: Access, *, file: str, sha256: str = "", scratch: Path | None = None, bytes_read: int = 0
) -> WheelFacts:
    """Read a whole wheel.

    Args:
        access: its bytes.
        file: its file name.
        sha256: its digest, which the caller has verified.
        scratch: folder for libraries too large for memory; the system's for temporary files when not given.
        bytes_read: for the result.

    Raises:
        WheelError: it is no wheel that can be read.
        OSError: the scratch folder is full.
    """
    tail = access.read(max(0, access.size - TAIL), TAIL)
    try:
        start, length = directory_place(tail, access.size)
        entries = read_directory(access.read(start, length), start)
        metadata = read_metadata(
            member_bytes(access, find_metadata(entries), limit=METADATA_LIMIT), file=file
        )
        libraries = [
            found for entry in library_entries(entries) if (found := _library(access, entry, scratch))
        ]
    except WheelError as error:
        raise WheelError(f"the wheel {file} cannot be read: {error.what}") from error
    return make_facts(
        entries,
        metadata,
        libraries,
        file=file,
        sha256=sha256,
        reach="whole",
        size=access.size,
        bytes_read=bytes_read,
    )


def _library(access: Access, entry: Entry, scratch: Path | None) -> Library | None:
    """A library of the wheel, read whole; damaged ones are said to be unread."""
    try:
        if entry.size > _LARGEST_LIBRARY or not entry.readable:
            return unread_library(entry.name)
        if entry.size <= _IN_MEMORY:
            return read_library(member_bytes(access, entry, limit=_IN_MEMORY), path=entry.name)
        return _large_library(access, entry, scratch)
    except ElfError:
        return unread_library(entry.name)


def _large_library(access: Access, entry: Entry, scratch: Path | None) -> Library | None:
    pieces = member_pieces(access, entry)
    first = next(pieces, b"")
    if not first.startswith(MAGIC):
        return None
    with tempfile.TemporaryFile(dir=scratch) as file:
        file.write(first)
        for piece in pieces:
            file.write(piece)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return read_library(mapped, path=entry.name)


def unread_library(path: str) -> Library:
    """What is known of a library nobody could read."""
    return Library(
        path=path,
        whole=False,
        unread=("needed", "rpath", "runpath", "soname", "versions_defined", "versions_needed"),
    )


def make_facts(
    entries: Iterable[Entry],
    metadata: Metadata,
    libraries: Iterable[Library],
    *,
    file: str,
    sha256: str,
    reach: Literal["metadata", "members", "whole"],
    size: int,
    bytes_read: int,
    why_not: str = "",
) -> WheelFacts:
    """Put together what was read."""
    return WheelFacts(
        file=file,
        sha256=sha256,
        name=metadata.name,
        version=metadata.version,
        requires_python=metadata.requires_python,
        requires=metadata.requires,
        libraries=tuple(sorted(libraries, key=lambda library: library.path)),
        paths=top_level(entry.name for entry in entries),
        reach=reach,
        why_not=why_not,
        size=size,
        bytes_read=bytes_read,
    )


def is_library(name: str) -> bool:
    """Whether a member's name is that of a shared library: ``libx.so``, ``libx.so.1.2``, ``x.abi3.so``."""
    base = name.rpartition("/")[2]
    stem, dot, rest = base.partition(".so")
    return bool(stem) and bool(dot) and (not rest or rest[0] == ".")


def library_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Members that are libraries by their names."""
    return [entry for entry in entries if is_library(entry.name)][:_MOST_LIBRARIES]


def find_metadata(entries: Iterable[Entry]) -> Entry:
    """METADATA of the wheel.

    Raises:
        WheelError: there is not exactly one.
    """
    found = [
        entry
        for entry in entries
        if entry.name.count("/") == 1 and entry.name.endswith(".dist-info/METADATA")
    ]
    if len(found) != 1:
        raise WheelError(f"it has {len(found)} METADATA files, not one")
    return found[0]


def read_metadata(data: bytes, *, file: str) -> Metadata:
    """Read METADATA, or the ``.metadata`` file that an index serves beside a wheel (PEP 658).

    Args:
        data: its bytes.
        file: the wheel's file name.

    Raises:
        WheelError: it has no name or version.
    """
    from packaging.metadata import parse_email  # noqa: PLC0415 - start-up
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - start-up

    raw, _ = parse_email(data)
    name, version = raw.get("name", ""), raw.get("version", "")
    if not name or not version:
        raise WheelError(f"the METADATA of {file} has no name or no version")
    return Metadata(
        name=str(canonicalize_name(name)),
        version=version,
        requires_python=raw.get("requires_python", ""),
        requires=tuple(raw.get("requires_dist", ())),
    )


def top_level(names: Iterable[str]) -> tuple[str, ...]:
    """Top-level names of a wheel: modules as they are, folders with a slash at their end.

    Folders without an ``__init__.py`` are namespaces that several wheels share (``nvidia/``), or hold no modules
    (``opencv_python.libs/``); their own folders are named, too.
    """
    paths = list(names)
    packages = {path.partition("/")[0] for path in paths if path.count("/") == 1 and "/__init__." in path}
    found: set[str] = set()
    for path in paths:
        folder, slash, rest = path.partition("/")
        if not slash:
            found.add(path)
        elif not folder.endswith((".dist-info", ".data")):
            found.add(f"{folder}/")
            inner, deeper, _ = rest.partition("/")
            if deeper and folder not in packages:
                found.add(f"{folder}/{inner}/")
    return tuple(sorted(found)[:2000])


def read_wheel_file(
    path: Path, *, file: str = "", sha256: str = "", scratch: Path | None = None
) -> WheelFacts:
    """Read a wheel on this machine; ``file`` is its name when its path has another, the rest as for ``read_wheel``.

    Raises:
        WheelError: it is no wheel that can be read.
        OSError: it cannot be opened.
    """
    name = file or path.name
    with path.open("rb") as opened:
        if path.stat().st_size == 0:
            raise WheelError(f"the wheel {name} is empty")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return read_wheel(BytesAccess(mapped), file=name, sha256=sha256, scratch=scratch)

"""What a command changed → layer: owners and modes as they are, times fixed, removals as whiteouts.

Whiteouts are those of the OCI image specification, layer.md.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from layerwright.core.errors import BuildError
from layerwright.layers.compressed import DeflatedBlob
from layerwright.layers.digests import LayerDigests
from layerwright.layers.extracted import DISK_FULL
from layerwright.layers.tar import (
    DIRECTORY,
    END_OF_ARCHIVE,
    FIFO,
    HARD_LINK,
    SYMBOLIC_LINK,
    TarEntry,
    base_directory_mode,
    header,
    padding,
    parents,
    walk_order,
)

__all__ = ["CapturedChange", "capture_layer"]

_CHUNK = 1 << 20
_CAPABILITY = "security.capability"
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class CapturedChange(Protocol):
    """One changed entry of the image's file system, as the sandbox reports it."""

    @property
    def path(self) -> str:
        """Path in the image without a leading slash."""

    @property
    def kind(self) -> str:
        """``put``: stands there now. ``replace``: a folder without what it held before. ``remove``: gone."""

    @property
    def source(self) -> Path | None:
        """Where the entry lies on the host; its path ends with ``path``. ``None`` for ``remove``."""


def capture_layer(changes: Iterable[CapturedChange], out: BinaryIO) -> LayerDigests:
    """Write the layer of some changes as a gzip blob.

    The folders above every change are part of the layer, with the attributes they have: engines would make missing ones
    with attributes of their own, over those of the base. Sockets are left out.

    Raises:
        BuildError: a device, which no layer should carry, or an entry that cannot be read.
        OSError: the disk is full.
    """
    ordered = sorted(changes, key=lambda change: walk_order(change.path))
    blob = DeflatedBlob(out)
    writer = _Writer(_root_of(ordered))
    try:
        for change in ordered:
            for piece in writer.change(change):
                blob.write(piece)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise  # told by whoever owns ``out``
        raise BuildError(f"cannot read what a step changed: {error}") from error
    blob.write(END_OF_ARCHIVE)
    return blob.finish()


def _root_of(changes: Iterable[CapturedChange]) -> bytes | None:
    """The folder the changes' sources lie below; ``None`` when there are only removals."""
    for change in changes:
        if change.source is not None:
            place, path = os.fsencode(change.source), os.fsencode(change.path)
            if not place.endswith(b"/" + path):
                raise ValueError(f"the source {change.source} does not end with its path {change.path!r}")
            return place[: -len(path) - 1]
    return None


class _Writer:
    def __init__(self, root: bytes | None) -> None:
        self._root = root
        self._folders: set[str] = set()
        self._inodes: dict[tuple[int, int], str] = {}

    def change(self, change: CapturedChange) -> Iterator[bytes]:
        """Header and content of one change, its parents first."""
        for above in parents(change.path):
            if above not in self._folders:
                yield self._folder(above)
        if change.source is None:
            folder, slash, name = change.path.rpartition("/")
            yield header(TarEntry(path=f"{folder}{slash}{_WHITEOUT}{name}"))
            return
        place = os.fsencode(change.source)
        status = os.lstat(place)
        if stat.S_ISDIR(status.st_mode):
            yield self._folder(change.path)
            if change.kind == "replace":
                yield header(TarEntry(path=f"{change.path}/{_OPAQUE}"))
        else:
            yield from self._entry(change.path, place, status)

    def _folder(self, path: str) -> bytes:
        self._folders.add(path)
        if self._root is None:
            return header(TarEntry(path=path, type=DIRECTORY, mode=base_directory_mode(path)))
        status = os.lstat(self._root + b"/" + os.fsencode(path))
        return header(
            TarEntry(
                path=path,
                type=DIRECTORY,
                mode=stat.S_IMODE(status.st_mode),
                uid=status.st_uid,
                gid=status.st_gid,
            )
        )

    def _entry(self, path: str, place: bytes, status: os.stat_result) -> Iterator[bytes]:
        mode, uid, gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
        first = self._inodes.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
        if first != path:
            yield header(TarEntry(path=path, type=HARD_LINK, mode=mode, uid=uid, gid=gid, link=first))
        elif stat.S_ISLNK(status.st_mode):
            target = os.fsdecode(os.readlink(place))  # noqa: PTH115 - names are bytes, whatever the locale
            yield header(TarEntry(path=path, type=SYMBOLIC_LINK, mode=0o777, uid=uid, gid=gid, link=target))
        elif stat.S_ISFIFO(status.st_mode):
            yield header(TarEntry(path=path, type=FIFO, mode=mode, uid=uid, gid=gid))
        elif stat.S_ISREG(status.st_mode):
            entry = TarEntry(
                path=path, mode=mode, size=status.st_size, uid=uid, gid=gid, xattrs=_attributes(place)
            )
            yield header(entry)
            yield from _content(place, status.st_size)
            yield padding(status.st_size)
        elif not stat.S_ISSOCK(status.st_mode):
            raise BuildError(
                f"a step made the device /{path}",
                hint="devices belong to the container's start, not to the image",
            )


def _attributes(place: bytes) -> dict[str, bytes]:
    """The one extended attribute that decides what a program may do; others belong to the host's file system."""
    try:
        return {_CAPABILITY: os.getxattr(place, _CAPABILITY, follow_symlinks=False)}
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return {}
        raise


def _content(place: bytes, size: int) -> Iterator[bytes]:
    left = size
    with open(place, "rb", buffering=0) as file:  # noqa: PTH123 - names are bytes, whatever the locale
        while left:
            piece = file.read(min(_CHUNK, left))
            if not piece:
                raise BuildError(f"{os.fsdecode(place)} changed while it was captured")
            left -= len(piece)
            yield piece

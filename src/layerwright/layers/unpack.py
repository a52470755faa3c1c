"""Layer → folder, safely: whatever the tar says, nothing is written outside the folder."""

import errno
import io
import os
import shutil
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.layers.extracted import DISK_FULL, write_all
from layerwright.oci.compression import gunzip, unzstd

__all__ = ["Unpacked", "extract_layer"]

_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
_MOST_HOPS = 40  # as Linux follows links
_XATTR = "SCHILY.xattr."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What could not be put into the folder as it stands in the tar.

    Attributes:
        whiteouts: paths that hide an entry of a lower layer, where the kernel refused a whiteout node.
        opaque: folders that hide a lower layer's content, where the kernel refused the mark.
        skipped: devices, and attributes the file system does not take, as ``path`` or ``path: attribute``.
    """

    whiteouts: tuple[str, ...]
    opaque: tuple[str, ...]
    skipped: tuple[str, ...]


def extract_layer(stream: Iterable[bytes], into: Path, *, as_root: bool) -> Unpacked:
    """Unpack a layer below an empty folder.

    Modes and times are kept; whiteouts become overlayfs whiteouts (character device 0/0) and opaque marks. Links in
    the tar are followed inside the folder only, as engines do it. The stream is read to its end.

    Args:
        stream: the tar, or its gzip blob.
        into: an existing, empty folder.
        as_root: keep owners and extended attributes; otherwise all is the caller's, and set-uid bits are dropped. An
            owner that does not exist here (in a user namespace with one id) is the caller as well.

    Raises:
        IntegrityError: damaged, or an entry would leave the folder.
        BuildError: the folder cannot be written, or the blob is compressed in a way not known.
        OSError: the disk is full.
    """
    chunks = _as_tar(iter(stream))
    unpacker = _Unpacker(os.fsencode(into), as_root=as_root)
    try:
        with tarfile.open(
            fileobj=io.BufferedReader(_ChunkReader(chunks), _CHUNK),
            mode="r|",
            errors="surrogateescape",
            bufsize=_CHUNK,
        ) as archive:
            for member in archive:
                unpacker.entry(archive, member)
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every header it has read
        for _ in chunks:  # what verifies the stream speaks at its end
            pass
        unpacker.finish()
    except tarfile.TarError as error:
        raise IntegrityError(f"a layer is no sound tar: {error}") from error
    except OSError as error:
        if error.errno in DISK_FULL:
            raise  # told by whoever owns the folder
        raise BuildError(f"cannot unpack a layer into {into}: {error}") from error
    return unpacker.result()


def _as_tar(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(_ZSTD_MAGIC):
            break
    whole = chain([first], chunks)
    if first.startswith(_ZSTD_MAGIC):
        return unzstd(whole)
    return gunzip(whole) if first.startswith(_GZIP_MAGIC) else whole


class _ChunkReader(io.RawIOBase):
    """Chunks as a readable file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # always called with a memoryview
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    place: bytes
    mode: int
    uid: int
    gid: int
    time: float


class _Unpacker:
    def __init__(self, root: bytes, *, as_root: bool) -> None:
        self._root = root
        self._as_root = as_root
        self._real: set[bytes] = {root}  # folders known to be folders and no links
        self._folders: dict[bytes, _Folder] = {}
        self._whiteouts: list[str] = []
        self._opaque: list[str] = []
        self._skipped: list[str] = []

    def result(self) -> Unpacked:
        return Unpacked(
            whiteouts=tuple(self._whiteouts), opaque=tuple(self._opaque), skipped=tuple(self._skipped)
        )

    def entry(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Put one entry in its place."""
        parts = _parts(member.name)
        if not parts:
            if member.isdir():
                self._note_folder(self._root, member)
            return
        parent = self._parent(parts[:-1], member.name)
        name = parts[-1]
        if name.startswith(_WHITEOUT):
            self._whiteout(parent, name, "/".join(parts[:-1]), member)
            return
        place = parent + b"/" + os.fsencode(name)
        if member.isdir():
            self._folder(place, member)
            return
        self._remove(place)
        if member.isreg():
            self._file(archive, place, member)
        elif member.issym():
            os.symlink(os.fsencode(member.linkname), place)  # noqa: PTH211 - names are bytes
        elif member.islnk():
            self._hard_link(place, member)
            return
        elif member.isfifo():
            os.mkfifo(place, 0o600)
        else:
            self._skipped.append(member.name)
            return
        if not member.isreg():
            self._attributes(place, member)

    def finish(self) -> None:
        """Give the folders their modes and times, innermost first, once nothing more is put into them."""
        for folder in sorted(self._folders.values(), key=lambda folder: folder.place, reverse=True):
            owned = self._own(folder.place, folder.uid, folder.gid)
            os.chmod(folder.place, _mode(folder.mode, owned=owned))  # noqa: PTH101 - names are bytes, whatever the locale
            os.utime(folder.place, (folder.time, folder.time))

    def _parent(self, parts: list[str], name: str) -> bytes:  # noqa: C901 - one walk, as the kernel does it
        """The real folder that the parts lead to, below the root; missing ones are made."""
        direct = b"/".join([self._root, *map(os.fsencode, parts)])
        if direct in self._real:
            return direct
        current = [self._root]
        waiting = [os.fsencode(part) for part in reversed(parts)]
        hops = 0
        while waiting:
            part = waiting.pop()
            if part == b"..":
                if len(current) > 1:
                    current.pop()
                continue
            place = b"/".join([*current, part])
            if place in self._real:
                current.append(part)
                continue
            try:
                mode = os.lstat(place).st_mode
            except FileNotFoundError:
                os.mkdir(place, 0o700)  # noqa: PTH102 - names are bytes, whatever the locale
                self._folders[place] = _Folder(place=place, mode=0o755, uid=0, gid=0, time=0)
                mode = stat.S_IFDIR
            if stat.S_ISDIR(mode):
                self._real.add(place)
                current.append(part)
            elif stat.S_ISLNK(mode):
                hops += 1
                if hops > _MOST_HOPS:
                    raise IntegrityError(f"a layer's entry {name!r} goes through a loop of links")
                target = os.readlink(place)  # noqa: PTH115 - names are bytes, whatever the locale
                if target.startswith(b"/"):
                    current = [self._root]
                waiting += [step for step in reversed(target.split(b"/")) if step not in (b"", b".")]
            else:
                raise IntegrityError(f"a layer's entry {name!r} stands below something that is no folder")
        return b"/".join(current)

    def _remove(self, place: bytes) -> None:
        """Make room: an entry that comes later in a tar takes the place of one before."""
        try:
            mode = os.lstat(place).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            shutil.rmtree(place)
            gone = place + b"/"
            self._real = {known for known in self._real if known != place and not known.startswith(gone)}
            self._folders = {
                known: folder
                for known, folder in self._folders.items()
                if known != place and not known.startswith(gone)
            }
        else:
            os.unlink(place)  # noqa: PTH108 - names are bytes, whatever the locale

    def _folder(self, place: bytes, member: tarfile.TarInfo) -> None:
        if place not in self._real:
            try:
                is_folder = stat.S_ISDIR(os.lstat(place).st_mode)
            except FileNotFoundError:
                is_folder = False
            if not is_folder:
                self._remove(place)
                os.mkdir(place, 0o700)  # noqa: PTH102 - names are bytes, whatever the locale
            self._real.add(place)
        self._note_folder(place, member)

    def _note_folder(self, place: bytes, member: tarfile.TarInfo) -> None:
        self._folders[place] = _Folder(
            place=place, mode=member.mode, uid=member.uid, gid=member.gid, time=member.mtime
        )

    def _own(self, place: bytes | int, uid: int, gid: int) -> bool:
        """Give a path or open file its owner; False when it stays the caller's."""
        if not self._as_root:
            return False
        try:
            if isinstance(place, int):
                os.fchown(place, uid, gid)
            else:
                os.chown(place, uid, gid, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.EINVAL:  # user_namespaces(7): what an id without a mapping gives
                raise
            return False
        return True

    def _file(self, archive: tarfile.TarFile, place: bytes, member: tarfile.TarInfo) -> None:
        content = archive.extractfile(member)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(place, flags, 0o600)
        try:
            while content is not None and (piece := content.read(_CHUNK)):
                write_all(descriptor, piece)
            owned = self._own(descriptor, member.uid, member.gid)
            os.fchmod(descriptor, _mode(member.mode, owned=owned))  # a change of owner clears set-uid
            self._xattrs(place, member)
            os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)

    def _hard_link(self, place: bytes, member: tarfile.TarInfo) -> None:
        parts = _parts(member.linkname)
        if not parts:
            raise IntegrityError(f"a layer's hard link {member.name!r} leads nowhere")
        target = self._parent(parts[:-1], member.name) + b"/" + os.fsencode(parts[-1])
        try:
            if stat.S_ISDIR(os.lstat(target).st_mode):
                raise IntegrityError(f"a layer's hard link {member.name!r} leads to a folder")
            os.link(target, place, follow_symlinks=False)
        except FileNotFoundError as error:
            raise IntegrityError(
                f"a layer's hard link {member.name!r} leads to {member.linkname!r}, which is not there"
            ) from error

    def _attributes(self, place: bytes, member: tarfile.TarInfo) -> None:
        owned = self._own(place, member.uid, member.gid)
        if not member.issym():
            os.chmod(place, _mode(member.mode, owned=owned))  # noqa: PTH101 - names are bytes, whatever the locale
        os.utime(place, (member.mtime, member.mtime), follow_symlinks=False)

    def _xattrs(self, place: bytes, member: tarfile.TarInfo) -> None:
        for key, value in member.pax_headers.items():
            if self._as_root and key.startswith(_XATTR):
                attribute = key.removeprefix(_XATTR)
                try:
                    os.setxattr(
                        place, attribute, value.encode("utf-8", "surrogateescape"), follow_symlinks=False
                    )
                except OSError:
                    self._skipped.append(f"{member.name}: {attribute}")

    def _whiteout(self, parent: bytes, name: str, folder: str, member: tarfile.TarInfo) -> None:
        if name == _OPAQUE:
            if not _mark_opaque(parent):
                self._opaque.append(folder)
            return
        if name.startswith(_AUFS):
            return  # aufs' own bookkeeping
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in ("", ".", ".."):
            raise IntegrityError(f"a layer's whiteout names nothing: {member.name!r}")
        place = parent + b"/" + os.fsencode(hidden)
        self._remove(place)
        try:
            os.mknod(place, stat.S_IFCHR, os.makedev(0, 0))
        except OSError:  # no right to make nodes here
            self._whiteouts.append(f"{folder}/{hidden}" if folder else hidden)


def _mode(mode: int, *, owned: bool) -> int:
    """The permission bits; an entry that is not its owner's must not run as its owner."""
    return mode & (0o7777 if owned else 0o1777)


def _mark_opaque(folder: bytes) -> bool:
    """Mark a folder as hiding what lies below it; False when the kernel refuses.

    Root of a user namespace may not set ``trusted`` attributes; overlays mounted there read ``user`` ones.
    """
    for attribute in ("trusted.overlay.opaque", "user.overlay.opaque"):
        try:
            os.setxattr(folder, attribute, b"y")
        except OSError:
            continue
        return True
    return False


def _parts(name: str) -> list[str]:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise IntegrityError(f"a layer's entry {name!r} would leave its folder")
    return parts

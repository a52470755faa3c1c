"""Unpacking sdists: nothing outside the folder, nothing but files, folders and links that stay inside."""

import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, Final

from layerwright.core.errors import IntegrityError

__all__ = ["unpack_sdist"]

_LIMIT: Final = 16 << 30
_CHUNK: Final = 1 << 20


def unpack_sdist(archive: Path, into: Path, *, name: str) -> Path:
    """Unpack a ``.tar.*`` or ``.zip`` sdist.

    Args:
        archive: the file.
        into: an empty folder.
        name: the archive's name for messages.

    Returns:
        The project's folder: the archive's single top folder, else ``into``.

    Raises:
        IntegrityError: the archive is damaged or unsafe.
    """
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, into, name)
        else:
            _untar(archive, into, name)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise IntegrityError(f"{name} cannot be unpacked: {error}") from error
    children = list(into.iterdir())
    return children[0] if len(children) == 1 and children[0].is_dir() else into


def _place(into: Path, member: str, name: str) -> Path:
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or "\\" in member or "\0" in member:
        raise IntegrityError(f"{name} is unsafe: it holds the path {member!r}")
    target = into.joinpath(*path.parts)
    # a link that an earlier member made could lead elsewhere
    if not target.parent.resolve().is_relative_to(into.resolve()):
        raise IntegrityError(f"{name} is unsafe: {member!r} goes through a link out of its folder")
    return target


def _untar(archive: Path, into: Path, name: str) -> None:
    left = _LIMIT
    with tarfile.open(archive) as tar:
        for member in tar:
            target = _place(into, member.name, name)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            if member.issym():
                _check_link(into, target, member, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(member.linkname)
                continue
            reader = tar.extractfile(member) if member.isfile() or member.islnk() else None
            if reader is None:
                raise IntegrityError(f"{name} is unsafe: {member.name!r} is no file, folder or link")
            left -= member.size
            if left < 0:
                raise IntegrityError(f"{name} unpacks to more than {_LIMIT} bytes")
            _write(target, reader, executable=bool(member.mode & 0o100))


def _check_link(into: Path, target: Path, member: tarfile.TarInfo, name: str) -> None:
    leads_to = (target.parent / member.linkname).resolve()
    if PurePosixPath(member.linkname).is_absolute() or not leads_to.is_relative_to(into.resolve()):
        raise IntegrityError(f"{name} is unsafe: the link {member.name!r} leads out of its folder")


def _unzip(archive: Path, into: Path, name: str) -> None:
    with zipfile.ZipFile(archive) as opened:
        if sum(member.file_size for member in opened.infolist()) > _LIMIT:
            raise IntegrityError(f"{name} unpacks to more than {_LIMIT} bytes")
        for member in opened.infolist():
            target = _place(into, member.filename, name)
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                with opened.open(member) as reader:
                    _write(target, reader, executable=bool(member.external_attr >> 16 & 0o100))


def _write(target: Path, reader: IO[bytes], *, executable: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink():
        target.unlink()
    with target.open("wb") as writer:
        shutil.copyfileobj(reader, writer, _CHUNK)
    target.chmod(0o755 if executable else 0o644)

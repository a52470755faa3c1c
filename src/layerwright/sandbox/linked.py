"""A root file system without a mount: the trees of layers copied, or linked, into one.

For ordinary unprivileged containers, where nothing can be mounted.
"""

import errno
import os
import stat
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["copy_file", "link_trees", "take_attributes"]

_COPIED_AT_ONCE = 1 << 30
_READ_AT_ONCE = 1 << 20
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


def link_trees(lowers: Sequence[Path], target: Path, *, linkable: Collection[Path]) -> None:
    """Merge trees into a new folder, bottom first, as an overlay would show them.

    Args:
        lowers: trees, bottom first; their whiteouts are honoured.
        target: folder to make.
        linkable: trees whose files may be hard links. Others are copied, since a program that opens a
            file for writing would write into the tree.
    """
    target.mkdir(mode=0o755)
    for lower in lowers:
        _merge(lower, target, link=lower in linkable)


def _merge(source: Path, target: Path, *, link: bool) -> None:
    linked: dict[tuple[int, int], str] = {}
    _merge_folder(os.fspath(source), os.fspath(target), link=link, linked=linked)


def _merge_folder(source: str, target: str, *, link: bool, linked: dict[tuple[int, int], str]) -> None:
    """Merge one folder; strings, not paths: this runs for every file of an image."""
    with os.scandir(source) as entries:
        for entry in entries:
            place = f"{target}/{entry.name}"
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if _is_opaque(entry.path) or not _is_folder(place):
                    _remove(place)
                if not os.path.isdir(place):
                    os.mkdir(place, 0o700)
                _merge_folder(entry.path, place, link=link, linked=linked)
                take_attributes(entry.path, place, status)
                continue
            _remove(place)
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                continue
            _put(entry.path, place, status, link=link, linked=linked)
    take_attributes(source, target, os.stat(source))


def _put(
    source: str, place: str, status: os.stat_result, *, link: bool, linked: dict[tuple[int, int], str]
) -> None:
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(source), place)
        os.chown(place, status.st_uid, status.st_gid, follow_symlinks=False)
        return
    if not stat.S_ISREG(status.st_mode):
        # Sockets and pipes left in an image mean nothing in a new root; devices are not to be had.
        return
    if link:
        try:
            os.link(source, place, follow_symlinks=False)
        except OSError:  # another file system, or too many links
            link = False
        else:
            return
    key = (status.st_dev, status.st_ino)
    if status.st_nlink > 1 and key in linked and os.path.lexists(linked[key]):
        os.link(linked[key], place)
        return
    linked[key] = place
    copy_file(source, place)
    take_attributes(source, place, status)


def copy_file(source: str, place: str) -> None:
    """Copy contents to a new file inside the kernel, which shares blocks where the file system can.

    Raises:
        OSError: ``place`` is there, or there is no space.
    """
    reader = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        writer = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while os.copy_file_range(reader, writer, _COPIED_AT_ONCE):
                continue
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            while part := os.read(reader, _READ_AT_ONCE):
                os.write(writer, part)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def take_attributes(source: str, place: str, status: os.stat_result) -> None:
    """Give ``place`` the owner, mode, file capability and times of ``source``."""
    made = os.stat(place)
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        os.chown(place, status.st_uid, status.st_gid)
    os.chmod(place, stat.S_IMODE(status.st_mode))
    if stat.S_ISREG(status.st_mode):
        with suppress(OSError):  # it has none, or the container may not set it
            os.setxattr(place, "security.capability", os.getxattr(source, "security.capability"))
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))


def _is_folder(place: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(place).st_mode)
    except FileNotFoundError:
        return False


def _is_opaque(folder: str) -> bool:
    for name in _OPAQUE:
        try:
            if os.getxattr(folder, name) == b"y":
                return True
        except OSError:
            continue
    return False


def _remove(place: str) -> None:
    try:
        status = os.lstat(place)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        import shutil  # noqa: PLC0415  start-up

        shutil.rmtree(place)
    else:
        os.unlink(place)

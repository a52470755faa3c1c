"""Removing folders whatever they hold: modes of 0000, devices, and mounts that a killed process left."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from layerwright.core.errors import BuildError

__all__ = ["remove_tree"]

_ESCAPE = re.compile(rb"\\([0-7]{3})")  # blanks and backslashes, as the kernel writes them
_DETACH = 2  # MNT_DETACH of umount2(2)


def remove_tree(path: Path) -> None:
    """Remove a folder (or file) and all below it; nothing there is fine.

    Never descends into a mount: what is mounted below is detached first, because a bind mount
    shows other people's files and removing through it would remove theirs.

    Raises:
        BuildError: a mount cannot be detached, or an entry cannot be removed by this user.
    """
    _detach_mounts(path)
    try:
        _remove(os.fspath(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise BuildError(
            f"cannot remove {error.filename or path}: {error.strerror}",
            hint="it belongs to another user (made in a user namespace or as root): remove it as that user",
        ) from error


def _remove(path: str) -> None:
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)  # noqa: PTH108  (plain strings: a torch tree has twelve thousand entries)
        return
    try:
        _empty(path)
    except PermissionError:
        os.chmod(path, 0o700)  # noqa: PTH101
        _empty(path)
    os.rmdir(path)  # noqa: PTH106


def _empty(folder: str) -> None:
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        try:
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                os.unlink(entry.path)  # noqa: PTH108
        except FileNotFoundError:
            continue


def _detach_mounts(path: Path) -> None:
    below = sorted(_mounts_below(path), key=len, reverse=True)
    if not below:
        return
    import ctypes  # noqa: PLC0415  (start-up: only after a killed run)

    libc = ctypes.CDLL(None, use_errno=True)
    for mount in below:
        if libc.umount2(os.fsencode(mount), _DETACH) != 0:
            raise BuildError(
                f"cannot remove {path}: {mount} is still mounted: {os.strerror(ctypes.get_errno())}",
                hint=f"umount --lazy {mount}",
            )
    if _mounts_below(path):
        _detach_mounts(path)  # mounts stacked on one place show one by one


def _mounts_below(path: Path) -> list[str]:
    """Mount points at or below the path in this mount namespace (proc(5), mountinfo, fifth field)."""
    inside = os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118  (a link itself is not followed)
    return [mount for mount in _mount_points() if mount == inside or mount.startswith(inside + "/")]


def _mount_points() -> Iterator[str]:
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split(b" ", 5)
        if len(fields) > 4:  # noqa: PLR2004  (the fifth field is the mount point)
            yield os.fsdecode(_ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), fields[4]))

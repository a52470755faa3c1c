"""A full disk, said in words."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from layerwright.core.errors import BuildError

__all__ = ["told_when_full"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_PLENTY = 1 << 28  # bytes; more than any single write of ours could have wanted


@contextmanager
def told_when_full(root: Path, *, needed: int = 0, doubtful: bool = False) -> Iterator[None]:
    """Turn "no space left" within the block into an error that names the store.

    Args:
        root: the store's folder.
        needed: bytes that were to be written, 0 when unknown.
        doubtful: the block is a caller's and may have filled another disk; then nothing is said of a store
            that has plenty of room.

    Raises:
        BuildError: the disk (or the user's quota) is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL or (doubtful and _free(root) > _PLENTY):
            raise
        raise full(root, needed=needed) from error


def full(root: Path, *, needed: int) -> BuildError:
    """The error for a full disk."""
    try:
        room = os.statvfs(root)
        free = f"{room.f_bavail * room.f_frsize:,} bytes are free"
        if room.f_files and not room.f_favail:
            free += " and no inode is"
    except OSError:
        free = "the free space is unknown"
    wanted = f"{needed:,} bytes are needed, " if needed else ""
    return BuildError(
        f"no space left in the store {root}: {wanted}{free}",
        hint="make room with `layerwright store prune --keep-size SIZE`, or move the store to a larger disk",
    )


def _free(root: Path) -> int:
    room = os.statvfs(root)
    return 0 if room.f_files and not room.f_favail else room.f_bavail * room.f_frsize

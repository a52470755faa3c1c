"""Locks between processes: ``flock``, which the kernel lets go of when a process dies, however it dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["acquire", "hold", "try_hold"]


@contextmanager
def hold(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on the file for the length of the block, waiting for it as long as needed.

    Each call opens the file anew, so threads exclude one another too. Not re-entrant.
    """
    handle = acquire(path, shared=shared)
    try:
        yield
    finally:
        os.close(handle)


def try_hold(path: Path) -> int:
    """An open handle that holds the lock alone, or -1 when somebody has it or the file is gone."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return -1
    if _stands(path, handle):
        return handle
    os.close(handle)
    return -1


def acquire(path: Path, *, shared: bool) -> int:
    """Wait for the lock; an open handle that holds it until it is closed.

    Tried again when the file was removed between opening and locking it.
    """
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        except BaseException:
            os.close(handle)
            raise
        if _stands(path, handle):
            return handle
        os.close(handle)


def _stands(path: Path, handle: int) -> bool:
    """Whether the path still names the file behind the handle; a lock on a removed file locks nobody out."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(handle))

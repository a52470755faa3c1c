"""The lock: exact inputs of every image, read, written and compared."""

from layerwright.lock.changes import Change, describe, diff
from layerwright.lock.model import (
    LOCK_VERSION,
    Deb,
    Lock,
    LockedBase,
    LockedCell,
    LockedFile,
    LockedSource,
    LockedWheel,
)
from layerwright.lock.read import read_lock
from layerwright.lock.write import write_lock

__all__ = [
    "LOCK_VERSION",
    "Change",
    "Deb",
    "Lock",
    "LockedBase",
    "LockedCell",
    "LockedFile",
    "LockedSource",
    "LockedWheel",
    "describe",
    "diff",
    "read_lock",
    "write_lock",
]

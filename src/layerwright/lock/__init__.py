"""The lock: exact inputs of every image, read, written and compared.

The names are imported when they are first used: a build with nothing to do only reads.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerwright.lock.changes import Change, describe, diff
    from layerwright.lock.freshness import inputs_stand, is_by_name, outdated_cells
    from layerwright.lock.model import (
        LOCK_VERSION,
        Deb,
        Lock,
        LockedBase,
        LockedCell,
        LockedComponent,
        LockedFile,
        LockedSource,
        LockedTree,
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
    "LockedComponent",
    "LockedFile",
    "LockedSource",
    "LockedTree",
    "LockedWheel",
    "describe",
    "diff",
    "inputs_stand",
    "is_by_name",
    "outdated_cells",
    "read_lock",
    "write_lock",
]

_HOMES = {
    "changes": ("Change", "describe", "diff"),
    "freshness": ("inputs_stand", "is_by_name", "outdated_cells"),
    "model": (
        "LOCK_VERSION",
        "Deb",
        "Lock",
        "LockedBase",
        "LockedCell",
        "LockedComponent",
        "LockedFile",
        "LockedSource",
        "LockedTree",
        "LockedWheel",
    ),
    "read": ("read_lock",),
    "write": ("write_lock",),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f"layerwright.lock.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""What may move although the spec is unchanged."""

from collections.abc import Mapping
from typing import Final

from layerwright.core.errors import UsageError
from layerwright.lock.model import LockedCell
from layerwright.spec.model import Spec
from layerwright.spec.requirement import normalize_name

__all__ = ["UPGRADE_ALL", "Upgrade", "check_upgrade", "moves"]

UPGRADE_ALL: Final = "all"
"""Upgrade everything: previous versions are no preference, bases and Debian packages are asked for again."""

Upgrade = frozenset[str] | str
"""``UPGRADE_ALL``, or names of Python packages, Debian packages or bases (as the spec writes them)."""


def check_upgrade(spec: Spec, locked: Mapping[str, LockedCell], upgrade: Upgrade) -> None:
    """See that all that is to move is there.

    Args:
        spec: the spec.
        locked: the cells of the lock so far, by name.
        upgrade: what is to move.

    Raises:
        UsageError: it names what is nowhere in the lock.
    """
    if isinstance(upgrade, str):
        if upgrade != UPGRADE_ALL:
            raise ValueError(f"upgrade is a set of names or {UPGRADE_ALL!r}, not {upgrade!r}")
        return
    known = {package.name for cell in locked.values() for package in cell.packages}
    known.update(tree.name for cell in locked.values() for tree in cell.trees)
    known.update(deb.name for cell in locked.values() for deb in (*cell.apt, *cell.base.debs))
    known.update(str(cell.base) for cell in spec.cells.values())
    unknown = sorted(name for name in upgrade if name not in known and normalize_name(name) not in known)
    if unknown:
        import difflib  # noqa: PLC0415  # start-up

        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else "name a package of the lock, or give no name to upgrade all"
        )
        raise UsageError(f"nothing in the lock is called {unknown[0]!r}", hint=hint)


def moves(upgrade: Upgrade, name: str) -> bool:
    """Whether the caller wants this package, source tree or base to move."""
    if isinstance(upgrade, str):
        return True
    return name in upgrade or normalize_name(name) in {normalize_name(given) for given in upgrade}

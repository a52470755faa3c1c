"""Words that several checks use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerwright.verify.inspection import Inspection

__all__ = ["listed", "plural", "short", "whence"]

_SHOWN = 4


def listed(names: Sequence[str]) -> str:
    """Names for a sentence: ``a, b and 3 more``."""
    if len(names) <= _SHOWN:
        return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
    return f"{', '.join(names[: _SHOWN - 1])} and {len(names) - _SHOWN + 1} more"


def plural(count: int, one: str) -> str:
    """A number with its noun: ``1 file``, ``3 files``."""
    return f"{count:,} {one if count == 1 else one + 's'}"


def short(path: str) -> str:
    """A file for a sentence: its path from the site folder on, or the whole path."""
    for mark in ("/site-packages/", "/dist-packages/"):
        _, found, rest = path.partition(mark)
        if found:
            return rest
    return path


def whence(image: "Inspection", path: str) -> str:
    """What brought a file, as the source of a fact read from it: its distribution, else its layer."""
    dist = image.owner(path)
    return dist.label if dist is not None else image.layer_title(image.layer_of(path))

"""Checks of a finished image, whoever built it: image → findings, in one pass over its layers.

The names are brought when they are first asked for: every build needs ``verify.secrets``, and none of the checks.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerwright.verify.checks import judge, kinds
    from layerwright.verify.contents import Contents, read_contents
    from layerwright.verify.inspection import Inspection

__all__ = ["Contents", "Inspection", "judge", "kinds", "read_contents"]

_HOMES = {
    "Contents": "contents",
    "Inspection": "inspection",
    "judge": "checks",
    "kinds": "checks",
    "read_contents": "contents",
}


def __getattr__(name: str) -> object:
    """A public name, from the module where it stands."""
    if name in _HOMES:
        return getattr(import_module(f"layerwright.verify.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

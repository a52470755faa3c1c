"""What some Debian packages of libraries draw in, so that a repair names no more packages than it must.

Source: the Depends of Debian 12 and Ubuntu 22.04 (``apt-cache depends --recurse``); only packages of libraries that
wheels are known to look for. The lock has the whole truth: it asks apt.
"""

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["with_dependencies", "without_implied"]

_DRAWS_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "libgl1": ("libglvnd0", "libglx0"),
    "libglx0": ("libglvnd0", "libglx-mesa0", "libx11-6"),
    "libglx-mesa0": ("libdrm2", "libexpat1", "libx11-6", "libx11-xcb1", "libxcb1", "libxext6", "libxfixes3"),
    "libegl1": ("libglvnd0", "libgbm1"),
    "libopengl0": ("libglvnd0",),
    "libx11-6": ("libxcb1",),
    "libx11-xcb1": ("libx11-6",),
    "libxcb1": ("libxau6", "libxdmcp6"),
    "libxext6": ("libx11-6",),
    "libxrender1": ("libx11-6",),
    "libxi6": ("libx11-6", "libxext6"),
    "libsm6": ("libice6", "libuuid1"),
    "libglib2.0-0": ("libffi8", "zlib1g"),
    "libfontconfig1": ("libexpat1", "libfreetype6"),
    "libfreetype6": ("libpng16-16", "zlib1g"),
    "libgtk-3-0": ("libcairo2", "libglib2.0-0", "libpango-1.0-0", "libx11-6"),
    "libcairo2": (
        "libfontconfig1",
        "libfreetype6",
        "libpng16-16",
        "libx11-6",
        "libxcb1",
        "libxext6",
        "libxrender1",
    ),
}


def without_implied(names: Iterable[str]) -> tuple[str, ...]:
    """The packages without those that another one of them draws in."""
    listed = tuple(dict.fromkeys(names))
    drawn = {one for name in listed for one in with_dependencies([name])[1:]}
    return tuple(name for name in listed if name not in drawn)


def with_dependencies(names: Iterable[str]) -> tuple[str, ...]:
    """The packages, and what they are known to draw in."""
    found = dict.fromkeys(names)
    todo = list(found)
    while todo:
        for name in _DRAWS_IN.get(todo.pop(), ()):
            if name not in found:
                found[name] = None
                todo.append(name)
    return tuple(found)

"""Comparing versions as the records write them."""

import re
from functools import lru_cache

from packaging.version import Version

__all__ = ["at_least", "dotted", "first_parts", "local_of", "public_of", "same_release"]

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
_LONGEST = 80
"""What is longer is no version: Python would refuse to read so many digits."""


def dotted(text: str) -> tuple[int, ...]:
    """Numbers of a dotted version, trailing zeros dropped: ``12.4.0`` is (12, 4). Empty when it does not start so."""
    match = _NUMBERS.match(text)
    numbers = [int(part) for part in match[0].split(".")] if match and len(match[0]) <= _LONGEST else []
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def at_least(text: str, floor: str) -> bool:
    """Whether a dotted version (of a driver, a toolkit, a library) is not below another."""
    return dotted(text) >= dotted(floor)


def first_parts(text: str, count: int) -> str:
    """The first parts of a dotted version: 1 gives the major, 2 the minor release. Empty when there are not so many."""
    match = _NUMBERS.match(text)
    parts = match[0].split(".") if match else []
    return ".".join(parts[:count]) if len(parts) >= count else ""


def public_of(version: str) -> str:
    """A PEP 440 version without its local part."""
    return version.partition("+")[0]


def local_of(version: str) -> str:
    """The local part of a PEP 440 version: ``cu118``."""
    return version.partition("+")[2].lower()


@lru_cache(maxsize=8192)  # a look into the records compares one version with those of all of them
def same_release(left: str, right: str) -> bool:
    """Whether two PEP 440 versions are one release: ``2.4`` and ``2.4.0`` are; local parts do not matter."""
    left, right = public_of(left), public_of(right)
    if left == right:
        return True
    try:
        return Version(left) == Version(right)
    except ValueError:  # InvalidVersion, or more digits than Python reads
        return False

"""What a wheel's metadata asks of another package."""

import re
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from layerwright.facts.model import Package

__all__ = ["admits", "release_of", "required"]

_LINE: Final = re.compile(
    r"\s*(?P<name>[A-Za-z0-9._-]+)\s*(\[[^\]]*\])?\s*\(?(?P<specifier>[^;()]*)\)?\s*(?P<marker>;.*)?"
)


def required(package: Package, name: str) -> str:
    """The specifier with which a package asks for another, ``==2.4.1``; empty when it does not, or not always.

    Requirements of extras do not count.
    """
    for line in package.facts.requires if package.facts else ():
        match = _LINE.fullmatch(line)
        if (
            match
            and re.sub(r"[-_.]+", "-", match["name"]).lower() == name
            and "extra" not in (match["marker"] or "")
        ):
            return match["specifier"].strip()
    return ""


def admits(specifier: str, version: str) -> bool | None:
    """Whether a specifier takes a version, local parts and pre-releases included; None when one is not PEP 440."""
    try:
        return SpecifierSet(specifier).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return None


def release_of(version: str) -> tuple[int, ...]:
    """The release numbers of a version; empty when it is not PEP 440."""
    try:
        return Version(version).release
    except InvalidVersion:
        return ()

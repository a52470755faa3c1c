"""What a rule proposes, read back as changes: a fix's edit is a line of TOML."""

import re
from collections.abc import Iterator
from typing import Final

import tomli
from packaging.utils import canonicalize_name

from layerwright.conflicts.changes import (
    AddApt,
    Change,
    Drop,
    Require,
    SetBase,
    SetDriver,
    SetEnv,
    SetGpuArch,
    SetPython,
    SetRole,
    SetTag,
    Swap,
)
from layerwright.conflicts.releases import parsed
from layerwright.core.findings import Fix
from layerwright.core.source import Location
from layerwright.facts.model import Subject
from layerwright.facts.source_trees import version_of_tag

__all__ = ["changes_of"]

_MORE: Final = re.compile(r"\[\s*\.\.\.\s*,?")
_DRIVER: Final = re.compile(r"update the driver to (?P<version>\d+(?:\.\d+)*)")


def changes_of(fix: Fix, subject: Subject) -> tuple[Change, ...]:
    """The changes that a fix means; empty when it is advice in words, or means what is not understood here."""
    if fix.edit:
        return _of_edit(fix, subject)
    driver = _DRIVER.match(fix.text)
    if driver:
        return (SetDriver(driver["version"]),)
    if fix.replaces is not None and not fix.command:
        names = [
            one.name for one in subject.packages.values() if one.location == fix.replaces and one.requested
        ]
        return tuple(Drop(name) for name in names)
    return ()


def _of_edit(fix: Fix, subject: Subject) -> tuple[Change, ...]:
    place = fix.replaces
    if place is not None:
        value = _value_at(place, fix.edit)
        if not value:
            return ()
        if place == subject.base_location:
            return (SetBase(value),)
        for package in subject.packages.values():
            if package.location == place and package.requested and _names(place, package.name):
                return (_asked(package.name, value),)
        trees = [one for one in subject.source_trees.values() if one.location == place]
        version = version_of_tag(value)
        return tuple(SetTag(tree.name, version) for tree in trees if version)
    try:
        keys = tomli.loads(_MORE.sub("[", fix.edit))
    except tomli.TOMLDecodeError:
        return ()
    found = [change for key, value in keys.items() for change in _of_key(key, value)]
    return tuple(found)


def _of_key(key: str, value: object) -> Iterator[Change]:  # noqa: C901 - one case for each key
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        if key == "apt":
            yield AddApt(tuple(value))
        elif key == "packages":
            for one in value:
                yield Require(one)
    elif isinstance(value, str):
        if key == "from":
            yield SetBase(value)
        elif key == "role":
            yield SetRole(value)
        elif key == "python":
            yield SetPython(value)
        elif key == "gpu_arch":
            yield SetGpuArch(value)
    elif key == "env" and isinstance(value, dict):
        for name, text in value.items():
            if isinstance(text, str):
                yield SetEnv(name, text)


def _asked(name: str, requirement: str) -> Change:
    wanted = parsed(requirement)
    if wanted is None or canonicalize_name(wanted.name) == name:
        return Require(requirement)
    return Swap(name, requirement)


def _names(place: Location, name: str) -> bool:
    """Whether the value at the place asks for the package: a place may also be that of what draws it in."""
    wanted = parsed(place.marked.strip("\"'"))
    return wanted is not None and canonicalize_name(wanted.name) == name


def _value_at(place: Location, edit: str) -> str:
    """The quoted value that stands in the edited line where the place's own stood."""
    before = place.text[: place.column - 1].lstrip()
    if not edit.startswith(before):
        return ""
    rest = edit[len(before) :]
    if rest[:1] not in ("'", '"'):
        return ""
    end = rest.find(rest[0], 1)
    return rest[1:end] if end > 0 else ""

"""Changes in words, as lines of the spec, and by how much they change."""

from collections.abc import Sequence
from typing import Final, assert_never

from packaging.utils import canonicalize_name
from packaging.version import Version

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
from layerwright.conflicts.releases import parsed, version_of
from layerwright.core.findings import Fix
from layerwright.core.source import Location
from layerwright.facts.bases import base_facts
from layerwright.facts.compat.versions import dotted
from layerwright.facts.model import Subject

__all__ = ["as_fix", "cost", "with_value"]

_APT: Final = 2
_VARIANT: Final = 5
_PATCH: Final = 8
_MINOR: Final = 12
_DROP: Final = 14
_MAJOR: Final = 16
_BASE: Final = 20
_ROLE: Final = 24
_PYTHON: Final = 26
_DRIVER: Final = 100


def cost(change: Change, subject: Subject) -> int:
    """How much a change changes: Debian packages and variants least, then releases, the base, Python, the driver."""
    match change:
        case AddApt() | SetEnv():
            return _APT
        case Swap():
            return _VARIANT
        case Require():
            return _cost_of_release(change, subject)
        case Drop():
            return _DROP
        case SetBase():
            return _BASE + _cost_of_base(change, subject)
        case SetRole():
            return _ROLE
        case SetPython() | SetGpuArch():
            return _PYTHON
        case SetDriver():
            return _DRIVER
        case SetTag():
            tree = subject.source_trees.get(change.name)
            return _apart(version_of(change.version), version_of(tree.version) if tree else None)
        case _:
            assert_never(change)


def _cost_of_release(change: Require, subject: Subject) -> int:
    wanted = parsed(change.requirement)
    old = subject.packages.get(str(canonicalize_name(wanted.name))) if wanted else None
    if wanted is None or old is None:
        return _VARIANT
    if wanted.specifier.contains(old.version, prereleases=True):
        return _VARIANT  # the same release with an extra
    pin = next((version_of(one.version) for one in wanted.specifier if one.operator == "=="), None)
    return _apart(pin, version_of(old.version))


def _apart(new: Version | None, old: Version | None) -> int:
    if new is None or old is None or new.major != old.major:
        return _MAJOR
    return _PATCH if new.minor == old.minor else _MINOR


def _cost_of_base(change: SetBase, subject: Subject) -> int:
    """0 for the same CUDA major, 1 for another one, 2 for another system."""
    new = base_facts("registry", change.reference)
    if new.os != subject.base.os or new.family != subject.base.family:
        return 2
    return int(dotted(new.cuda)[:1] != dotted(subject.base.cuda)[:1])


def as_fix(changes: Sequence[Change], subject: Subject, *, text: str = "", command: str = "") -> Fix:
    """A repair that was tried.

    Args:
        changes: all of them together mend it.
        subject: before.
        text: in the words of the rule that proposed it; in ours when empty.
        command: what to type, where the rule names something.
    """
    said = text or "; ".join(_words(change, subject) for change in changes)
    lines, replaces = _lines(changes, subject)
    return Fix(
        text=said,
        edit="\n".join(lines),
        command=command,
        cost=sum(cost(change, subject) for change in changes),
        verified=True,
        replaces=replaces,
    )


def _words(change: Change, subject: Subject) -> str:  # noqa: C901 - one arm for each kind of change
    match change:
        case AddApt():
            return f"install {_list(change.names)}"
        case SetEnv():
            return f"set {change.name} to {change.value}"
        case Swap():
            return f"take {change.requirement.replace('==', ' ')} instead of {change.old}"
        case Require():
            return f"take {change.requirement.replace('==', ' ')}{_instead(change, subject)}"
        case Drop():
            return f"leave out {change.name}"
        case SetBase():
            return f"start from {change.reference}{_holds(change)}"
        case SetRole():
            return f'make it an image for {change.role} (role = "{change.role}")'
        case SetPython():
            return f"use Python {change.version}"
        case SetDriver():
            return f"update the driver to {change.version} or later"
        case SetTag():
            return f"take the sources of {change.name} {change.version}"
        case SetGpuArch():
            return f"build it for {change.arch}"
        case _:
            assert_never(change)


def _instead(change: Require, subject: Subject) -> str:
    wanted = parsed(change.requirement)
    old = subject.packages.get(str(canonicalize_name(wanted.name))) if wanted else None
    if wanted is None or old is None or wanted.specifier.contains(old.version, prereleases=True):
        return ""
    return f" instead of {old.version}"


def _holds(change: SetBase) -> str:
    facts = base_facts("registry", change.reference)
    parts = [f"CUDA {facts.cuda}"] if facts.cuda not in {"", "none"} else []
    if facts.cudnn not in {"", "none"}:
        parts.append(f"cuDNN {facts.cudnn}")
    if facts.torch:
        parts.append(f"torch {facts.torch}")
    return f", which has {_list(parts)}" if parts else ""


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _lines(changes: Sequence[Change], subject: Subject) -> tuple[list[str], Location | None]:
    """Lines of the spec as they should be, and the line that the first of them replaces."""
    mended: dict[tuple[str, int], tuple[Location, list[tuple[int, str, str]]]] = {}
    added: list[str] = []
    for change in changes:
        place, value = _target(change, subject)
        if place is not None and place.marked[:1] in ("'", '"') and value is not None:
            _, found = mended.setdefault((place.file, place.line), (place, []))
            found.append((place.column - 1, place.marked, value))
            continue
        line = _new_line(change)
        if line:
            added.append(line)
    lines: list[str] = []
    for place, values in mended.values():
        text = place.text
        for start, old, new in sorted(values, reverse=True):
            text = _replaced(text, start, old, new)
        if text.strip():
            lines.append(text.strip())
    first = next((place for place, _ in mended.values()), None)
    return lines + added, first


def with_value(place: Location, value: str) -> str:
    """The line of a place with another text there; empty when no quoted text is known to stand there."""
    if place.marked[:1] not in ("'", '"'):
        return ""
    return _replaced(place.text, place.column - 1, place.marked, value).strip()


def _replaced(text: str, start: int, old: str, new: str) -> str:
    """The line with one value changed; an empty value leaves the list, with its comma."""
    after = text[start + len(old) :]
    if new:
        return f'{text[:start]}"{new}"{after}'
    before = text[:start]
    if after.lstrip().startswith(","):
        return before + after.lstrip()[1:].lstrip()
    return before.rstrip().removesuffix(",") + after


def _target(change: Change, subject: Subject) -> tuple[Location | None, str | None]:
    """The value of the spec that a change replaces, and by what; an empty text takes it out of its list."""
    match change:
        case SetBase():
            return subject.base_location, change.reference
        case Swap():
            return _asked(subject, change.old), change.requirement
        case Drop():
            return _asked(subject, change.name), ""
        case Require():
            wanted = parsed(change.requirement)
            name = str(canonicalize_name(wanted.name)) if wanted else ""
            return _asked(subject, name), change.requirement
        case SetTag():
            tree = subject.source_trees.get(change.name)
            return (tree.location if tree else None), f"v{change.version}"
        case _:
            return None, None


def _asked(subject: Subject, name: str) -> Location | None:
    """Where the spec asks for a package itself."""
    package = subject.packages.get(name)
    if package is None or package.location is None or not package.requested:
        return None
    wanted = parsed(package.location.marked.strip("\"'"))
    return package.location if wanted and canonicalize_name(wanted.name) == name else None


def _new_line(change: Change) -> str:
    """A change as a line of its own."""
    match change:
        case AddApt():
            return f"apt = [..., {', '.join(_quoted(name) for name in change.names)}]"
        case Require() | Swap():
            return f"packages = [..., {_quoted(change.requirement)}]"
        case SetBase():
            return f"from = {_quoted(change.reference)}"
        case SetRole():
            return f"role = {_quoted(change.role)}"
        case SetPython():
            return f"python = {_quoted(change.version)}"
        case SetEnv():
            return f"env = {{ {change.name} = {_quoted(change.value)} }}"
        case SetGpuArch():
            return f"gpu_arch = {_quoted(change.arch)}"
        case SetTag():
            return f"rev = {_quoted(f'v{change.version}')}"
        case Drop() | SetDriver():
            return ""
        case _:
            assert_never(change)


def _quoted(text: str) -> str:
    return f'"{text}"'

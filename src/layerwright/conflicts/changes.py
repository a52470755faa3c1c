"""Changes of a spec, as they change what is known of an image.

What a change brings in was not read: of it there is what is recorded (``facts.compat``), and what is not recorded stays
unknown. So a change may be *impossible* to judge, and is then no repair.
"""

import re
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from layerwright.conflicts.debian import with_dependencies
from layerwright.conflicts.packages import drop_package, set_package
from layerwright.facts.bases import base_facts
from layerwright.facts.model import Subject, SystemPackage

__all__ = [
    "AddApt",
    "Change",
    "Drop",
    "Require",
    "SetBase",
    "SetDriver",
    "SetEnv",
    "SetGpuArch",
    "SetPython",
    "SetRole",
    "SetTag",
    "Swap",
    "apply",
]


_PYTHON: Final = re.compile(r"python[0-9.]+")


class AddApt(Struct, frozen=True):
    """Install Debian packages."""

    names: tuple[str, ...]


class Require(Struct, frozen=True):
    """Ask for a package with this requirement (PEP 508), whether it was asked for before or not."""

    requirement: str


class Swap(Struct, frozen=True):
    """Ask for another package in the place of one."""

    old: str
    requirement: str


class Drop(Struct, frozen=True):
    """Do not ask for a package; it goes with all that only it needs, unless something else needs it."""

    name: str


class SetBase(Struct, frozen=True):
    """Start from another image."""

    reference: str


class SetRole(Struct, frozen=True):
    """Make the image for something else."""

    role: str


class SetPython(Struct, frozen=True):
    """Take another Python."""

    version: str


class SetEnv(Struct, frozen=True):
    """Set a variable."""

    name: str
    value: str


class SetDriver(Struct, frozen=True):
    """Update the NVIDIA driver of the machine."""

    version: str


class SetTag(Struct, frozen=True):
    """Take the source tree of a package at the tag of another version."""

    name: str
    version: str


class SetGpuArch(Struct, frozen=True):
    """Make the image for another architecture of Moore Threads' GPUs."""

    arch: str


Change = (
    AddApt | Require | Swap | Drop | SetBase | SetRole | SetPython | SetEnv | SetDriver | SetTag | SetGpuArch
)


def apply(change: Change, subject: Subject) -> Subject | None:  # noqa: C901 - one arm for each kind of change
    """The subject after the change; None when nobody can say what it would be."""
    match change:
        case AddApt() if any(map(_PYTHON.fullmatch, change.names)):
            return None  # which Pythons a distribution has beside its own is not recorded
        case AddApt():
            added = {
                name: SystemPackage(name=name, version="", location=subject.location)
                for name in with_dependencies(change.names)
            }
            return replace(subject, system={**added, **subject.system})
        case Require():
            return set_package(subject, change.requirement)
        case Swap():
            without = drop_package(subject, change.old)
            if without is None or change.old in without.packages:
                return None
            return set_package(without, change.requirement, at=subject.packages[change.old].location)
        case Drop():
            without = drop_package(subject, change.name)
            return None if without is None or change.name in without.packages else without
        case SetBase():
            return _set_base(subject, change.reference)
        case SetRole():
            return replace(subject, role=change.role)
        case SetPython():
            return _set_python(subject, change.version)
        case SetEnv():
            return replace(subject, env={**subject.env, change.name: change.value})
        case SetDriver():
            if subject.host is None:
                return None
            # which CUDA the new driver states is not known
            return replace(subject, host=replace(subject.host, driver_version=change.version, driver_cuda=""))
        case SetTag():
            tree = subject.source_trees.get(change.name)
            if tree is None:
                return None
            changed = {**subject.source_trees, change.name: replace(tree, version=change.version)}
            return replace(subject, source_trees=changed)
        case SetGpuArch():
            return replace(subject, gpu_arch=change.arch)
        case _:
            assert_never(change)


def _set_base(subject: Subject, reference: str) -> Subject | None:
    kind, _, rest = reference.partition(":")
    base = base_facts("debian", rest) if kind == "debian" else base_facts("registry", reference)
    if not base.known:
        return None
    added = {name: package for name, package in subject.system.items() if package.location}
    return replace(subject, base=base, system=added, system_known=False)


def _set_python(subject: Subject, python: str) -> Subject | None:
    """Every wheel that is for one Python is another wheel then; known only where the release is recorded."""
    packages = {}
    for name, package in subject.packages.items():
        facts = package.facts
        if facts is not None and facts.file.endswith(("-none-any.whl", "-abi3-any.whl")):
            packages[name] = package
            continue
        changed = set_package(replace(subject, python=python), f"{name}=={package.version}")
        if changed is None or name not in changed.packages:
            return None
        packages[name] = changed.packages[name]
    return replace(subject, python=python, packages=packages)

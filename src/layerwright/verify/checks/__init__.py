"""Checks of a finished image, one a module: each has ``KINDS`` and ``check`` (an inspection → its findings)."""

from collections.abc import Iterator
from typing import Protocol

from layerwright.core.findings import Finding, Kind
from layerwright.verify.checks import (
    cuda_majors,
    declared,
    health,
    integrity,
    libraries,
    loader,
    musa,
    pairs,
    permissions,
    providers,
    replaced,
    requirements,
    roles,
    secrets,
    smoke,
    versions,
)
from layerwright.verify.inspection import Inspection

__all__ = ["CHECKS", "Check", "judge", "kinds"]


class Check(Protocol):
    """What a module of this room offers."""

    @property
    def KINDS(self) -> tuple[Kind, ...]:  # noqa: N802 - modules offer it, and it is a constant there
        """What it may find."""
        ...

    def check(self, image: Inspection, /) -> Iterator[Finding]:
        """Judge one image."""
        ...


CHECKS: tuple[Check, ...] = (
    loader,
    libraries,
    versions,
    providers,
    cuda_majors,
    pairs,
    requirements,
    integrity,
    replaced,
    declared,
    musa,
    health,
    roles,
    permissions,
    secrets,
    smoke,
)
"""All checks, in the order of reports."""


def judge(image: Inspection) -> tuple[Finding, ...]:
    """Everything that the checks find."""
    # Environments may share a folder (PYTHONPATH): what is wrong in it is told once.
    return tuple(dict.fromkeys(found for one in CHECKS for found in one.check(image)))


def kinds() -> tuple[Kind, ...]:
    """Every kind of finding that the checks know, those that they share with the rules of a spec among them."""
    return tuple(dict.fromkeys(kind for one in CHECKS for kind in one.KINDS))

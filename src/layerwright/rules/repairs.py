"""Repairs that several rules offer: edits of the spec, as the line that would stand there."""

from collections.abc import Iterable, Sequence

from layerwright.core.findings import Fix
from layerwright.core.source import Location
from layerwright.facts.model import Package
from layerwright.rules.case import Case

__all__ = ["add_packages", "apt_fix", "base_with", "key_fix", "packages_fix", "remove_fix", "role_fix"]


def packages_fix(package: Package, requirement: str, text: str, *, cost: int) -> Fix:
    """Ask for a package in another way: in its own entry when the spec names it, else in a new one."""
    place = package.location
    if package.requested and place is not None:
        line = _with_value(place, f'"{requirement}"')
        if line:
            return Fix(text=text, edit=line, cost=cost, replaces=place)
    return Fix(text=text, edit=f'packages = [..., "{requirement}"]', cost=cost)


def add_packages(requirements: Iterable[str], text: str, *, cost: int) -> Fix:
    """Ask for further packages."""
    return Fix(text=text, edit=f"packages = [..., {_quoted(requirements)}]", cost=cost)


def remove_fix(package: Package, text: str, *, cost: int) -> Fix:
    """Take out a package that the spec names; for others, what needs it must go."""
    return Fix(text=text, cost=cost, replaces=package.location if package.requested else None)


def apt_fix(names: Sequence[str], text: str, *, cost: int = 2) -> Fix:
    """Install Debian packages too."""
    return Fix(text=text, edit=f"apt = [..., {_quoted(names)}]", cost=cost)


def role_fix(case: Case, role: str, text: str, *, cost: int) -> Fix:
    """Say that the image is for something else."""
    return key_fix(case, "role", role, text, cost=cost)


def key_fix(case: Case, key: str, value: str, text: str, *, cost: int) -> Fix:
    """Set a key of the image."""
    del case  # the image's own table is where the finding points
    return Fix(text=text, edit=f'{key} = "{value}"', cost=cost)


def from_fix(case: Case, reference: str, text: str, *, cost: int) -> Fix:
    """Start from another base."""
    place = case.subject.base_location
    line = _with_value(place, f'"{reference}"')
    if line:
        return Fix(text=text, edit=line, cost=cost, replaces=place)
    return Fix(text=text, edit=f'from = "{reference}"', cost=cost)


def base_with(case: Case, *, cuda: str, cudnn: str = "") -> list[Fix]:
    """A base of NVIDIA's with this CUDA major and cuDNN major; none when none is recorded."""
    del case, cuda, cudnn
    return []


def _with_value(place: Location, value: str) -> str:
    """The line with another value at the place's column; empty when the place is not known so exactly."""
    start = place.column - 1
    if start < 0 or start >= len(place.text) or place.text[start] not in "\"'":
        return ""
    end = place.text.find(place.text[start], start + 1)
    return f"{place.text[:start]}{value}{place.text[end + 1 :]}".strip() if end > 0 else ""


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)

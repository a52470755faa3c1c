"""Repairs that several rules offer: edits of the spec, as the line that would stand there."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from layerwright.core.findings import Fix
from layerwright.core.source import Location
from layerwright.facts.model import Package
from layerwright.rules.case import Case

__all__ = [
    "add_packages",
    "apt_fix",
    "base_with",
    "from_fix",
    "key_fix",
    "packages_fix",
    "remove_fix",
    "role_fix",
    "version_fix",
]


def packages_fix(package: Package, requirement: str, text: str, *, cost: int) -> Fix:
    """Ask for a package in another way: in its own entry when the spec names it, else in a new one."""
    place = package.location
    if package.requested and place is not None:
        line = _with_value(place, f'"{_with_extras(requirement, place)}"')
        if line:
            return Fix(text=text, edit=line, cost=cost, replaces=place)
    return Fix(text=text, edit=f'packages = [..., "{requirement}"]', cost=cost)


def version_fix(case: Case, package: Package, version: str, *, cost: int, why: str = "") -> Fix:
    """Take another version: by the requirement of a wheel, or by the tag of a source tree."""
    text = f"take {package.name} {version}{why}"
    if package not in case.subject.source_trees.values():
        return packages_fix(package, f"{package.name}=={version}", text, cost=cost)
    place = package.location
    line = _with_value(place, f'"v{version}"') if place is not None else ""
    return Fix(text=text, edit=line or f'rev = "v{version}"', cost=cost, replaces=place if line else None)


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
    """The newest ``nvidia/cuda`` base with this CUDA major and cuDNN major, on the system that the image has now."""
    from layerwright.facts.compat import cuda_images  # noqa: PLC0415 - only when there is something to mend
    from layerwright.facts.compat.records import load  # noqa: PLC0415 - as above
    from layerwright.facts.compat.versions import dotted, first_parts  # noqa: PLC0415 - as above

    system = _SYSTEMS.get(case.subject.base.os, case.subject.base.os) or "ubuntu22.04"
    found = []
    for record in load(cuda_images.CudaImagesFile).image:
        image = cuda_images.image(record.cuda)
        if image is None or first_parts(image.cuda, 1) != cuda or image.supported is False:
            continue
        token = f"-{image.cudnn_token}" if cudnn else ""
        carried = {first_parts(version, 1) for version in image.cudnn}
        if system in (image.cudnn_os if cudnn else image.os) and (not cudnn or cudnn in carried):
            found.append((dotted(image.cuda), f"{image.cuda}{token}-runtime-{system}"))
    if not found:
        return []
    tag = max(found)[1]
    what = f"CUDA {cuda} and cuDNN {cudnn}" if cudnn else f"CUDA {cuda}"
    return [from_fix(case, f"{_repository(case)}:{tag}", f"start from a base that has {what}", cost=20)]


_ASKED: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?P<extras>\[[^\]]*\])?")

_SYSTEMS: Final = {"debian11": "ubuntu20.04", "debian12": "ubuntu22.04", "debian13": "ubuntu24.04"}
"""The Ubuntu with about the same glibc, for images that start from Debian."""


def _repository(case: Case) -> str:
    """Where the base comes from now, when that is one of NVIDIA's repositories of CUDA images."""
    name = case.subject.base.reference.partition("@")[0]
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return repository if repository.endswith("nvidia/cuda") else "nvcr.io/nvidia/cuda"


def _with_extras(requirement: str, place: Location) -> str:
    """The requirement with the extras that the spec asks for now."""
    now, wanted = _ASKED.match(place.marked.strip("\"'")), _ASKED.match(requirement)
    if now and wanted and now["name"] == wanted["name"] and now["extras"] and not wanted["extras"]:
        return f"{wanted['name']}{now['extras']}{requirement[wanted.end() :]}"
    return requirement


def _with_value(place: Location, value: str) -> str:
    """The line with another value at the place's column; empty when the place is not known so exactly."""
    start = place.column - 1
    if start < 0 or start >= len(place.text) or place.text[start] not in "\"'":
        return ""
    end = place.text.find(place.text[start], start + 1)
    return f"{place.text[:start]}{value}{place.text[end + 1 :]}".strip() if end > 0 else ""


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)

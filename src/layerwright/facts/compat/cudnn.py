"""Releases of cuDNN: for which CUDA, and which libraries."""

from typing import ClassVar

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.evidence import Claim
from layerwright.facts.compat.records import Record, RecordFile, Rule, load
from layerwright.facts.compat.versions import dotted, first_parts

__all__ = [
    "Cudnn",
    "CudnnFile",
    "Support",
    "cuda_majors",
    "part",
    "release",
    "releases",
    "rule",
    "sonames",
    "support",
]


class Release(Record, frozen=True, kw_only=True):
    """A release as wheels on PyPI, one per CUDA major."""

    version: str
    cuda_majors: tuple[str, ...]
    size_mb: dict[str, int]
    requires: tuple[str, ...] = ()
    soname: str = ""
    yanked: bool = False


class LibrarySet(Record, frozen=True, kw_only=True):
    """Libraries that several releases have in common."""

    versions: tuple[str, ...]
    sonames: tuple[str, ...]


class SupportRow(Record, frozen=True, kw_only=True):
    """A row of NVIDIA's support matrix; ``cuda`` may be a range, ``compute_capability`` a sentence."""

    cudnn: str
    cuda: str
    driver_linux_min: str
    compute_capability: tuple[str, ...] | str


class CudnnFile(RecordFile, frozen=True, kw_only=True):
    """``cudnn.toml``."""

    FILE: ClassVar[str] = "cudnn.toml"

    release: tuple[Release, ...]
    library_set: tuple[LibrarySet, ...]
    support: tuple[SupportRow, ...]
    rule: tuple[Rule, ...]


class Cudnn(Struct, frozen=True, kw_only=True):
    """A release of cuDNN.

    Attributes:
        version: ``9.1.0.70``.
        cuda_majors: with a wheel on PyPI.
        soname: ``libcudnn.so.9``; empty when not known.
        sonames: of all its libraries; empty when not known.
    """

    version: str
    cuda_majors: tuple[str, ...]
    soname: str
    sonames: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class Support(Struct, frozen=True, kw_only=True):
    """What NVIDIA's support matrix says of a cuDNN with a CUDA.

    Attributes:
        driver: least Linux driver.
        capabilities: compute capabilities it names; a last one of ``3.5+`` stands for "and later".
    """

    driver: str
    capabilities: tuple[str, ...]
    evidence: Evidence


def releases(cuda_major: str = "") -> tuple[str, ...]:
    """Recorded versions, oldest first; those with a wheel for a CUDA major when one is named."""
    return tuple(
        record.version
        for record in load(CudnnFile).release
        if not cuda_major or cuda_major in record.cuda_majors
    )


def release(version: str) -> Cudnn | None:
    """A release by its full version, or the newest of a shorter one (``9.1.0``); None when it is not recorded."""
    records = load(CudnnFile).release
    found = [record for record in records if record.version == version]
    # a post-release repacks the same libraries; it is meant only when it is named
    found = found or [one for one in records if _covers(version, one.version) and ".post" not in one.version]
    if not found:
        return None
    record = found[-1]
    wheels = " and ".join(record.cuda_majors)
    named = f" and is {record.soname}" if record.soname else ""
    return Cudnn(
        version=record.version,
        cuda_majors=record.cuda_majors,
        soname=record.soname,
        sonames=_set_of(record.version),
        evidence=(record.evidence(f"cuDNN {record.version} has wheels for CUDA {wheels}{named}"),),
    )


def sonames(version: str) -> tuple[str, ...]:
    """Sonames of a release's libraries; of a major alone those that all its releases have. Empty when not known."""
    if "." in version:
        found = release(version)
        return found.sonames if found else ()
    sets = [
        set(record.sonames)
        for record in load(CudnnFile).library_set
        if any(first_parts(one, 1) == version for one in record.versions)
    ]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


def cuda_majors(cudnn_major: str) -> tuple[str, ...]:
    """CUDA majors for which releases of a cuDNN major have wheels."""
    found = {
        major
        for record in load(CudnnFile).release
        if first_parts(record.version, 1) == cudnn_major
        for major in record.cuda_majors
    }
    return tuple(sorted(found, key=int))


def part(soname: str) -> Claim[str] | None:
    """The cuDNN major that a soname belongs to, ``9`` of ``libcudnn_ops.so.9``; None when it is none of cuDNN's."""
    for record in load(CudnnFile).library_set:
        if soname in record.sonames:
            major = first_parts(record.versions[0], 1)
            return Claim(value=major, evidence=record.evidence(f"{soname} is a library of cuDNN {major}"))
    return None


def support(cudnn: str, cuda: str) -> Support | None:
    """NVIDIA's row for a cuDNN release with a CUDA version; None when that matrix was not read."""
    for row in load(CudnnFile).support:
        if dotted(row.cudnn) == dotted(first_parts(cudnn, 3)) and _in_range(row.cuda, cuda):
            listed = row.compute_capability
            capabilities = (listed.removesuffix(" and later") + "+",) if isinstance(listed, str) else listed
            text = f"cuDNN {row.cudnn} with CUDA {row.cuda} needs driver {row.driver_linux_min} or later"
            return Support(
                driver=row.driver_linux_min, capabilities=capabilities, evidence=row.evidence(text)
            )
    return None


def rule(name: str) -> Evidence | None:
    """A rule that holds for all of it, as evidence: ``major``, ``sublibraries``, ``cuda-major``, …."""
    return next((record.evidence(record.text) for record in load(CudnnFile).rule if record.id == name), None)


def _set_of(version: str) -> tuple[str, ...]:
    for record in load(CudnnFile).library_set:
        if version in record.versions:
            return record.sonames
    return ()


def _covers(asked: str, recorded: str) -> bool:
    parts = asked.count(".") + 1
    return first_parts(recorded, parts) == asked


def _in_range(text: str, cuda: str) -> bool:
    first, _, last = text.partition("-")
    asked = dotted(first_parts(cuda, 2))
    return bool(asked) and dotted(first) <= asked <= dotted(last or first)

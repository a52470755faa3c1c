"""CUDA toolkits and the drivers that run them; CUDA's shared libraries by name."""

import re
from typing import ClassVar, Literal

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.records import Record, RecordFile, Rule, load
from layerwright.facts.compat.versions import at_least, dotted, first_parts

__all__ = [
    "CudaFile",
    "DriverSupport",
    "MinorFloor",
    "SonameMeaning",
    "Toolkit",
    "driver_support",
    "image_branches",
    "minor_floor",
    "soname",
    "sonames",
    "toolkit",
]

_COMPONENTS = ("cudart", "cublas", "cublasLt", "cufft", "curand", "cusparse", "cusolver", "nvrtc")
_FORWARD_SINCE = (10,)  # record "since" of the table forward_compat
# auditwheel puts eight hexadecimal digits of a hash into the name of a library that it copies into a wheel
_COPIED = re.compile(r"(?P<stem>lib.+)-[0-9a-f]{8}(?P<rest>\.so(?:\..+)?)")


class ToolkitRecord(Record, frozen=True, kw_only=True):
    """The driver that a toolkit shipped with."""

    cuda: str
    driver_linux: str
    driver_branch: int
    note: str = ""


class MinorCompat(Record, frozen=True, kw_only=True):
    """From which driver on every toolkit of a major runs; empty: there is no such thing for this major."""

    cuda_major: str
    driver_linux_min: str
    driver_branch_below: int = 0
    note: str = ""


class ImageAccepts(Record, frozen=True, kw_only=True):
    """What ``NVIDIA_REQUIRE_CUDA`` of an ``nvidia/cuda`` image accepts: this CUDA, or a data-centre driver branch."""

    cuda: str
    requires_cuda: str
    other_driver_branches: tuple[int, ...]


class Major(Record, frozen=True, kw_only=True):
    """The lowest compute capability of a CUDA major, and what it dropped."""

    cuda_major: str
    lowest_sm: str
    dropped: tuple[str, ...]


class Sm(Record, frozen=True, kw_only=True):
    """A compute capability."""

    sm: str
    family: str
    first_cuda: str = ""
    removed_in_cuda: str = ""
    boards: str


class GpuFloor(Record, frozen=True, kw_only=True):
    """The least torch and CUDA that hold code for a compute capability, as measured."""

    sm: str
    torch: str
    cuda: str


class Sonames(Record, frozen=True, kw_only=True):
    """Sonames of one CUDA major, by component."""

    cuda_major: str
    cudart: str
    cublas: str
    cublasLt: str = ""  # noqa: N815 - the component's name
    cufft: str = ""
    curand: str = ""
    cusparse: str = ""
    cusolver: str = ""
    nvrtc: str = ""


class CudaFile(RecordFile, frozen=True, kw_only=True):
    """``cuda_driver.toml``."""

    FILE: ClassVar[str] = "cuda_driver.toml"

    toolkit: tuple[ToolkitRecord, ...]
    minor_compat: tuple[MinorCompat, ...]
    forward_compat: tuple[Rule, ...]
    image_accepts: tuple[ImageAccepts, ...]
    major: tuple[Major, ...]
    sm: tuple[Sm, ...]
    rule: tuple[Rule, ...]
    gpu_floor: tuple[GpuFloor, ...]
    soname: tuple[Sonames, ...]


class Toolkit(Struct, frozen=True, kw_only=True):
    """A toolkit's own driver.

    Attributes:
        cuda: the toolkit's release; of a bare ``12.4`` the earliest, ``12.4.0``.
        driver: the Linux driver that it shipped with, ``550.54.14``.
        branch: the driver's branch, 550.
    """

    cuda: str
    driver: str
    branch: int
    evidence: Evidence


class MinorFloor(Struct, frozen=True, kw_only=True):
    """From which driver on all toolkits of a CUDA major run by minor version compatibility.

    Attributes:
        driver: ``525.60.13``; "none" where there is no minor version compatibility (before CUDA 11).
    """

    cuda_major: str
    driver: str
    evidence: Evidence


class DriverSupport(Struct, frozen=True, kw_only=True):
    """How a driver runs programs of a toolkit.

    Attributes:
        verdict: ``full``: the driver is not older than the toolkit's own. ``minor``: older, and of the same CUDA major,
            so programs run except for PTX made by the newer toolkit and functions that need the newer driver.
            ``forward``: too old for that, and only the toolkit's ``cuda-compat`` package on a data-centre GPU can help.
            ``no``: too old, before forward compatibility. ``unknown``: not recorded.
        needed: the least driver for ``minor``, else the toolkit's own; empty when neither is known.
        full: the toolkit's own driver; empty when not known.
        evidence: the records that say so.
    """

    verdict: Literal["full", "minor", "forward", "no", "unknown"]
    needed: str = ""
    full: str = ""
    evidence: tuple[Evidence, ...] = ()


class SonameMeaning(Struct, frozen=True, kw_only=True):
    """What a soname stands for.

    Attributes:
        component: ``cudart``, ``cublas``, ``cudnn``, ``nccl``, …
        cuda_majors: CUDA majors that have it under this name. Several have ``libcurand.so.10``; empty where the name
            does not tell (``libcudnn.so.9``).
        version: the number in the soname that stands for the component's own major, ``9`` of cuDNN; else empty.
        copied: the name carries auditwheel's hash, so it is a copy inside a wheel.
    """

    component: str
    cuda_majors: tuple[str, ...] = ()
    version: str = ""
    copied: bool = False
    evidence: tuple[Evidence, ...] = ()


def toolkit(cuda: str) -> Toolkit | None:
    """The driver of a toolkit, ``12.4.1`` or ``12.4``; None when it is not recorded, or of a major alone."""
    found = [record for record in load(CudaFile).toolkit if _covers(cuda, record.cuda)]
    if not found:
        return None
    record = min(found, key=lambda one: dotted(one.driver_linux))
    return Toolkit(
        cuda=record.cuda,
        driver=record.driver_linux,
        branch=record.driver_branch,
        evidence=record.evidence(f"CUDA {record.cuda} ships with driver {record.driver_linux}"),
    )


def minor_floor(cuda: str) -> MinorFloor | None:
    """The least driver for a CUDA version or major; None when it is not recorded."""
    major = first_parts(cuda, 1)
    for record in load(CudaFile).minor_compat:
        if record.cuda_major == major:
            text = (
                f"every CUDA {major} toolkit runs on driver {record.driver_linux_min} and later"
                if record.driver_linux_min
                else f"CUDA {major}: {record.note}"
            )
            return MinorFloor(
                cuda_major=major, driver=record.driver_linux_min or "none", evidence=record.evidence(text)
            )
    return None


def driver_support(cuda: str, driver_version: str) -> DriverSupport:
    """How a driver runs programs of a toolkit, by NVIDIA's compatibility guide.

    What ``nvidia/cuda`` images accept in ``NVIDIA_REQUIRE_CUDA`` is a separate matter: see ``image_branches``.
    """
    exact, floor = toolkit(cuda), minor_floor(cuda)
    own = exact or _sufficient(cuda)
    evidence = tuple(one.evidence for one in (own, floor) if one)
    full = exact.driver if exact else ""
    if not dotted(driver_version):
        return DriverSupport(verdict="unknown", full=full, evidence=evidence)
    if own and at_least(driver_version, own.driver):
        return DriverSupport(verdict="full", needed=own.driver, full=full, evidence=evidence)
    if floor and floor.driver != "none":
        if at_least(driver_version, floor.driver):
            return DriverSupport(verdict="minor", needed=floor.driver, full=full, evidence=evidence)
        evidence = (*evidence, *_rules("hardware", "package"))
        return DriverSupport(verdict="forward", needed=floor.driver, full=full, evidence=evidence)
    if own is None:
        return DriverSupport(verdict="unknown", evidence=evidence)
    if dotted(cuda) >= _FORWARD_SINCE:
        evidence = (*evidence, *_rules("since", "hardware"))
        return DriverSupport(verdict="forward", needed=own.driver, full=full, evidence=evidence)
    return DriverSupport(verdict="no", needed=own.driver, full=full, evidence=(*evidence, *_rules("since")))


def image_branches(cuda: str) -> tuple[tuple[int, ...], Evidence] | None:
    """Older data-centre driver branches that an ``nvidia/cuda`` image of a toolkit accepts; None when not recorded.

    The container toolkit refuses to start such an image on other drivers that state a lower CUDA than its own minor
    release, whatever minor version compatibility says (environment variable ``NVIDIA_REQUIRE_CUDA``).
    """
    for record in load(CudaFile).image_accepts:
        if dotted(record.cuda) == dotted(cuda):
            branches = ", ".join(map(str, record.other_driver_branches))
            text = (
                f"nvidia/cuda images of {record.cuda} ask for a driver that states CUDA {record.requires_cuda} or "
                f"later, or a data-centre driver of branch {branches}"
            )
            return record.other_driver_branches, record.evidence(text)
    return None


def sonames(cuda: str) -> dict[str, str]:
    """Sonames of a CUDA version or major, by component; empty when they are not recorded."""
    for record in load(CudaFile).soname:
        if record.cuda_major == first_parts(cuda, 1):
            return {name: value for name in _COMPONENTS if (value := getattr(record, name))}
    return {}


def soname(name: str) -> SonameMeaning | None:
    """What a soname stands for; None when it is not one of CUDA's that are recorded."""
    from layerwright.facts.compat import cuda_wheels, cudnn  # noqa: PLC0415 - two more files, which few calls need

    if not name:
        return None  # components that a major lacks are empty in its record
    copied = _COPIED.fullmatch(name)
    plain = f"{copied['stem']}{copied['rest']}" if copied else name
    found: dict[str, list[Sonames]] = {}
    for record in load(CudaFile).soname:
        for component in _COMPONENTS:
            if getattr(record, component) == plain:
                found.setdefault(component, []).append(record)
    for component, records in found.items():
        majors = tuple(record.cuda_major for record in records)
        text = f"{plain} is {component} of CUDA {' and '.join(majors)}"
        return SonameMeaning(
            component=component,
            cuda_majors=majors,
            copied=bool(copied),
            evidence=(records[0].binary(text),),
        )
    part = cudnn.part(plain)
    if part is not None:
        return SonameMeaning(
            component="cudnn", version=part.value, copied=bool(copied), evidence=(part.evidence,)
        )
    wheel = cuda_wheels.library(plain)
    if wheel is not None:
        return SonameMeaning(
            component=wheel.component,
            cuda_majors=wheel.cuda_majors,
            copied=bool(copied),
            evidence=wheel.evidence,
        )
    return None


def _sufficient(cuda: str) -> Toolkit | None:
    """A recorded toolkit that is not older than one that is not recorded: a driver new enough for it is so for both.

    Of a major alone it is the newest one, as the minor release may be any.
    """
    asked = dotted(cuda)
    records = load(CudaFile).toolkit
    if "." not in cuda:
        same = [record for record in records if first_parts(record.cuda, 1) == cuda]
        return toolkit(max(same, key=lambda record: dotted(record.cuda)).cuda) if same else None
    later = [record for record in records if dotted(record.cuda) > asked]
    return toolkit(min(later, key=lambda record: dotted(record.cuda)).cuda) if asked and later else None


def _covers(asked: str, recorded: str) -> bool:
    """``12.4`` asks for all its patch releases, ``12.4.1`` for one; ``10.2`` has the record ``10.2.89``."""
    if asked.count(".") == 1:
        return first_parts(recorded, 2) == asked
    return asked.count(".") > 1 and dotted(asked) == dotted(recorded)


def _rules(*names: str) -> tuple[Evidence, ...]:
    return tuple(
        record.evidence(record.text) for record in load(CudaFile).forward_compat if record.id in names
    )

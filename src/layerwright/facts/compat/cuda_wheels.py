"""``nvidia-*`` wheels on PyPI: the libraries in them, and who asks for which."""

import re
from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.records import Record, RecordFile, load
from layerwright.facts.compat.versions import same_release

__all__ = [
    "CudaWheelsFile",
    "Pins",
    "WheelLibraries",
    "WheelLibrary",
    "extra_pins",
    "library",
    "provides",
    "torch_pins",
]

_CUDNN = re.compile(r"nvidia-cudnn-cu(\d+)")


class Layout(Record, frozen=True, kw_only=True):
    """Where the wheels of one CUDA major put libraries, and how their names end."""

    cuda_major: str
    pattern: str
    suffix: str
    note: str = ""


class Wheel(Record, frozen=True, kw_only=True):
    """One wheel and its libraries."""

    package: str
    version: str
    libdir: str
    sonames: tuple[str, ...]
    cuda_major: str
    requires_python: str
    size_mb: int


class Placeholder(Record, frozen=True, kw_only=True):
    """A release without a library."""

    package: str
    version: str
    reason: str
    files: tuple[str, ...] = ()


class TorchPins(Record, frozen=True, kw_only=True):
    """``nvidia-*`` requirements of a torch on PyPI, version by package."""

    torch: str
    cuda: str
    pins: dict[str, str]
    cuda_toolkit_extras: tuple[str, ...] = ()


class ExtraPins(Record, frozen=True, kw_only=True):
    """``nvidia-*`` requirements of an extra, specifier by package, for a run of releases."""

    package: str
    extra: str
    first: str
    last: str
    requires: dict[str, str]


class CudaWheelsFile(RecordFile, frozen=True, kw_only=True):
    """``cuda_wheels.toml``."""

    FILE: ClassVar[str] = "cuda_wheels.toml"

    layout: tuple[Layout, ...]
    wheel: tuple[Wheel, ...]
    placeholder: tuple[Placeholder, ...]
    torch_pins: tuple[TorchPins, ...]
    extra_pins: tuple[ExtraPins, ...]


class WheelLibraries(Struct, frozen=True, kw_only=True):
    """What one ``nvidia-*`` wheel holds.

    Attributes:
        cuda_major: of its libraries; empty for a placeholder.
        libdir: folder below ``site-packages``; empty when not known.
        sonames: its libraries.
        placeholder: it holds no library at all.
    """

    package: str
    version: str
    cuda_major: str = ""
    libdir: str = ""
    sonames: tuple[str, ...] = ()
    placeholder: bool = False
    evidence: tuple[Evidence, ...] = ()


class WheelLibrary(Struct, frozen=True, kw_only=True):
    """Which component of CUDA has a library, as its wheels show."""

    component: str
    cuda_majors: tuple[str, ...]
    evidence: tuple[Evidence, ...] = ()


class Pins(Struct, frozen=True, kw_only=True):
    """``nvidia-*`` packages that something asks for, specifier by package (``==12.1.3.1``)."""

    requires: Mapping[str, str]
    evidence: Evidence


def provides(package: str, version: str) -> WheelLibraries | None:
    """What a wheel holds, by its normalized name; None when it is not recorded (cuFFT, NCCL and others are not)."""
    records = load(CudaWheelsFile)
    for wheel in records.wheel:
        if wheel.package == package and same_release(wheel.version, version):
            text = f"{package} {version} holds {', '.join(wheel.sonames)}"
            return WheelLibraries(
                package=package,
                version=version,
                cuda_major=wheel.cuda_major,
                libdir=wheel.libdir,
                sonames=wheel.sonames,
                evidence=(wheel.evidence(text),),
            )
    for placeholder in records.placeholder:
        if placeholder.package == package and same_release(placeholder.version, version):
            text = f"{package} {version} is a placeholder: {placeholder.reason}"
            return WheelLibraries(
                package=package, version=version, placeholder=True, evidence=(placeholder.evidence(text),)
            )
    return _cudnn(package, version)


def library(soname: str) -> WheelLibrary | None:
    """Which component has a library, by its soname, from the recorded wheels alone; None when none has it."""
    found = [record for record in load(CudaWheelsFile).wheel if soname in record.sonames]
    if not found:
        return None
    majors = sorted({record.cuda_major for record in found}, key=int)
    component = re.sub(r"-cu\d+$", "", found[0].package.removeprefix("nvidia-")).removeprefix("cuda-")
    text = f"{found[-1].package} {found[-1].version} holds {soname}"
    return WheelLibrary(component=component, cuda_majors=tuple(majors), evidence=(found[-1].evidence(text),))


def torch_pins(version: str) -> Pins | None:
    """What a torch on PyPI (x86_64) pins; None when it pins nothing or is not recorded.

    From 2.11 on most come through the meta-package ``cuda-toolkit``, whose own pins are not recorded.
    """
    for record in load(CudaWheelsFile).torch_pins:
        if same_release(record.torch, version):
            text = f"torch {record.torch} on PyPI pins {len(record.pins)} packages for CUDA {record.cuda}"
            return Pins(
                requires={
                    name: pin if pin[:1] in "<>=~!" else f"=={pin}" for name, pin in record.pins.items()
                },
                evidence=record.evidence(text),
            )
    return None


def extra_pins(package: str, extra: str, version: str) -> Pins | None:
    """What an extra asks for, ``onnxruntime-gpu[cuda]`` or ``tensorflow[and-cuda]``; None when it is not recorded."""
    from packaging.version import Version  # noqa: PLC0415 - start-up

    try:
        asked = Version(version)
    except ValueError:  # InvalidVersion, or more digits than Python reads
        return None
    for record in load(CudaWheelsFile).extra_pins:
        if (record.package, record.extra) == (package, extra) and Version(record.first) <= asked <= Version(
            record.last
        ):
            text = f"{package}[{extra}] {record.first} to {record.last} asks for {', '.join(record.requires)}"
            return Pins(requires=record.requires, evidence=record.evidence(text))
    return None


def _cudnn(package: str, version: str) -> WheelLibraries | None:
    from layerwright.facts.compat import cudnn  # noqa: PLC0415 - another file, which few calls need

    match = _CUDNN.fullmatch(package)
    found = cudnn.release(version) if match else None
    if match is None or found is None or found.version != version or match[1] not in found.cuda_majors:
        return None
    return WheelLibraries(
        package=package,
        version=version,
        cuda_major=match[1],
        libdir="nvidia/cudnn/lib",
        sonames=found.sonames,
        evidence=found.evidence,
    )

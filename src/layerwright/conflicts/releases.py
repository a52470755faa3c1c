"""Which releases of a package are recorded, for which Pythons, and what they ask of others."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct
from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from layerwright.facts.compat import cuda_wheels, cudnn, numpy, onnxruntime, opencv, torch, vision
from layerwright.facts.compat.records import load
from layerwright.facts.model import Package, Subject
from layerwright.oci.platform import Platform

__all__ = ["Release", "asks", "parsed", "recorded", "release", "version_of"]

_OPENCV: Final = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


class Release(Struct, frozen=True, kw_only=True):
    """What matters of one release when it is put into an image. Empty: not known.

    Attributes:
        python: versions that have a wheel.
        glibc: least glibc.
        requires: requirement lines.
    """

    python: tuple[str, ...] = ()
    glibc: str = ""
    requires: tuple[str, ...] = ()


@lru_cache(
    maxsize=4096
)  # a repair that is tried asks the same lines of metadata again; nobody changes a requirement
def parsed(requirement: str) -> Requirement | None:
    """A PEP 508 requirement; None when it is none."""
    try:
        return Requirement(requirement)
    except InvalidRequirement:
        return None


def version_of(text: str) -> Version | None:
    """A PEP 440 version; None when it is none."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def recorded(name: str) -> tuple[str, ...]:
    """Versions that are recorded, oldest first; empty for a package nobody wrote down."""
    if name == "torch":
        found: list[str] = list(torch.releases())
    elif name == "onnxruntime-gpu":
        found = list(onnxruntime.gpu_releases())
    elif name == "onnxruntime":
        found = [record.version for record in load(onnxruntime.OnnxRuntimeFile).cpu]
    elif name == "torchvision":
        found = [record.version for record in load(vision.VisionFile).torchvision]
    elif name == "torchaudio":
        found = [record.version for record in load(vision.VisionFile).torchaudio]
    elif name in _OPENCV:
        found = [record.version for record in load(opencv.OpenCvFile).release if record.package == name]
    elif name == "numpy":
        found = [record.numpy for record in load(numpy.NumpyFile).numpy]
    elif name.startswith("nvidia-cudnn"):
        found = list(cudnn.releases(name.rpartition("-cu")[2]))
    else:
        wheels = [one.version for one in load(cuda_wheels.CudaWheelsFile).wheel if one.package == name]
        built = [
            version
            for record in load(numpy.NumpyFile).built_against
            if record.package == name
            for version in record.versions
        ]
        found = wheels + built
    known = [(version, text) for text in dict.fromkeys(found) if (version := version_of(text)) is not None]
    return tuple(text for _, text in sorted(known))


def release(name: str, version: str, platform: Platform) -> Release | None:
    """What is recorded of a release; None when nothing is."""
    if name == "torch":
        build = torch.build(version, platform.architecture)
        if build is None:
            return None
        return Release(python=build.python, glibc=build.glibc)
    if name == "onnxruntime-gpu":
        gpu = onnxruntime.gpu_build(version)
        return Release(python=gpu.python, glibc=gpu.glibc, requires=_numpy(gpu.numpy)) if gpu else None
    if name == "onnxruntime":
        cpu = onnxruntime.cpu_build(version)
        return Release(python=cpu.python, glibc=cpu.glibc, requires=_numpy(cpu.numpy)) if cpu else None
    if name in ("torchvision", "torchaudio"):
        companion = vision.build("torchvision" if name == "torchvision" else "torchaudio", version)
        if companion is None:
            return None
        wants = (f"torch{companion.requires_torch}",) if companion.requires_torch else ()
        return Release(python=companion.python, glibc=companion.glibc, requires=wants)
    if name in _OPENCV:
        built = opencv.build(name, version)
        return Release(python=built.python, glibc=built.glibc, requires=built.numpy) if built else None
    if name == "numpy":
        pythons = numpy.pythons(version)
        return Release(python=pythons.value) if pythons else None
    bound = numpy.bounds(name, version)
    if bound is not None:
        return Release(requires=bound.requires)
    return Release() if version in recorded(name) else None


def _numpy(specifier: str) -> tuple[str, ...]:
    return (f"numpy{specifier}",) if specifier and specifier[:1] in "<>=~!" else ()


def asks(package: Package, subject: Subject) -> Iterator[Requirement]:
    """What a package asks of others in the subject: by its metadata, else by what is recorded of the release."""
    if package.facts is not None:
        lines = package.facts.requires
    else:
        known = release(package.name, package.version, subject.platform)
        lines = known.requires if known else ()
    for line in lines:
        wanted = _asked(line, subject.platform.architecture, subject.python)
        if wanted is not None:
            yield wanted


@lru_cache(maxsize=8192)  # as for ``parsed``
def _asked(line: str, architecture: str, python: str) -> Requirement | None:
    """The requirement of a line; None when it is none, or its marker does not hold in an image of this kind."""
    wanted = parsed(line)
    if wanted is None or (wanted.marker is not None and not _holds(wanted.marker, architecture, python)):
        return None
    return wanted


def _holds(marker: Marker, architecture: str, python: str) -> bool:
    """Whether a marker holds in an image, without extras."""
    environment = {
        "extra": "",
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": {"amd64": "x86_64", "arm64": "aarch64"}.get(architecture, architecture),
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    return marker.evaluate(environment)

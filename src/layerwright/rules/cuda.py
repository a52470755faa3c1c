"""CUDA and cuDNN in one cell: which packages need which, and what brings them.

Binaries decide where they were read: the sonames that a library needs name the majors (NVIDIA changes a library's
soname with each incompatible release). Records of releases stand in where no binary was read.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Final, Literal

from msgspec import Struct, structs

from layerwright.core.findings import Evidence
from layerwright.facts.model import Library, Package, Subject
from layerwright.rules.cuda_names import (
    base_brings,
    cuda_majors,
    cudnn_major,
    is_cuda_library,
    library_stem,
    major_of,
    name_brings,
    wheel_component,
    wheel_major,
)
from layerwright.rules.native import NativeView
from layerwright.rules.words import binary

__all__ = ["ORT_PROVIDER", "CudaNeed", "CudaView", "fully_read"]

_TELLING: Final = ("cudnn", "cublas", "cudart", "cublasLt", "cufft", "nvrtc")
"""Libraries whose sonames tell majors, in the order in which people look at them."""

_SHOWN: Final = 4
_HASHED: Final = re.compile(r"-[0-9a-f]{8}\.so")
"""In the names of libraries that auditwheel copied into a wheel."""

ORT_PROVIDER: Final = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
"""ONNX Runtime's use of CUDA, a library that is opened when a session asks for it."""

_ORT: Final = "onnxruntime-gpu"


class CudaNeed(Struct, frozen=True, kw_only=True):
    """What one package needs of CUDA.

    Attributes:
        package: which.
        cuda: CUDA major, ``12``; empty when it cannot be told.
        cudnn: cuDNN major; empty when it needs none.
        cuda_version: exact version it was built with, where recorded; else empty.
        libraries: sonames that must come from elsewhere, without those of the driver.
        carried: CUDA libraries that lie in its own wheel.
        evidence: strongest first.
    """

    package: Package
    cuda: str
    cudnn: str = ""
    cuda_version: str = ""
    libraries: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class CudaView:
    """Answers for one subject."""

    def __init__(self, subject: Subject, native: NativeView) -> None:
        self._subject = subject
        self._native = native

    @cached_property
    def needs(self) -> tuple[CudaNeed, ...]:
        """What each package that uses CUDA needs; NVIDIA's own wheels are not asked."""
        found = (
            self._need(package)
            for package in self._subject.packages.values()
            if not package.name.startswith("nvidia-")
        )
        return tuple(need for need in found if need is not None)

    def need(self, name: str) -> CudaNeed | None:
        """What the package needs of CUDA; None when it is not there or needs none."""
        return next((need for need in self.needs if need.package.name == name), None)

    @property
    def base_major(self) -> str:
        """CUDA major of the base; "none" without CUDA, empty when not known."""
        return major_of(self._subject.base.cuda)

    @property
    def base_cudnn(self) -> str:
        """CuDNN major of the base; "none" without, empty when not known."""
        return major_of(self._subject.base.cudnn)

    def wheel_by_name(self, name: str) -> Package | None:
        """The ``nvidia-*`` wheel that brings a library going by its name and version, for wheels that nobody read."""
        for package in self._subject.packages.values():
            if package.facts is None and name_brings(package, name):
                return package
        return None

    def brought(self, name: str) -> Package | Literal["base", "missing", "unknown"]:
        """Where a CUDA library is in the image, whoever asks: a wheel, the base, or nowhere."""
        found = self._native.wheels_with(name)
        if found:
            return found[0][0]
        return self.wheel_by_name(name) or base_brings(self._subject.base, name)

    def wheels_major(self) -> dict[str, list[Package]]:
        """CUDA majors of the ``nvidia-*`` wheels, each with its packages."""
        majors: dict[str, list[Package]] = {}
        for package in self._subject.packages.values():
            major = wheel_major(package)
            if major:
                majors.setdefault(major, []).append(package)
        return majors

    def wheels_cudnn(self) -> dict[str, Package]:
        """CuDNN majors that wheels bring, each with its package."""
        found: dict[str, Package] = {}
        for package in self._subject.packages.values():
            if wheel_component(package) == "cudnn":
                found[major_of(package.version)] = package
        return found

    def _need(self, package: Package) -> CudaNeed | None:
        if package.facts is not None and package.facts.reach != "metadata":
            read = self._read(package)
            if fully_read(package) and (read is not None or package.name != _ORT):
                return read
            recorded = _recorded(self._subject, package)
            return _merged(read, recorded) if read is not None and recorded is not None else read or recorded
        return _recorded(self._subject, package)

    def _read(self, package: Package) -> CudaNeed | None:
        """By the package's own binaries."""
        own = {name for library in _libraries(package) for name in (_base_name(library.path), library.soname)}
        looked_at = [library for library in _libraries(package) if _speaks(package, library)]
        verb = "needs"
        users = {
            library.path: (library, tuple(filter(is_cuda_library, library.needed))) for library in looked_at
        }
        if package.name == _ORT and not any(
            cuda_majors(name) for _, names in users.values() for name in names
        ):
            # up to 1.15 its libraries are opened by name rather than linked
            verb = "opens"
            users = {
                library.path: (library, tuple(filter(is_cuda_library, library.opens)))
                for library in looked_at
            }
        wanted = dict.fromkeys(name for _, names in users.values() for name in names)
        if not wanted:
            return None
        majors = [cuda_majors(name) for name in wanted if cuda_majors(name)]
        common = frozenset.intersection(*majors) if majors else frozenset[str]()
        certain = {next(iter(one)) for one in majors if len(one) == 1}
        cuda = next(iter(certain)) if len(certain) == 1 else max(common, default="")
        outside = tuple(sorted(name for name in wanted if name not in own))
        return CudaNeed(
            package=package,
            cuda=cuda,
            cudnn=max((cudnn_major(name) for name in wanted), default=""),
            cuda_version=_stated_cuda(package),
            libraries=outside,
            carried=tuple(sorted(set(wanted) - set(outside))),
            evidence=_evidence(package, users, verb),
        )


def fully_read(package: Package) -> bool:
    """Whether what each of a wheel's libraries needs is known, so that what is not named is not needed."""
    return (
        package.facts is not None
        and package.facts.reach != "metadata"
        and not any("needed" in library.unread for library in package.facts.libraries)
    )


def _recorded(subject: Subject, package: Package) -> CudaNeed | None:
    """By what is recorded of the release."""
    if package.name == "torch":
        from layerwright.facts.compat import torch  # noqa: PLC0415 - only where no binary was read

        build = torch.build(package.version, subject.platform.architecture)
        if build is None or not build.cuda or build.cuda == "none":
            return None
        return CudaNeed(
            package=package,
            cuda=build.cuda_major,
            cudnn=build.cudnn_major,
            cuda_version=build.cuda,
            libraries=tuple(
                name for name in build.sonames if is_cuda_library(name) and not _HASHED.search(name)
            ),
            carried=build.bundled,
            evidence=build.evidence,
        )
    if package.name == _ORT:
        from layerwright.facts.compat import onnxruntime  # noqa: PLC0415 - only where no binary was read

        gpu = onnxruntime.gpu_build(package.version)
        if gpu is None or not gpu.cuda_major:
            return None
        names = gpu.cuda_needed or (gpu.cuda_named if gpu.linkage == "preload" else ())
        return CudaNeed(
            package=package,
            cuda=gpu.cuda_major,
            # from 1.28 on the CUDA provider does without; the TensorRT provider's need is optional
            cudnn="" if gpu.cudnn_in == "TensorRT provider only" else gpu.cudnn_major,
            cuda_version=gpu.cuda,
            libraries=tuple(name for name in names if is_cuda_library(name)),
            evidence=gpu.evidence,
        )
    if package.name in {"torchvision", "torchaudio"}:
        from layerwright.facts.compat import vision  # noqa: PLC0415 - only where no binary was read

        companion = vision.build(
            "torchvision" if package.name == "torchvision" else "torchaudio", package.version
        )
        names = companion.cuda_sonames if companion and "+" not in package.version else ()
        majors = {major for name in names for major in cuda_majors(name)}
        if companion is None or len(majors) != 1:
            return None
        return CudaNeed(package=package, cuda=majors.pop(), libraries=names, evidence=companion.evidence)
    return None


def _merged(read: CudaNeed, recorded: CudaNeed) -> CudaNeed:
    """Binaries that were read in part, completed by the record of the release where the two do not differ."""
    if read.cuda and recorded.cuda != read.cuda:
        return read
    own = set(read.carried) | set(recorded.carried)
    libraries = sorted({*read.libraries, *recorded.libraries} - own)
    return structs.replace(
        read,
        cuda=read.cuda or recorded.cuda,
        cudnn=read.cudnn or recorded.cudnn,
        cuda_version=read.cuda_version or recorded.cuda_version,
        libraries=tuple(libraries),
        evidence=(*read.evidence, *recorded.evidence),
    )


def _speaks(package: Package, library: Library) -> bool:
    """Whether a library tells what the package as such needs: providers for TensorRT and others are optional."""
    return package.name != _ORT or library.path.endswith(ORT_PROVIDER)


def _evidence(
    package: Package, users: Mapping[str, tuple[Library, tuple[str, ...]]], verb: str
) -> tuple[Evidence, ...]:
    """The library that tells most, by the names that tell majors."""

    def tells(name: str) -> int:
        return _TELLING.index(library_stem(name)) if library_stem(name) in _TELLING else len(_TELLING)

    library, names = max(
        users.values(), key=lambda user: sum(tells(name) < len(_TELLING) for name in user[1])
    )
    ordered = sorted(names, key=tells)
    more = f" and {len(ordered) - _SHOWN} more of CUDA" if len(ordered) > _SHOWN else ""
    return (binary(package, library, f"{verb} {', '.join(ordered[:_SHOWN])}{more}"),)


def _stated_cuda(package: Package) -> str:
    """The CUDA release of a torch build: its local tag, or the record of the release."""
    if package.name != "torch":
        return ""
    from layerwright.facts.compat import torch  # noqa: PLC0415 - start-up
    from layerwright.facts.compat.versions import local_of  # noqa: PLC0415 - start-up

    tag = local_of(package.version)
    if tag:
        return torch.cuda_of_tag(tag)
    build = torch.build(package.version)
    return build.cuda if build else ""


def _libraries(package: Package) -> tuple[Library, ...]:
    return package.facts.libraries if package.facts else ()


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]

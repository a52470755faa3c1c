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
from layerwright.facts.model import Library, Package
from layerwright.rules.case import Case, binary

__all__ = [
    "ORT_PROVIDER",
    "CudaNeed",
    "CudaView",
    "cuda_majors",
    "cudnn_major",
    "describe_base",
    "fully_read",
    "is_cuda_library",
    "name_brings",
]

_MAJOR: Final = re.compile(r"(\d+)")
_LIBRARY: Final = re.compile(r"lib(?P<stem>[A-Za-z0-9_-]+?)\.so(?:\.(?P<version>[0-9.]+))?", re.ASCII)

_MAJORS: Final[dict[str, dict[str, frozenset[str]]]] = {
    "cufft": {"10": frozenset({"11"}), "11": frozenset({"12"}), "12": frozenset({"13"})},
    "cufftw": {"10": frozenset({"11"}), "11": frozenset({"12"}), "12": frozenset({"13"})},
    "curand": {"10": frozenset({"10", "11", "12", "13"})},
    "cusparse": {"11": frozenset({"11"}), "12": frozenset({"12", "13"})},
    "cusolver": {"11": frozenset({"11", "12"}), "12": frozenset({"13"})},
    "cusolverMg": {"11": frozenset({"11", "12"}), "12": frozenset({"13"})},
}
"""CUDA majors by the number in a soname, where the two differ. Source: file names in the ``nvidia-*`` wheels."""

_SAME_MAJOR: Final = frozenset(
    {"cudart", "cublas", "cublasLt", "nvblas", "nvrtc", "nvrtc-builtins", "nvJitLink", "cupti", "nvjpeg"}
)
_NO_MAJOR: Final = frozenset({"nvToolsExt", "nccl", "cusparseLt", "cufile", "cufile_rdma", "nvshmem_host"})

_COMPONENTS: Final[dict[str, tuple[str, ...]]] = {
    "cublas": ("cublas", "cublasLt", "nvblas"),
    "cuda-runtime": ("cudart",),
    "cuda-nvrtc": ("nvrtc", "nvrtc-builtins"),
    "cuda-cupti": ("cupti",),
    "cufft": ("cufft", "cufftw"),
    "curand": ("curand",),
    "cusparse": ("cusparse",),
    "cusolver": ("cusolver", "cusolverMg"),
    "nvjitlink": ("nvJitLink",),
    "nvjpeg": ("nvjpeg",),
    "nccl": ("nccl",),
    "nvtx": ("nvToolsExt",),
    "cusparselt": ("cusparseLt",),
    "cufile": ("cufile",),
}
"""Libraries of each ``nvidia-*`` wheel. Source: file lists of the wheels."""

_TELLING: Final = ("cudnn", "cublas", "cudart", "cublasLt", "cufft", "nvrtc")
"""Libraries whose sonames tell majors, in the order in which people look at them."""

_SHOWN: Final = 4
_HASHED: Final = re.compile(r"-[0-9a-f]{8}\.so")
"""In the names of libraries that auditwheel copied into a wheel."""

_WHEEL: Final = re.compile(r"nvidia-(?P<component>[a-z0-9-]+?)(?:-cu(?P<major>\d+))?")
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


def is_cuda_library(name: str) -> bool:
    """Whether a soname is of CUDA or cuDNN, without the driver's."""
    match = _LIBRARY.fullmatch(name)
    if not match:
        return False
    stem = _plain(match["stem"])
    return (
        stem in _SAME_MAJOR or stem in _MAJORS or stem in _NO_MAJOR or stem.startswith(("cudnn", "npp"))
    ) and bool(match["version"])


def cuda_majors(name: str) -> frozenset[str]:
    """CUDA majors that have a library of this soname; empty when the soname does not tell."""
    match = _LIBRARY.fullmatch(name)
    if not match or not match["version"]:
        return frozenset()
    stem, first = _plain(match["stem"]), match["version"].split(".")[0]
    if stem in _MAJORS:
        return _MAJORS[stem].get(first, frozenset())
    return frozenset({first}) if stem in _SAME_MAJOR or stem.startswith("npp") else frozenset()


def cudnn_major(name: str) -> str:
    """The cuDNN major of a soname: ``9`` for ``libcudnn.so.9``; empty for other libraries."""
    match = _LIBRARY.fullmatch(name)
    if not match or not match["stem"].startswith("cudnn"):
        return ""
    return (match["version"] or "").split(".")[0]


class CudaView:
    """Answers for one case."""

    def __init__(self, case: Case) -> None:
        self._case = case

    @cached_property
    def needs(self) -> tuple[CudaNeed, ...]:
        """What each package that uses CUDA needs; NVIDIA's own wheels are not asked."""
        found = (
            self._need(package)
            for package in self._case.subject.packages.values()
            if not package.name.startswith("nvidia-")
        )
        return tuple(need for need in found if need is not None)

    def need(self, name: str) -> CudaNeed | None:
        """What the package needs of CUDA; None when it is not there or needs none."""
        return next((need for need in self.needs if need.package.name == name), None)

    @property
    def base_major(self) -> str:
        """CUDA major of the base; "none" without CUDA, empty when not known."""
        return _major(self._case.subject.base.cuda)

    @property
    def base_cudnn(self) -> str:
        """CuDNN major of the base; "none" without, empty when not known."""
        return _major(self._case.subject.base.cudnn)

    def in_base(self, name: str) -> Literal["base", "missing", "unknown"]:
        """Whether the base brings a CUDA library."""
        base = self._case.subject.base
        if name in base.sonames:
            return "base"
        if base.closed:
            return "missing"
        cudnn = cudnn_major(name)
        held = self.base_cudnn if cudnn else self.base_major
        if not held:
            return "unknown"
        if held == "none" or (cudnn and held != cudnn):
            return "missing"
        if cudnn:
            return "base"
        majors = cuda_majors(name)
        stem = _stem(name)
        if not majors:
            # TensorRT, cuTENSOR and the like; NCCL and NVTX come with the runtime libraries
            return "base" if stem in {"nccl", "nvToolsExt"} and base.flavour != "base" else "unknown"
        if held not in majors:
            return "missing"
        return "missing" if base.flavour == "base" and stem != "cudart" else "base"

    def wheel_by_name(self, name: str) -> Package | None:
        """The ``nvidia-*`` wheel that brings a library going by its name and version, for wheels that nobody read."""
        for package in self._case.subject.packages.values():
            if package.facts is None and name_brings(package, name):
                return package
        return None

    def brought(self, name: str) -> Package | Literal["base", "missing", "unknown"]:
        """Where a CUDA library is in the image, whoever asks: a wheel, the base, or nowhere."""
        found = self._case.native.wheels_with(name)
        if found:
            return found[0][0]
        return self.wheel_by_name(name) or self.in_base(name)

    def wheels_major(self) -> dict[str, list[Package]]:
        """CUDA majors of the ``nvidia-*`` wheels, each with its packages."""
        majors: dict[str, list[Package]] = {}
        for package in self._case.subject.packages.values():
            major = _wheel_major(package)
            if major:
                majors.setdefault(major, []).append(package)
        return majors

    def wheels_cudnn(self) -> dict[str, Package]:
        """CuDNN majors that wheels bring, each with its package."""
        found: dict[str, Package] = {}
        for package in self._case.subject.packages.values():
            match = _WHEEL.fullmatch(package.name)
            if match and match["component"] == "cudnn":
                found[_major(package.version)] = package
        return found

    def _need(self, package: Package) -> CudaNeed | None:
        if package.facts is not None and package.facts.reach != "metadata":
            read = self._read(package)
            if fully_read(package) and (read is not None or package.name != _ORT):
                return read
            recorded = _recorded(self._case, package)
            return _merged(read, recorded) if read is not None and recorded is not None else read or recorded
        return _recorded(self._case, package)

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


def name_brings(package: Package, name: str) -> bool:
    """Whether an ``nvidia-*`` wheel brings a library, going by its name and version."""
    match = _WHEEL.fullmatch(package.name)
    if not match:
        return False
    component, stem = match["component"], _stem(name)
    if component == "cudnn":
        return bool(cudnn_major(name)) and cudnn_major(name) == _major(package.version)
    if stem not in _COMPONENTS.get(component, ()):
        return False
    majors = cuda_majors(name)
    return not majors or (match["major"] or _wheel_major(package)) in majors


def _wheel_major(package: Package) -> str:
    """CUDA major that an ``nvidia-*`` wheel is for; empty for others."""
    match = _WHEEL.fullmatch(package.name)
    if not match:
        return ""
    if match["major"]:
        return match["major"]
    # From CUDA 13 on without a suffix; the runtime, cuBLAS and NVRTC carry CUDA's number, cuFFT and others their own.
    if match["component"] in {"cuda-runtime", "cublas", "cuda-nvrtc", "nvjitlink", "cuda-cupti"}:
        return _major(package.version)
    return ""


def _recorded(case: Case, package: Package) -> CudaNeed | None:
    """By what is recorded of the release."""
    if package.name == "torch":
        from layerwright.facts.compat import torch  # noqa: PLC0415 - only where no binary was read

        build = torch.build(package.version, case.subject.platform.architecture)
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
        return _TELLING.index(_stem(name)) if _stem(name) in _TELLING else len(_TELLING)

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


def _stem(name: str) -> str:
    match = _LIBRARY.fullmatch(name)
    return _plain(match["stem"]) if match else ""


def _plain(stem: str) -> str:
    """Without the digest that auditwheel puts into the names of libraries it copies into a wheel."""
    head, _, tail = stem.rpartition("-")
    return head if len(tail) == 8 and all(c in "0123456789abcdef" for c in tail) else stem  # noqa: PLR2004


def _major(version: str) -> str:
    match = _MAJOR.match(version)
    return match[1] if match else version


def describe_base(case: Case) -> str:
    """What the base brings of CUDA, for messages: ``nvidia/cuda:… with CUDA 11.8.0 and cuDNN 8``."""
    base = case.subject.base
    if base.cuda == "none":
        return f"{case.base_name}, which has no CUDA"
    if not base.cuda:
        return f"{case.base_name}, of whose CUDA nothing is known"
    cudnn = f" and {'no cuDNN' if base.cudnn == 'none' else f'cuDNN {base.cudnn}'}" if base.cudnn else ""
    return f"{case.base_name} with CUDA {base.cuda}{cudnn}"

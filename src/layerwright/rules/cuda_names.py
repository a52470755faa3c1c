"""Names of CUDA's libraries and wheels, and what they tell: which major, which component, who brings it."""

import re
from typing import Final, Literal

from layerwright.facts.model import BaseFacts, Package

__all__ = [
    "base_brings",
    "cuda_majors",
    "cudnn_major",
    "is_cuda_library",
    "library_stem",
    "major_of",
    "name_brings",
    "wheel_component",
    "wheel_major",
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

_WHEEL: Final = re.compile(r"nvidia-(?P<component>[a-z0-9-]+?)(?:-cu(?P<major>\d+))?")


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


def base_brings(base: BaseFacts, name: str) -> Literal["base", "missing", "unknown"]:
    """Whether a base brings a CUDA library."""
    if name in base.sonames:
        return "base"
    if base.closed:
        return "missing"
    cudnn = cudnn_major(name)
    held = major_of(base.cudnn if cudnn else base.cuda)
    if not held:
        return "unknown"
    if held == "none" or (cudnn and held != cudnn):
        return "missing"
    if cudnn:
        return "base"
    majors = cuda_majors(name)
    stem = library_stem(name)
    if not majors:
        # TensorRT, cuTENSOR and the like; NCCL and NVTX come with the runtime libraries
        return "base" if stem in {"nccl", "nvToolsExt"} and base.flavour != "base" else "unknown"
    if held not in majors:
        return "missing"
    return "missing" if base.flavour == "base" and stem != "cudart" else "base"


def name_brings(package: Package, name: str) -> bool:
    """Whether an ``nvidia-*`` wheel brings a library, going by its name and version."""
    match = _WHEEL.fullmatch(package.name)
    if not match:
        return False
    component, stem = match["component"], library_stem(name)
    if component == "cudnn":
        return bool(cudnn_major(name)) and cudnn_major(name) == major_of(package.version)
    if stem not in _COMPONENTS.get(component, ()):
        return False
    majors = cuda_majors(name)
    return not majors or (match["major"] or wheel_major(package)) in majors


def wheel_component(package: Package) -> str:
    """What an ``nvidia-*`` wheel holds, ``cudnn``, ``cuda-runtime``; empty for others."""
    match = _WHEEL.fullmatch(package.name)
    return match["component"] if match else ""


def wheel_major(package: Package) -> str:
    """CUDA major that an ``nvidia-*`` wheel is for; empty for others."""
    match = _WHEEL.fullmatch(package.name)
    if not match:
        return ""
    if match["major"]:
        return match["major"]
    # From CUDA 13 on without a suffix; the runtime, cuBLAS and NVRTC carry CUDA's number, cuFFT and others their own.
    if match["component"] in {"cuda-runtime", "cublas", "cuda-nvrtc", "nvjitlink", "cuda-cupti"}:
        return major_of(package.version)
    return ""


def library_stem(name: str) -> str:
    """The name of a CUDA library without ``lib``, ``.so`` and numbers; empty for other names."""
    match = _LIBRARY.fullmatch(name)
    return _plain(match["stem"]) if match else ""


def _plain(stem: str) -> str:
    """Without the digest that auditwheel puts into the names of libraries it copies into a wheel."""
    head, _, tail = stem.rpartition("-")
    return head if len(tail) == 8 and all(c in "0123456789abcdef" for c in tail) else stem  # noqa: PLR2004 - as auditwheel writes it


def major_of(version: str) -> str:
    """The first number of a version; words, such as ``none``, as they are."""
    match = _MAJOR.match(version)
    return match[1] if match else version

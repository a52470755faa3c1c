"""Builds of torch: the ones on PyPI, and those of PyTorch's own index that their local tag names (``+cu118``)."""

import re
from typing import ClassVar, Literal

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.evidence import Claim, Disagreement, settle, strongest_first
from layerwright.facts.compat.records import Record, RecordFile, load
from layerwright.facts.compat.versions import first_parts, local_of, public_of, same_release

__all__ = [
    "Arch",
    "Matrix",
    "Release",
    "TorchBuild",
    "TorchFile",
    "Variant",
    "build",
    "cuda_of_tag",
    "releases",
    "tags",
]

_CUDA_TAG = re.compile(r"cu(\d{2,3})(\d)")


class Release(Record, frozen=True, kw_only=True):
    """A release on PyPI; fields are of the x86_64 wheel unless they say otherwise. Empty and zero: not read.

    Attributes:
        cuda_aarch64: empty when that wheel is for the CPU only, None when there is none.
        bundled: CUDA libraries inside the wheel.
        sonames: CUDA libraries that its binaries name.
        sm_few_kernels: capabilities that less than a fifth of the kernels have.
        glibc_scope: which of its binaries were read for ``glibc_needed`` and ``glibcxx_needed``.
    """

    version: str
    cuda: str = ""
    cuda_aarch64: str | None = None
    cudnn: str = ""
    cudnn_soname: str = ""
    cuda_libraries: str = ""
    bundled: tuple[str, ...] = ()
    sonames: tuple[str, ...] = ()
    cublas: str = ""
    cuda_toolkit: str = ""
    nccl: str = ""
    triton: str = ""
    python: tuple[str, ...]
    python_free_threaded: tuple[str, ...] = ()
    requires_python: str = ""
    platform_tags: tuple[str, ...]
    arches: tuple[str, ...]
    glibc_needed: str = ""
    glibcxx_needed: str = ""
    glibc_scope: str = ""
    numpy_api: Literal[0, 1, 2] = 0
    sm: tuple[str, ...] = ()
    sm_few_kernels: tuple[str, ...] = ()
    size_mb: int
    yanked: bool = False


class Variant(Record, frozen=True, kw_only=True):
    """Local tags under which builds of a release exist off PyPI; ``torch`` may be a minor release, ``2.14``."""

    torch: str
    tags: tuple[str, ...]
    torchvision: str = ""
    torchaudio: str = ""
    python: tuple[str, ...] = ()


class Matrix(Record, frozen=True, kw_only=True):
    """A row of PyTorch's release matrix: what a minor release was built with for one CUDA."""

    torch: str
    cuda: str
    cudnn: str
    nccl: str = ""
    stable: bool
    python: str
    cxx: str


class Arch(Record, frozen=True, kw_only=True):
    """GPU architectures of builds for one CUDA; without ``torch``, of what ``applies_to`` says."""

    torch: str = ""
    cuda: str
    arch: Literal["x86_64", "aarch64"]
    sm: tuple[str, ...]
    ptx: tuple[str, ...] = ()
    sm_few_kernels: tuple[str, ...] = ()
    applies_to: str = ""
    method: str = ""


class TorchFile(RecordFile, frozen=True, kw_only=True):
    """``torch.toml``."""

    FILE: ClassVar[str] = "torch.toml"

    release: tuple[Release, ...]
    variant: tuple[Variant, ...]
    matrix: tuple[Matrix, ...]
    arch: tuple[Arch, ...]


class TorchBuild(Struct, frozen=True, kw_only=True):
    """What is recorded of one build. Empty and zero: not known.

    Attributes:
        version: as asked, ``2.4.1`` or ``2.4.1+cu118``.
        on_pypi: it is the build that PyPI serves.
        listed: the release is recorded to exist with this tag. False when only the tag's own meaning is known.
        cuda: ``12.1``; "none" for a build without CUDA.
        cudnn: version that it pins or was built with, ``9.1.0.70``; "none" for a build without CUDA.
        cudnn_soname: ``libcudnn.so.9``.
        sonames: CUDA libraries that its binaries name.
        bundled: CUDA libraries inside the wheel, which therefore nobody else need provide.
        sm: compute capabilities with machine code for all or most kernels.
        sm_few_kernels: further ones that few kernels have.
        ptx: compute capabilities of its PTX. Empty with a non-empty ``sm``: it has none.
        numpy_api: 1 built with NumPy 1 headers, 2 with NumPy 2 headers.
        glibc: least glibc its binaries need, ``2.17``.
        glibcxx: greatest ``GLIBCXX_`` version its binaries need, ``3.4.19``.
        python: versions with a wheel.
        requires_python: specifier set.
        evidence: of its CUDA and cuDNN, strongest first.
        gpu_evidence: of ``sm`` and ``ptx``.
        abi_evidence: of glibc, libstdc++ and NumPy.
        disagreements: where sources differ, and which one was believed.
    """

    version: str
    on_pypi: bool = False
    listed: bool = True
    cuda: str = ""
    cudnn: str = ""
    cudnn_soname: str = ""
    sonames: tuple[str, ...] = ()
    bundled: tuple[str, ...] = ()
    sm: tuple[str, ...] = ()
    sm_few_kernels: tuple[str, ...] = ()
    ptx: tuple[str, ...] = ()
    numpy_api: int = 0
    glibc: str = ""
    glibcxx: str = ""
    python: tuple[str, ...] = ()
    requires_python: str = ""
    yanked: bool = False
    evidence: tuple[Evidence, ...] = ()
    gpu_evidence: tuple[Evidence, ...] = ()
    abi_evidence: tuple[Evidence, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()

    @property
    def cuda_major(self) -> str:
        """``12``; "none" for a build without CUDA."""
        return self.cuda if self.cuda == "none" else first_parts(self.cuda, 1)

    @property
    def cudnn_major(self) -> str:
        """``9``; "none" for a build without CUDA."""
        return self.cudnn if self.cudnn == "none" else first_parts(self.cudnn, 1)


def releases() -> tuple[str, ...]:
    """Versions on PyPI that are recorded, oldest first."""
    return tuple(record.version for record in load(TorchFile).release)


def tags(version: str) -> tuple[str, ...]:
    """Local tags under which a release is recorded to exist off PyPI, such as ``cu118`` and ``cpu``."""
    found = dict.fromkeys(tag for record in _variants(version) for tag in record.tags)
    return tuple(sorted(found))


def cuda_of_tag(tag: str) -> str:
    """The CUDA that a local tag names: ``cu118`` is ``11.8``, ``cpu`` is "none"; empty for other tags.

    Source: pytorch.org, "previous versions": one index per tag, named with its CUDA.
    """
    if tag == "cpu":
        return "none"
    match = _CUDA_TAG.fullmatch(tag)
    return f"{match[1]}.{match[2]}" if match else ""


def build(version: str, architecture: str = "amd64") -> TorchBuild | None:
    """What is recorded of a build; None when its release is not recorded.

    Without a local tag it is the build on PyPI. ``architecture`` is ``amd64`` or ``arm64``; of the latter's wheels
    little was read.
    """
    tag = local_of(version)
    if tag:
        return _tagged(version, tag, architecture)
    for record in load(TorchFile).release:
        if same_release(record.version, version):
            return _arm(record, version) if architecture == "arm64" else _pypi(record, version)
    return None


def _pypi(record: Release, version: str) -> TorchBuild:
    name = f"torch {record.version} on PyPI"
    evidence = [record.evidence(f"{name} is built for CUDA {record.cuda}")] if record.cuda else []
    disagreements: tuple[Disagreement, ...] = ()
    if record.cudnn:
        pinned = record.evidence(f"{name} pins cuDNN {record.cudnn}")
        settled = settle(
            [Claim(value=record.cudnn, evidence=pinned), *_documented_cudnn(version, record.cuda)]
        )
        evidence += settled.evidence
        disagreements = settled.disagreements
    holds = f"libtorch_cuda of {name} holds GPU code for {', '.join(record.sm)} and no PTX"
    needs = f"{name} needs glibc {record.glibc_needed} and GLIBCXX_{record.glibcxx_needed}"
    numpy = f"{name} was built with NumPy {record.numpy_api} headers"
    abi = [record.binary(needs)] if record.glibc_needed else []
    abi += [record.binary(numpy)] if record.numpy_api else []
    return TorchBuild(
        version=version,
        on_pypi=True,
        cuda=record.cuda,
        cudnn=record.cudnn,
        cudnn_soname=record.cudnn_soname,
        sonames=record.sonames,
        bundled=record.bundled,
        sm=record.sm,
        sm_few_kernels=record.sm_few_kernels,
        numpy_api=record.numpy_api,
        glibc=record.glibc_needed,
        glibcxx=record.glibcxx_needed,
        python=record.python + record.python_free_threaded,
        requires_python=record.requires_python,
        yanked=record.yanked,
        evidence=strongest_first(evidence),
        gpu_evidence=(record.binary(holds),) if record.sm else (),
        abi_evidence=tuple(abi),
        disagreements=disagreements,
    )


def _arm(record: Release, version: str) -> TorchBuild | None:
    if record.cuda_aarch64 is None:
        return None
    cuda = record.cuda_aarch64 or "none"
    text = f"CUDA {cuda}" if record.cuda_aarch64 else "the CPU only"
    return TorchBuild(
        version=version,
        on_pypi=True,
        cuda=cuda,
        cudnn="none" if cuda == "none" else "",
        requires_python=record.requires_python,
        evidence=(record.evidence(f"torch {record.version} for aarch64 on PyPI is built for {text}"),),
    )


def _tagged(version: str, tag: str, architecture: str) -> TorchBuild | None:
    variants = [record for record in _variants(version) if tag in record.tags]
    cuda = cuda_of_tag(tag)
    if not variants and not cuda:
        return None
    evidence = [
        record.evidence(f"torch {public_of(version)} exists as the build +{tag}") for record in variants
    ]
    if cuda:
        evidence.append(
            Evidence(
                text=f"the local tag +{tag} means {'a build without CUDA' if cuda == 'none' else f'CUDA {cuda}'}",
                source="pytorch.org, previous versions: the indexes are named so",
                confidence="docs",
            )
        )
    if not cuda or cuda == "none":
        return TorchBuild(
            version=version, listed=bool(variants), cuda=cuda, cudnn=cuda, evidence=strongest_first(evidence)
        )
    cudnn = settle(_documented_cudnn(version, cuda))
    machine = "aarch64" if architecture == "arm64" else "x86_64"
    arch = settle(_documented_arch(version, cuda, machine), lambda left, right: left.sm == right.sm)
    return TorchBuild(
        version=version,
        listed=bool(variants),
        cuda=cuda,
        cudnn=cudnn.value or "",
        cudnn_soname=f"libcudnn.so.{first_parts(cudnn.value, 1)}" if cudnn.value else "",
        sm=arch.value.sm if arch.value else (),
        sm_few_kernels=arch.value.sm_few_kernels if arch.value else (),
        ptx=arch.value.ptx if arch.value else (),
        evidence=strongest_first([*evidence, *cudnn.evidence]),
        gpu_evidence=arch.evidence,
        disagreements=(*cudnn.disagreements, *arch.disagreements),
    )


def _variants(version: str) -> list[Variant]:
    return [record for record in load(TorchFile).variant if _covers(record.torch, version)]


def _covers(recorded: str, version: str) -> bool:
    """A record of ``2.14`` speaks of all 2.14 releases, one of ``2.14.1`` of that alone."""
    if recorded.count(".") > 1:
        return same_release(recorded, version)
    return first_parts(public_of(version), 2) == recorded


def _documented_cudnn(version: str, cuda: str) -> list[Claim[str]]:
    return [
        Claim(
            value=record.cudnn,
            evidence=record.evidence(
                f"torch {record.torch} for CUDA {cuda} is built with cuDNN {record.cudnn}"
            ),
        )
        for record in load(TorchFile).matrix
        if record.cuda == cuda and _covers(record.torch, version)
    ]


def _documented_arch(version: str, cuda: str, machine: str) -> list[Claim[Arch]]:
    return [
        Claim(
            value=record,
            evidence=record.binary(
                f"torch {record.torch} for CUDA {record.cuda} holds GPU code for {', '.join(record.sm)}"
                + (f" and PTX for {', '.join(record.ptx)}" if record.ptx else "")
            ),
        )
        for record in load(TorchFile).arch
        if record.torch
        and record.cuda == cuda
        and record.arch == machine
        and same_release(record.torch, version)
    ]

"""Builds of ONNX Runtime, and which of them share CUDA and cuDNN with which torch."""

from functools import lru_cache
from typing import ClassVar, Literal

from msgspec import Struct
from packaging.version import Version

from layerwright.core.findings import Evidence
from layerwright.facts.compat import torch as torch_records
from layerwright.facts.compat.evidence import Claim, Disagreement, settle, strongest_first
from layerwright.facts.compat.records import Record, RecordFile, Rule, load
from layerwright.facts.compat.versions import first_parts, public_of, same_release

__all__ = [
    "CpuBuild",
    "GpuBuild",
    "OnnxRuntimeFile",
    "Partners",
    "cpu_build",
    "gpu_build",
    "gpu_releases",
    "partners_of_onnxruntime",
    "partners_of_torch",
    "rule",
    "tensorrt",
    "triton_onnxruntime",
]


class Stack(Record, frozen=True, kw_only=True):
    """Releases on PyPI that need the same majors; without ``onnxruntime_gpu`` those of torch have no partner there."""

    cuda_major: str
    cudnn_major: str = ""
    torch: tuple[str, ...]
    onnxruntime_gpu: tuple[str, ...] = ()


class Gpu(Record, frozen=True, kw_only=True):
    """An onnxruntime-gpu release on PyPI, of the x86_64 wheel. Empty and zero: not read.

    Attributes:
        cuda_build_from: where in the wheel ``cuda_build`` stands.
        cudnn_in: which providers name cuDNN.
        linkage: ``needed``, or ``preload`` when the CUDA provider has no CUDA library in DT_NEEDED.
        cuda_needed: CUDA libraries in DT_NEEDED of the CUDA provider.
        cuda_named: further ones that stand in it as strings; not all are required.
        extras_unresolvable: its extras ask for packages that are placeholders on PyPI.
    """

    version: str
    cuda_build: str = ""
    cuda_build_from: str = ""
    cuda_major: str = ""
    cudnn_major: str = ""
    cudnn_major_from: str = ""
    cudnn_in: str = ""
    linkage: Literal["", "needed", "preload"] = ""
    cuda_needed: tuple[str, ...] = ()
    cuda_named: tuple[str, ...] = ()
    tensorrt_needed: tuple[str, ...] = ()
    extras_cuda: tuple[str, ...] = ()
    extras_cudnn: tuple[str, ...] = ()
    extras_unresolvable: bool = False
    python: tuple[str, ...]
    python_free_threaded: tuple[str, ...] = ()
    requires_python: str = ""
    numpy: str = ""
    numpy_api: Literal[0, 1, 2] = 0
    platform_tags: tuple[str, ...]
    arches: tuple[str, ...]
    glibc_needed: str = ""
    glibcxx_needed: str = ""
    sm: tuple[str, ...] = ()
    ptx: tuple[str, ...] = ()
    size_mb: int
    yanked: bool = False


class Cpu(Record, frozen=True, kw_only=True):
    """An onnxruntime release on PyPI."""

    version: str
    python: tuple[str, ...]
    python_free_threaded: tuple[str, ...] = ()
    requires_python: str = ""
    numpy: str = ""
    numpy_api: Literal[0, 1, 2] = 0
    platform_tags: tuple[str, ...]
    glibc_needed: str = ""
    yanked: bool = False


class Documented(Record, frozen=True, kw_only=True):
    """A row of the project's table; ``onnxruntime`` is a release, a minor release, ``1.21-1.26`` or ``1.27+``."""

    onnxruntime: str
    cuda: str
    cudnn: str
    on_pypi: bool
    note: str = ""


class ArchDocumented(Record, frozen=True, kw_only=True):
    """GPU architectures that the project states for its builds."""

    onnxruntime: str
    cuda: str
    os: str
    sm: tuple[str, ...]
    ptx: tuple[str, ...]


class Absent(Record, frozen=True, kw_only=True):
    """A release of onnxruntime that onnxruntime-gpu on PyPI has not."""

    version: str


class TensorRt(Record, frozen=True, kw_only=True):
    """The TensorRT that a minor release documents."""

    onnxruntime: str
    tensorrt: str


class TritonImage(Record, frozen=True, kw_only=True):
    """The ONNX Runtime in a release of NVIDIA's Triton image."""

    triton: str
    onnxruntime: str


class OnnxRuntimeFile(RecordFile, frozen=True, kw_only=True):
    """``onnxruntime.toml``."""

    FILE: ClassVar[str] = "onnxruntime.toml"

    rule: tuple[Rule, ...]
    stack: tuple[Stack, ...]
    gpu: tuple[Gpu, ...]
    cpu: tuple[Cpu, ...]
    documented: tuple[Documented, ...]
    arch_documented: tuple[ArchDocumented, ...]
    absent_from_pypi: tuple[Absent, ...]
    tensorrt: tuple[TensorRt, ...]
    triton_image: tuple[TritonImage, ...]


class GpuBuild(Struct, frozen=True, kw_only=True):
    """What is recorded of one onnxruntime-gpu. Empty and zero: not known.

    Attributes:
        on_pypi: PyPI serves it. Of others only what the project documents is known.
        cuda: toolkit it was built with, ``12.2``.
        cudnn_major: ``9``. See ``cudnn_in``: from 1.28.0 on the CUDA provider itself does without.
        linkage: ``needed``: the loader wants the CUDA libraries. ``preload``: they are opened at run time.
        cuda_needed: sonames its CUDA provider wants from the loader.
        cuda_named: further sonames that stand in it as strings.
        tensorrt_needed: sonames its TensorRT provider wants.
        sm, ptx: of the CUDA provider's fat binary. ``ptx`` empty with a non-empty ``sm``: it has none.
        extras_cuda, extras_cudnn: requirements of its extras ``cuda`` and ``cudnn``.
        extras_resolvable: False when these name packages that are placeholders on PyPI.
        numpy: its requirement on NumPy, ``>=1.21.6``.
    """

    version: str
    on_pypi: bool = False
    cuda: str = ""
    cuda_major: str = ""
    cudnn_major: str = ""
    cudnn_in: str = ""
    linkage: Literal["", "needed", "preload"] = ""
    cuda_needed: tuple[str, ...] = ()
    cuda_named: tuple[str, ...] = ()
    tensorrt_needed: tuple[str, ...] = ()
    sm: tuple[str, ...] = ()
    ptx: tuple[str, ...] = ()
    extras_cuda: tuple[str, ...] = ()
    extras_cudnn: tuple[str, ...] = ()
    extras_resolvable: bool = True
    numpy: str = ""
    numpy_api: int = 0
    glibc: str = ""
    glibcxx: str = ""
    python: tuple[str, ...] = ()
    requires_python: str = ""
    evidence: tuple[Evidence, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()


class CpuBuild(Struct, frozen=True, kw_only=True):
    """What is recorded of one onnxruntime (CPU). Empty and zero: not known."""

    version: str
    numpy: str = ""
    numpy_api: int = 0
    glibc: str = ""
    python: tuple[str, ...] = ()
    requires_python: str = ""
    evidence: tuple[Evidence, ...] = ()


class Partners(Struct, frozen=True, kw_only=True):
    """Releases on PyPI that share the CUDA major and the cuDNN major with one release of the other package.

    Attributes:
        cuda_major, cudnn_major: what they share; "none" for a CPU build, empty when not known.
        versions: oldest first. Empty with ``known``: no recorded release on PyPI goes with it.
        known: False when the majors of the release asked for are not known, so nobody can say.
    """

    cuda_major: str = ""
    cudnn_major: str = ""
    versions: tuple[str, ...] = ()
    known: bool = False
    evidence: tuple[Evidence, ...] = ()


def gpu_releases() -> tuple[str, ...]:
    """Versions of onnxruntime-gpu on PyPI that are recorded, oldest first."""
    return tuple(record.version for record in load(OnnxRuntimeFile).gpu)


@lru_cache(maxsize=256)  # repairs go through all releases, for each change that is tried
def gpu_build(version: str, *, from_pypi: bool = True) -> GpuBuild | None:
    """What is recorded of an onnxruntime-gpu; None when nothing is.

    Of a release whose wheel was not read, and of builds that come from elsewhere (``from_pypi`` False), it is what the
    project documents.
    """
    records = load(OnnxRuntimeFile)
    documented = [
        row for row in records.documented if row.on_pypi == from_pypi and _covers(row.onnxruntime, version)
    ]
    if from_pypi:
        for record in records.gpu:
            if same_release(record.version, version):
                return _read(record, version, documented)
    return _documented(version, documented)


def cpu_build(version: str) -> CpuBuild | None:
    """What is recorded of an onnxruntime (CPU) on PyPI; None when nothing is."""
    for record in load(OnnxRuntimeFile).cpu:
        if same_release(record.version, version):
            return CpuBuild(
                version=version,
                numpy=record.numpy,
                numpy_api=record.numpy_api,
                glibc=record.glibc_needed,
                python=record.python + record.python_free_threaded,
                requires_python=record.requires_python,
                evidence=(record.evidence(f"onnxruntime {record.version} needs NumPy {record.numpy}"),),
            )
    return None


def partners_of_torch(version: str) -> Partners:
    """Which onnxruntime-gpu on PyPI can share a process with a torch: same CUDA major, same cuDNN major."""
    build = torch_records.build(version)
    if build is None or not build.cuda_major:
        return Partners()
    candidates = [record for record in load(OnnxRuntimeFile).gpu if record.cuda_major == build.cuda_major]
    if candidates and not build.cudnn_major:
        return Partners(cuda_major=build.cuda_major, evidence=build.evidence)
    found = [record for record in candidates if record.cudnn_major == build.cudnn_major]
    return Partners(
        cuda_major=build.cuda_major,
        cudnn_major=build.cudnn_major,
        versions=tuple(record.version for record in found),
        known=True,
        evidence=(*build.evidence, rule("one-process")),
    )


def partners_of_onnxruntime(version: str, *, from_pypi: bool = True) -> Partners:
    """Which torch on PyPI can share a process with an onnxruntime-gpu: same CUDA major, same cuDNN major."""
    build = gpu_build(version, from_pypi=from_pypi)
    if build is None or not build.cuda_major or not build.cudnn_major:
        return Partners()
    found = [
        record.version
        for record in load(torch_records.TorchFile).release
        if first_parts(record.cuda, 1) == build.cuda_major
        and first_parts(record.cudnn, 1) == build.cudnn_major
    ]
    return Partners(
        cuda_major=build.cuda_major,
        cudnn_major=build.cudnn_major,
        versions=tuple(found),
        known=True,
        evidence=(*build.evidence, rule("one-process")),
    )


def rule(name: Literal["one-process", "both-packages", "silent-cpu", "1.23.0-ptx"]) -> Evidence:
    """A rule that holds for all of it, as evidence."""
    return next(record.evidence(record.text) for record in load(OnnxRuntimeFile).rule if record.id == name)


def tensorrt(version: str) -> Claim[str] | None:
    """The TensorRT that is documented for a release; None when it is not."""
    for record in load(OnnxRuntimeFile).tensorrt:
        if _covers(record.onnxruntime, version):
            text = f"onnxruntime {record.onnxruntime} is documented for TensorRT {record.tensorrt}"
            return Claim(value=record.tensorrt, evidence=record.evidence(text))
    return None


def triton_onnxruntime(release: str) -> Claim[str] | None:
    """The ONNX Runtime in a Triton image, by its month ``26.08``; None when it is not recorded."""
    for record in load(OnnxRuntimeFile).triton_image:
        if record.triton == release:
            text = f"Triton {release} carries ONNX Runtime {record.onnxruntime}"
            return Claim(value=record.onnxruntime, evidence=record.evidence(text))
    return None


def _read(record: Gpu, version: str, documented: list[Documented]) -> GpuBuild:
    name = f"onnxruntime-gpu {record.version} on PyPI"
    cuda: list[Claim[str]] = []
    cudnn: list[Claim[str]] = []
    if record.cuda_build:
        text = f"{name} was built with CUDA {record.cuda_build} ({record.cuda_build_from})"
        cuda.append(Claim(value=record.cuda_build, evidence=record.evidence(text)))
    if record.cuda_major and record.cudnn_major:
        read = record.binary(f"{name} needs CUDA {record.cuda_major} and cuDNN {record.cudnn_major}")
        cuda += [] if cuda else [Claim(value=record.cuda_major, evidence=read)]
        cudnn.append(Claim(value=record.cudnn_major, evidence=read))
    for row in documented:
        said = _said(row)
        cuda.append(Claim(value=row.cuda, evidence=said))
        cudnn.append(Claim(value=first_parts(row.cudnn, 1), evidence=said))
    built, with_cudnn = settle(cuda, _agree), settle(cudnn)
    evidence = [*with_cudnn.evidence, *built.evidence]
    if record.cuda_needed:
        text = f"the CUDA provider of {name} needs {', '.join(record.cuda_needed)}"
        evidence.append(record.binary(text))
    return GpuBuild(
        version=version,
        on_pypi=True,
        cuda=record.cuda_build,
        cuda_major=record.cuda_major or first_parts(built.value or "", 1),
        cudnn_major=record.cudnn_major or with_cudnn.value or "",
        cudnn_in=record.cudnn_in,
        linkage=record.linkage,
        cuda_needed=record.cuda_needed,
        cuda_named=record.cuda_named,
        tensorrt_needed=record.tensorrt_needed,
        sm=record.sm,
        ptx=record.ptx,
        extras_cuda=record.extras_cuda,
        extras_cudnn=record.extras_cudnn,
        extras_resolvable=not record.extras_unresolvable,
        numpy=record.numpy,
        numpy_api=record.numpy_api,
        glibc=record.glibc_needed,
        glibcxx=record.glibcxx_needed,
        python=record.python + record.python_free_threaded,
        requires_python=record.requires_python,
        evidence=strongest_first(evidence),
        disagreements=built.disagreements + with_cudnn.disagreements,
    )


def _documented(version: str, rows: list[Documented]) -> GpuBuild | None:
    """What the documentation alone says; nothing where its rows differ."""
    if not rows:
        return None
    cuda = {first_parts(row.cuda, 1) for row in rows}
    cudnn = {first_parts(row.cudnn, 1) for row in rows}
    exact = {row.cuda for row in rows}
    build = exact.pop() if len(exact) == 1 else ""
    return GpuBuild(
        version=version,
        cuda="" if build.endswith("x") else build,
        cuda_major=cuda.pop() if len(cuda) == 1 else "",
        cudnn_major=cudnn.pop() if len(cudnn) == 1 else "",
        evidence=strongest_first(_said(row) for row in rows),
    )


def _said(row: Documented) -> Evidence:
    return row.evidence(
        f"onnxruntime {row.onnxruntime} is documented for CUDA {row.cuda} and cuDNN {row.cudnn}"
    )


def _agree(left: str, right: str) -> bool:
    """``12.x`` and ``12`` agree with ``12.2``; ``12.8`` does not."""
    return all(
        one == other or "x" in (one, other)
        for one, other in zip(left.split("."), right.split("."), strict=False)
    )


def _covers(recorded: str, version: str) -> bool:
    try:
        asked = Version(public_of(version))
    except ValueError:  # InvalidVersion, or more digits than Python reads
        return False
    minor = Version(f"{asked.major}.{asked.minor}")
    if recorded.endswith("+"):
        return minor >= Version(recorded.removesuffix("+"))
    first, dash, last = recorded.partition("-")
    if dash:
        return Version(first) <= minor <= Version(last)
    if recorded.count(".") > 1:
        return asked == Version(recorded)
    return minor == Version(recorded)

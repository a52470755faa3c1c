"""The packages are built for the accelerator that the image is meant for."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level
from layerwright.facts.compat.versions import local_of
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.cuda import fully_read
from layerwright.rules.repairs import key_fix, packages_fix, remove_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

CPU_ONLY = Kind(
    code="LW-GPU-UNUSED",
    title="An image for GPUs holds engines for the CPU only",
    why="The image asks for a GPU, is scheduled onto one, and computes on the CPU: `onnxruntime` has no CUDA "
    "provider, and a torch tagged +cpu has no CUDA. Nothing fails, it is just slow and dear.",
    evidence="The names and local tags of the locked packages, and the CUDA libraries that their binaries need.",
    repair='Take onnxruntime-gpu, or torch\'s CUDA build; or say `accelerator = "cpu"`.',
)
CUDA_ON_CPU = Kind(
    code="LW-CPU-CUDA",
    title="An image for CPUs holds CUDA libraries",
    why="PyPI's torch for Linux is a CUDA build: several gigabytes of nvidia-* wheels that a CPU never uses, pulled "
    "and scanned by every node.",
    evidence="The nvidia-* wheels in the lock and their sizes, and who requires them.",
    repair="Take torch from pytorch.org's index of CPU builds, and onnxruntime in place of onnxruntime-gpu.",
)
KINDS = (CPU_ONLY, CUDA_ON_CPU)

_INDEX: Final = (
    '[indexes.pytorch-cpu]\nurl = "https://download.pytorch.org/whl/cpu"\nexplicit = true\n'
    'packages = ["torch", "torchvision", "torchaudio"]'
)


def check(case: Case) -> Iterator[Finding]:
    """Look at the engines of an image, by its accelerator."""
    if case.subject.accelerator == "nvidia":
        yield from _cpu_only(case)
    elif case.subject.accelerator == "cpu":
        yield from _cuda_on_cpu(case)


def _cpu_only(case: Case) -> Iterator[Finding]:
    slow = [
        package
        for package in (case.package("onnxruntime"), case.package("torch"))
        if package and _is_cpu(case, package)
    ]
    fast = [need for need in case.cuda.needs if need.cuda]
    if not slow or fast:
        return
    level: Level = "error" if case.subject.role == "inference" else "warning"
    fixes = []
    for package in slow:
        if package.name == "onnxruntime":
            fixes.append(
                packages_fix(
                    package,
                    f"onnxruntime-gpu[cuda,cudnn]=={package.version}",
                    "take onnxruntime-gpu, which has the CUDA provider",
                    cost=8,
                )
            )
        else:
            public = package.version.partition("+")[0]
            fixes.append(
                packages_fix(
                    package,
                    f"torch=={public}",
                    f"take torch {public} from PyPI, which is built for CUDA",
                    cost=8,
                )
            )
    fixes.append(key_fix(case, "accelerator", "cpu", "say that the image is for CPUs", cost=12))
    yield case.finding(
        CPU_ONLY,
        level,
        f"the image is meant for NVIDIA GPUs, and {' and '.join(map(named, slow))} compute"
        f"{'s' if len(slow) == 1 else ''} on the CPU only",
        evidence=[_evidence(package) for package in slow],
        fix=fixes,
        members=[*(case.wheel(package) for package in slow), case.accelerator()],
    )


def _is_cpu(case: Case, package: Package) -> bool:
    if package.name == "onnxruntime":
        return case.package("onnxruntime-gpu") is None
    if local_of(package.version) == "cpu":
        return True
    return fully_read(package) and case.cuda.need(package.name) is None


def _evidence(package: Package) -> Evidence:
    if package.name == "onnxruntime":
        text = "the package onnxruntime holds the CPU provider; the CUDA provider is in onnxruntime-gpu"
        return Evidence(text=text, source="onnxruntime.ai docs, Install ONNX Runtime", confidence="docs")
    text = f"no library of {named(package)} needs CUDA" if package.facts else f"the tag of {named(package)}"
    source = package.facts.file if package.facts else package.index or "layerwright.lock"
    return Evidence(text=text, source=source, confidence="binary" if package.facts else "metadata")


def _cuda_on_cpu(case: Case) -> Iterator[Finding]:
    wheels = [package for packages in case.cuda.wheels_major().values() for package in packages]
    wheels += [
        package
        for package in case.subject.packages.values()
        if package.name.startswith("nvidia-")
        and package not in wheels
        and package.facts
        and package.facts.libraries
    ]
    runtime = case.package("onnxruntime-gpu")
    if not wheels and runtime is None:
        return
    users = [need.package for need in case.cuda.needs if need.cuda]
    first = users[0] if users else (runtime or wheels[0])
    size = sum(package.facts.size for package in wheels if package.facts)
    weight = f" ({size / 1e9:.1f} GB)" if size >= 50_000_000 else ""  # noqa: PLR2004 - less is not worth a word
    extra = f" and {len(wheels)} nvidia-* wheels{weight}" if wheels else ""
    fixes = []
    if any(package.name == "torch" for package in users):
        fixes.append(Fix(text="take torch from the index of CPU builds", edit=_INDEX, cost=6))
    if runtime is not None:
        fixes.append(
            packages_fix(
                runtime, f"onnxruntime=={runtime.version}", "take onnxruntime, which has no CUDA", cost=5
            )
            if runtime.requested
            else remove_fix(runtime, "leave out what asks for onnxruntime-gpu", cost=15)
        )
    fixes.append(key_fix(case, "accelerator", "nvidia", "say that the image is for NVIDIA's GPUs", cost=12))
    yield case.finding(
        CUDA_ON_CPU,
        "note",
        f"the image is for CPUs, and holds {named(first)}, built for CUDA{extra if first not in wheels else ''}",
        evidence=[
            Evidence(
                text=f"the lock has {named(package)}",
                source=package.facts.file if package.facts else package.index or "layerwright.lock",
                confidence="metadata",
            )
            for package in [first, *wheels][:4]
        ],
        fix=fixes,
        members=[case.wheel(first), case.accelerator()],
    )

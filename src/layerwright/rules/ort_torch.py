"""torch and onnxruntime-gpu in one process share CUDA and cuDNN."""

from collections.abc import Iterator

from layerwright.core.findings import Finding, Fix, Kind, Level
from layerwright.facts.compat import onnxruntime
from layerwright.rules.case import Case
from layerwright.rules.cuda import CudaNeed
from layerwright.rules.releases import newest
from layerwright.rules.repairs import packages_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

TORCH = Kind(
    code="LW-ORT-TORCH",
    title="torch and onnxruntime-gpu are built for different CUDA or cuDNN majors",
    why="The two are used in one process, and torch brings its own CUDA. When onnxruntime-gpu wants other majors it "
    "finds none of its libraries and falls back to the CPU, or, when both sets are there, loads a second CUDA into "
    "the process: twice the memory on the GPU, gigabytes more in the image, and crashes that depend on the order of "
    "imports.",
    evidence="The sonames that libtorch_cuda.so and libonnxruntime_providers_cuda.so of the locked wheels need "
    "(libcublas.so.12, libcudnn.so.9, …). Where a wheel was not read: its release as recorded. ONNX Runtime's "
    "documentation asks for equal majors of both.",
    repair="Take an onnxruntime-gpu that was built for torch's majors, or a torch for those of onnxruntime-gpu; the "
    "finding names the releases. Torch 2.1 to 2.3 on PyPI (CUDA 12, cuDNN 8) have no partner on PyPI.",
)
KINDS = (TORCH,)


def check(case: Case) -> Iterator[Finding]:
    """Compare the majors of the two."""
    torch, ort = case.cuda.need("torch"), case.cuda.need("onnxruntime-gpu")
    if torch is None or ort is None:
        return
    differing = []
    if torch.cuda and ort.cuda and torch.cuda != ort.cuda:
        differing.append("CUDA")
    if torch.cudnn and ort.cudnn and torch.cudnn != ort.cudnn:
        differing.append("cuDNN")
    if not differing:
        return
    missing = [name for name in ort.libraries if case.cuda.brought(name) == "missing"]
    level: Level = "error" if missing or not ort.libraries else "warning"
    if case.subject.role == "training" or case.subject.accelerator == "cpu":
        level = "note" if case.subject.accelerator == "cpu" else "warning"
    result = (
        f"nothing brings {', '.join(missing)}, so ONNX Runtime falls back to the CPU"
        if missing
        else "one process would load two sets of CUDA libraries"
    )
    yield case.finding(
        TORCH,
        level,
        f"{named(torch.package)} uses {_majors(torch)}, {named(ort.package)} was built for {_majors(ort)}: {result}",
        evidence=[*ort.evidence, *torch.evidence, onnxruntime.rule("one-process")],
        fix=_fixes(case, torch, ort),
        members=[case.wheel(ort.package), case.wheel(torch.package)],
    )


def _majors(need: CudaNeed) -> str:
    cuda = f"CUDA {need.cuda_version or need.cuda}"
    return f"{cuda} and cuDNN {need.cudnn}" if need.cudnn else cuda


def _fixes(case: Case, torch: CudaNeed, ort: CudaNeed) -> list[Fix]:
    fixes = []
    runtime = newest(
        case,
        "onnxruntime-gpu",
        lambda one: one.cuda_major == torch.cuda and torch.cudnn in {one.cudnn_major, ""},
    )
    if runtime is not None:
        fixes.append(
            packages_fix(
                ort.package,
                f"onnxruntime-gpu=={runtime.version}",
                f"take onnxruntime-gpu {runtime.version}, which is built for {_majors(torch)} as torch is",
                cost=10,
            )
        )
    partner = newest(
        case, "torch", lambda one: one.cuda_major == ort.cuda and ort.cudnn in {one.cudnn_major, ""}
    )
    if partner is not None:
        fixes.append(
            packages_fix(
                torch.package,
                f"torch=={partner.version}",
                f"take torch {partner.version}, which uses the same majors as {named(ort.package)}",
                cost=20,
            )
        )
    fixes.append(
        Fix(text="split the image: one with torch, one with ONNX Runtime, on a shared base", cost=60)
    )
    return fixes

"""The CUDA provider of ONNX Runtime finds the CUDA and cuDNN that it was built for."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level, Member
from layerwright.facts.compat import onnxruntime
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.cuda import CudaNeed
from layerwright.rules.cuda_names import cudnn_major
from layerwright.rules.ort_preload import can_preload
from layerwright.rules.releases import newest
from layerwright.rules.repairs import base_with, packages_fix, role_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

_WHY: Final = (
    "A missing or wrong CUDA library does not stop `import onnxruntime`: the session logs one line, falls back to the "
    "CPU and goes on, some ten to a hundred times slower. In an inference image for GPUs nobody notices until the "
    "bill or the latency does."
)

CUDA: Final = Kind(
    code="LW-ORT-CUDA",
    title="onnxruntime-gpu needs a CUDA that the image does not bring",
    why=_WHY,
    evidence="The sonames that libonnxruntime_providers_cuda.so of the locked wheel needs, against the CUDA libraries "
    "of the base and of the nvidia-* wheels. Where no binary was read: the recorded builds of onnxruntime-gpu.",
    repair="Let the wheels bring it with the extras `onnxruntime-gpu[cuda,cudnn]` (1.21 and later), start from a base "
    "with the CUDA major that the provider was built for, or take the onnxruntime-gpu that was built for the base.",
)
CUDNN: Final = Kind(
    code="LW-ORT-CUDNN",
    title="onnxruntime-gpu needs a cuDNN that the image does not bring",
    why=_WHY + " cuDNN 8 and 9 have different sonames and do not stand in for each other.",
    evidence="As for LW-ORT-CUDA: the soname of cuDNN that the CUDA provider needs (libcudnn.so.8 or .9) against the "
    "cuDNN of the base and of the nvidia-cudnn-* wheels.",
    repair="Take the extra `onnxruntime-gpu[cuda,cudnn]`, a base whose tag names the right cuDNN (`cudnn8`, or `cudnn` "
    "from CUDA 12.4 on for cuDNN 9), or the onnxruntime-gpu built for the cuDNN that is there.",
)
KINDS = (CUDA, CUDNN)

_SHOWN: Final = 4


def check(case: Case) -> Iterator[Finding]:
    """Look for the libraries of the CUDA provider."""
    need = case.cuda.need("onnxruntime-gpu")
    package = case.package("onnxruntime-gpu")
    if package is None or case.subject.accelerator != "nvidia":
        return
    if need is None:
        yield case.finding(
            CUDA,
            "unknown",
            f"nobody can say which CUDA {named(package)} needs: its wheel was not read"
            f"{f' ({package.why_not})' if package.why_not else ''} and the release is not recorded",
            members=[case.wheel(package)],
        )
        return
    names = need.libraries or _implied(need)
    states = {name: case.cuda.brought(name) for name in names}
    missing = [name for name in names if states[name] == "missing"]
    doubtful = [name for name in names if states[name] == "unknown"]
    if missing and _torch_explains(case, need):
        return
    if missing:
        yield _missing(case, need, missing)
    elif doubtful:
        yield _doubtful(case, need, doubtful)


def _implied(need: CudaNeed) -> tuple[str, ...]:
    """The telling libraries of the majors, where only the majors are recorded."""
    cudart = "libcudart.so.11.0" if need.cuda == "11" else f"libcudart.so.{need.cuda}"
    cudnn = (f"libcudnn.so.{need.cudnn}",) if need.cudnn else ()
    return (cudart, f"libcublasLt.so.{need.cuda}", *cudnn)


def _missing(case: Case, need: CudaNeed, missing: list[str]) -> Finding:
    """One finding for both: who lacks CUDA most often lacks cuDNN, for the same reason."""
    kind = CUDA if any(not cudnn_major(name) for name in missing) else CUDNN
    level: Level = "note" if case.subject.role == "training" else "error"
    members = [case.wheel(need.package), case.base(), *_other_wheels(case, need, kind)]
    if case.subject.role == "inference":
        members.append(case.role())
    return case.finding(
        kind,
        level,
        f"{named(need.package)} needs {_wants(need, missing)}, but {_what_is_there(case, kind)}: the session would run "
        "on the CPU without an error",
        evidence=[*need.evidence, *_base_evidence(case), *_wheel_evidence(case, need, kind)],
        fix=_fixes(case, need),
        members=members,
    )


def _doubtful(case: Case, need: CudaNeed, doubtful: list[str]) -> Finding:
    kind = CUDA if any(not cudnn_major(name) for name in doubtful) else CUDNN
    return case.finding(
        kind,
        "unknown",
        f"{named(need.package)} needs {_wants(need, doubtful)}, and whether {case.base_name} brings that is not known",
        evidence=[*need.evidence, *_base_evidence(case)],
        fix=_fixes(case, need)[:1],
        members=[case.wheel(need.package), case.base()],
    )


def _wants(need: CudaNeed, names: list[str]) -> str:
    majors = [f"CUDA {need.cuda}"] if any(not cudnn_major(name) for name in names) else []
    majors += [f"cuDNN {need.cudnn}"] if any(cudnn_major(name) for name in names) else []
    telling = sorted(
        names, key=lambda name: (not name.startswith(("libcublas.", "libcudnn.", "libcudart.")), name)
    )
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{' and '.join(majors)} ({', '.join(telling[:_SHOWN])}{more})"


def _base_evidence(case: Case) -> tuple[Evidence, ...]:
    return case.base_evidence(
        "names CUDA", "no CUDA", "hold cuDNN", "holds torch", "libraries where the loader looks"
    )


def _torch_explains(case: Case, need: CudaNeed) -> bool:
    """The rule on torch says it already, with torch as the other side."""
    torch = case.cuda.need("torch")
    if torch is None:
        return False
    return torch.cuda != need.cuda or (bool(torch.cudnn) and bool(need.cudnn) and torch.cudnn != need.cudnn)


def _other_wheels(case: Case, need: CudaNeed, kind: Kind) -> list[Member]:
    return [case.wheel(package) for package in _wrong_wheels(case, need, kind)]


def _wrong_wheels(case: Case, need: CudaNeed, kind: Kind) -> list[Package]:
    """The nvidia-* wheels that bring the same thing for another major: one per major."""
    if kind is CUDNN:
        return [package for major, package in case.cuda.wheels_cudnn().items() if major != need.cudnn]
    return [packages[0] for major, packages in case.cuda.wheels_major().items() if major != need.cuda]


def _wheel_evidence(case: Case, need: CudaNeed, kind: Kind) -> list[Evidence]:
    return [
        Evidence(text=f"the lock has {named(package)}", source="layerwright.lock", confidence="metadata")
        for package in _wrong_wheels(case, need, kind)
    ]


def _what_is_there(case: Case, kind: Kind) -> str:
    """What of it the image has instead."""
    base = case.subject.base
    if kind is CUDNN:
        cudnn = case.cuda.wheels_cudnn()
        if cudnn:
            return f"the wheels bring {' and '.join(named(package) for package in cudnn.values())}"
        if base.cudnn == "none":
            return f"{case.base_name} has no cuDNN"
        return f"{case.base_name} has cuDNN {base.cudnn}" if base.cudnn else f"{case.base_name} lacks it"
    wheels = case.cuda.wheels_major()
    if wheels:
        return f"the image has wheels for CUDA {' and '.join(sorted(wheels))}, on {case.base_with_cuda}"
    if base.cuda in {"", "none"}:
        return f"{case.base_name} has {'no CUDA' if base.cuda else 'none of them'}"
    if base.flavour == "base":
        return f"{case.base_with_cuda} is of flavour {base.flavour!r}, which has libcudart alone"
    return f"the image starts from {case.base_with_cuda.removeprefix('the base ')}"


def _fixes(case: Case, need: CudaNeed) -> list[Fix]:
    """Cheapest first: the extras, the release for this base, another base, another role."""
    package = need.package
    fixes = []
    if can_preload(package.version) and not case.cuda.wheels_major():
        build = onnxruntime.gpu_build(package.version)
        if build is None or build.extras_resolvable:
            fixes.append(
                packages_fix(
                    package,
                    f"onnxruntime-gpu[cuda,cudnn]=={package.version}",
                    f"let wheels bring CUDA {need.cuda} and cuDNN; call onnxruntime.preload_dlls() before a session",
                    cost=5,
                )
            )
    other = _release_for_base(case)
    if other and other != package.version:
        fixes.append(
            packages_fix(
                package,
                f"onnxruntime-gpu=={other}",
                f"take onnxruntime-gpu {other}, which was built for CUDA {case.cuda.base_major} and "
                f"cuDNN {case.cuda.base_cudnn} as the base has them",
                cost=15,
            )
        )
    fixes += base_with(case, cuda=need.cuda, cudnn=need.cudnn)
    if case.subject.role == "inference":
        fixes.append(role_fix(case, "training", "accept that ONNX Runtime falls back to the CPU", cost=60))
    return fixes


def _release_for_base(case: Case) -> str:
    """The newest onnxruntime-gpu on PyPI that was built for the base's CUDA and cuDNN."""
    cuda, cudnn = case.cuda.base_major, case.cuda.base_cudnn
    if not cuda or not cudnn or "none" in {cuda, cudnn}:
        return ""
    found = newest(case, "onnxruntime-gpu", lambda one: one.cuda_major == cuda and one.cudnn_major == cudnn)
    return found.version if found else ""

"""The packages hold code for the machine's GPUs."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.compat import cuda, gpu, onnxruntime, torch
from layerwright.facts.compat.versions import at_least
from layerwright.facts.model import Gpu, HostFacts, Library, Package
from layerwright.rules.case import Case
from layerwright.rules.releases import Build, newest
from layerwright.rules.repairs import packages_fix
from layerwright.rules.words import binary, named

__all__ = ["KINDS", "check"]

ARCH = Kind(
    code="LW-GPU-ARCH",
    title="A package holds no code for the machine's GPU",
    why="The first kernel fails: `CUDA error: no kernel image is available for execution on the device`. New boards "
    "need a new enough build, and each CUDA major drops old ones.",
    evidence="The compute capabilities of the machine code and PTX in the wheel's fat binaries, NVIDIA's rules on "
    "which of them a GPU runs, the GPUs in the record of the machine. Where the wheel was not read: recorded builds.",
    repair="Take a release whose binaries hold code for the GPU; the finding names one where it is recorded.",
)
KINDS = (ARCH,)

_CODE = {
    "torch": "torch/lib/libtorch_cuda",
    "onnxruntime-gpu": "onnxruntime/capi/libonnxruntime_providers_cuda.so",
}


def check(case: Case) -> Iterator[Finding]:
    """Compare each GPU of the machine with each engine."""
    host = case.subject.host
    if host is None or not case.nvidia:
        return
    boards = {board.compute_capability: board for board in host.gpus if board.vendor == "nvidia"}
    for name, path in _CODE.items():
        package = case.package(name)
        if package is None or case.cuda.need(name) is None:
            continue
        sm, ptx, evidence = _code(case, package, path)
        for capability, board in boards.items():
            yield from _judge(case, package, board, capability, (sm, ptx, evidence), host)


def _code(case: Case, package: Package, path: str) -> tuple[tuple[str, ...], tuple[str, ...], list[Evidence]]:
    """Machine code and PTX of a package: of its binaries, else as recorded."""
    holders: list[Library] = [
        library
        for library in (package.facts.libraries if package.facts else ())
        if library.path.startswith(path) and (library.sm or library.ptx)
    ]
    if holders:
        main = max(holders, key=lambda library: len(library.sm) + len(library.ptx))
        text = f"holds code for {', '.join(main.sm) or 'no GPU'}" + (
            f" and PTX for {', '.join(main.ptx)}" if main.ptx else ""
        )
        return main.sm, main.ptx, [binary(package, main, text)]
    if package.name == "torch":
        build = torch.build(package.version, case.subject.platform.architecture)
        return (build.sm + build.sm_few_kernels, build.ptx, list(build.evidence)) if build else ((), (), [])
    runtime = onnxruntime.gpu_build(package.version)
    if runtime is None or not runtime.sm:
        return (), (), []
    code = Evidence(
        text=f"{named(package)} holds code for {', '.join(runtime.sm)}"
        + (f" and PTX for {', '.join(runtime.ptx)}" if runtime.ptx else " and no PTX"),
        source=runtime.evidence[0].source,
        confidence=runtime.evidence[0].confidence,
    )
    return runtime.sm, runtime.ptx, [code]


def _judge(
    case: Case,
    package: Package,
    board: Gpu,
    capability: str,
    code: tuple[tuple[str, ...], tuple[str, ...], list[Evidence]],
    host: HostFacts,
) -> Iterator[Finding]:
    sm, ptx, evidence = code
    found = gpu.kernels(sm, ptx, capability)
    machine = f"{board.name} of {host.name or 'the machine'}"
    members = [case.wheel(package)]
    need = case.cuda.need(package.name)
    if found.verdict == "none":
        yield case.finding(
            ARCH,
            "error",
            f"{named(package)} holds code for {', '.join(sm) or 'no GPU'}{_ptx_words(ptx)}, and {machine} has compute "
            f"capability {capability}",
            evidence=[*evidence, *found.evidence],
            fix=_fixes(case, package, capability),
            members=members,
        )
    elif found.verdict == "ptx" and need and _ptx_too_new(need.cuda_version or need.cuda, host):
        yield case.finding(
            ARCH,
            "error",
            f"{named(package)} has only PTX (of compute capability {found.via}) for {machine} ({capability}), which "
            f"driver {host.driver_version} cannot compile: it is older than CUDA {need.cuda_version or need.cuda}",
            evidence=[*evidence, *found.evidence],
            fix=[*_fixes(case, package, capability), Fix(text="update the driver", cost=100)],
            members=members,
        )
    elif found.verdict == "ptx":
        yield case.finding(
            ARCH,
            "note",
            f"{named(package)} has only PTX (of compute capability {found.via}) for {machine} ({capability}): the "
            "driver compiles it at the first start, which takes minutes",
            evidence=[*evidence, *found.evidence],
            members=members,
        )
    elif found.verdict == "unknown":
        reason = (
            f"the capability of {board.name} is not in the record"
            if not capability
            else "its code was not read and is not recorded"
        )
        yield case.finding(
            ARCH,
            "unknown",
            f"whether {named(package)} runs on {machine} is not known: {reason}",
            evidence=[*evidence, *found.evidence],
            members=members,
        )


def _ptx_words(ptx: tuple[str, ...]) -> str:
    return f" and PTX for {', '.join(ptx)}" if ptx else " and no PTX"


def _ptx_too_new(version: str, host: HostFacts) -> bool:
    """The driver is older than the toolkit that made the PTX."""
    own = cuda.toolkit(version) if "." in version else None
    return own is not None and bool(host.driver_version) and not at_least(host.driver_version, own.driver)


def _fixes(case: Case, package: Package, capability: str) -> list[Fix]:
    """The newest recorded release that has code for the GPU, of the same CUDA major if there is one."""
    need = case.cuda.need(package.name)

    def serves(one: Build) -> bool:
        return gpu.kernels(one.sm, one.ptx, capability).verdict in {"cubin", "ptx"}

    found = newest(
        case, package.name, lambda one: serves(one) and need is not None and one.cuda_major == need.cuda
    )
    found = found or newest(case, package.name, serves)
    if found is None:
        return []
    return [
        packages_fix(
            package,
            f"{package.name}=={found.version}",
            f"take {package.name} {found.version} (CUDA {found.cuda}), which holds code for it",
            cost=15,
        )
    ]

"""torchvision and torchaudio fit the torch beside them."""

from collections.abc import Iterator
from typing import Literal

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Member
from layerwright.facts.compat import musa, vision
from layerwright.facts.compat.versions import first_parts, local_of, public_of, same_release
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.cuda import fully_read
from layerwright.rules.repairs import version_fix
from layerwright.rules.requirements import admits, required
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

_EVIDENCE = (
    "What the extension's own wheel asks for (Requires-Dist: torch==…), or the recorded pairs where its metadata was "
    "not read. The torch is the locked one, or the base's own where the image has no other."
)

VISION = Kind(
    code="LW-TORCH-VISION",
    title="torchvision was built for another torch",
    why="torchvision's operators are compiled against one torch release and stop working with another: `operator "
    "torchvision::nms does not exist`, or undefined symbols on import. pip, left to itself, replaces torch instead.",
    evidence=_EVIDENCE,
    repair="Take the torchvision that goes with the torch (2.4 with 0.19, 2.5 with 0.20, …): the finding names it.",
)
AUDIO = Kind(
    code="LW-TORCH-AUDIO",
    title="torchaudio was built for another torch",
    why="torchaudio carries torch's own number, and its extensions are compiled against that release; with another one "
    "the import fails with undefined symbols.",
    evidence=_EVIDENCE,
    repair="Take the torchaudio with torch's number; torch 2.0.0 goes with torchaudio 2.0.1.",
)
BUILD = Kind(
    code="LW-TORCH-BUILD",
    title="torch and its companion are built for different CUDA",
    why="A torchvision or torchaudio for CUDA beside a torch for the CPU (or for another CUDA major) cannot load its "
    "extension: libcudart of the other build is missing, and the operators are not registered.",
    evidence="The CUDA libraries that each wheel's binaries need; the local tags +cpu and +cuNNN of their versions.",
    repair="Take both from the same index: both from PyPI, or both from one of pytorch.org's.",
)
KINDS = (VISION, AUDIO, BUILD)

_KINDS: tuple[tuple[Literal["torchvision", "torchaudio"], Kind], ...] = (
    ("torchvision", VISION),
    ("torchaudio", AUDIO),
)


def check(case: Case) -> Iterator[Finding]:
    """Compare each companion with torch."""
    torch = case.installed("torch")
    version = torch.version if torch else case.subject.base.torch
    if not version:
        return
    for name, kind in _KINDS:
        package = case.installed(name)
        if package is None or not package.version or _made_for_musa(case, name, package, version):
            continue
        yield from _fits(case, kind, name, package, version, torch)
        if torch is not None and package is case.package(name) and torch is case.package("torch"):
            yield from _same_build(case, package, torch)


def _made_for_musa(
    case: Case, name: Literal["torchvision", "torchaudio"], package: Package, version: str
) -> bool:
    """Whether it is what Moore Threads builds against this torch, whatever its releases elsewhere ask for."""
    extension = case.installed("torch-musa")
    release = musa.release(extension.version) if extension else None
    if release is None or not same_release(version, release.torch):
        return False
    recorded = release.torchvision if name == "torchvision" else release.torchaudio
    return bool(recorded) and same_release(package.version, recorded.removesuffix("-musa"))


def _fits(
    case: Case,
    kind: Kind,
    name: Literal["torchvision", "torchaudio"],
    package: Package,
    version: str,
    torch: Package | None,
) -> Iterator[Finding]:
    specifier, evidence = required(package, "torch"), list[Evidence]()
    if specifier:
        ok = admits(specifier, version)
        file = package.facts.file if package.facts else package.name
        evidence.append(
            Evidence(text=f"{named(package)} requires torch{specifier}", source=file, confidence="metadata")
        )
    else:
        fit = vision.fits(name, public_of(package.version), version)
        ok, specifier, evidence = fit.fits, fit.wanted, list(fit.evidence)
        if ok is False and package is not case.package(name):
            ok = _same_minor(name, package.version, version)
    other = case.called(torch) if torch else f"the torch {version} of {case.base_name}"
    members = [case.wheel(package), case.wheel(torch) if torch else case.base()]
    if ok is False:
        yield case.finding(
            kind,
            "error",
            f"{case.called(package)} {_made(case, package)} torch{specifier}, and the image has {other}",
            evidence=[*evidence, *(() if torch else case.base_evidence("torch"))],
            fix=_fixes(case, name, package, version, torch, specifier),
            members=members,
        )
    elif ok is None:
        yield case.finding(
            kind,
            "unknown",
            f"whether {case.called(package)} goes with {other} is not recorded"
            f"{f', and its wheel was not read ({package.why_not})' if package.why_not else ''}",
            members=members,
        )


def _made(case: Case, package: Package) -> str:
    return "was built for" if package is case.package(package.name) else "goes with"


def _same_minor(name: Literal["torchvision", "torchaudio"], version: str, torch: str) -> bool:
    """Sources compile against any torch of the minor release they go with; only finished wheels ask for one exactly."""
    found = vision.companions(torch)
    fitting = found.torchvision if name == "torchvision" else found.torchaudio
    return any(first_parts(one, 2) == first_parts(version, 2) for one in fitting)


def _fixes(
    case: Case,
    name: Literal["torchvision", "torchaudio"],
    package: Package,
    version: str,
    torch: Package | None,
    specifier: str,
) -> list[Fix]:
    found = vision.companions(version)
    fitting = found.torchvision if name == "torchvision" else found.torchaudio
    fixes = []
    if fitting:
        tag = local_of(package.version)
        wanted = f"{fitting[0]}+{tag}" if tag else fitting[0]
        fixes.append(version_fix(case, package, wanted, cost=5, why=f", which goes with torch {version}"))
    if torch is not None and specifier.startswith("=="):
        wanted = specifier.removeprefix("==").split(",")[0]
        why = f", which {named(package)} {_made(case, package)}"
        fixes.append(version_fix(case, torch, wanted, cost=15, why=why))
    return fixes


def _same_build(case: Case, package: Package, torch: Package) -> Iterator[Finding]:
    mine, its = _cuda(case, package), _cuda(case, torch)
    if not mine or not its or mine == its or (mine == "none" and package.name == "torchaudio"):
        return
    members: list[Member] = [case.wheel(package), case.wheel(torch)]
    needs = [need for need in (case.cuda.need(package.name), case.cuda.need("torch")) if need]
    yield case.finding(
        BUILD,
        "error",
        f"{named(package)} is built for {_words(mine)}, and {named(torch)} for {_words(its)}",
        evidence=[one for need in needs for one in need.evidence[:2]] or [_tag(package), _tag(torch)],
        fix=[Fix(text=f"take {package.name} from the index that torch comes from", cost=10)],
        members=members,
    )


def _cuda(case: Case, package: Package) -> str:
    """CUDA major of a build, "none" for the CPU, empty when not known."""
    need = case.cuda.need(package.name)
    if need is not None:
        return need.cuda
    if local_of(package.version) == "cpu":
        return "none"
    return "none" if fully_read(package) and package.name == "torch" else ""


def _words(cuda: str) -> str:
    return "the CPU only" if cuda == "none" else f"CUDA {cuda}"


def _tag(package: Package) -> Evidence:
    return Evidence(
        text=f"the lock has {named(package)}",
        source=package.index or "layerwright.lock",
        confidence="metadata",
    )

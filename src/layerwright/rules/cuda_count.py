"""One CUDA in an image, not two."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.cuda_names import cudnn_major
from layerwright.rules.repairs import base_with, from_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

TWO = Kind(
    code="LW-CUDA-TWO",
    title="The image holds CUDA libraries of two majors",
    why="Each set takes two to five gigabytes on disk and hundreds of megabytes of GPU memory per process, the driver "
    "must be new enough for the greater one, and which cuDNN a process gets depends on the order of imports: "
    "libcudnn.so.9 has the same name for CUDA 11, 12 and 13.",
    evidence="The CUDA majors of the nvidia-* wheels in the lock, and of the base.",
    repair="Take releases of the packages that share a CUDA major; a base without CUDA, when the wheels bring it; or "
    "two images.",
)
TWICE = Kind(
    code="LW-CUDA-TWICE",
    title="Base and wheels both bring CUDA",
    why="The wheels' libraries are used and the base's lie idle: one to four gigabytes for nothing. Where a program "
    "picks up parts of both (cuDNN's parts are opened by name), versions mix.",
    evidence="The nvidia-* wheels in the lock, and the tag of the base.",
    repair="Start from the `base` flavour of the same CUDA, or from a system without CUDA.",
)
KINDS = (TWO, TWICE)


def check(case: Case) -> Iterator[Finding]:
    """Count the majors of wheels, then look at the base."""
    wheels = case.cuda.wheels_major()
    base = case.cuda.base_major
    has_base = base not in {"", "none"} and case.subject.base.flavour != "base"
    if len(wheels) > 1:
        yield _two_wheels(case, wheels)
    elif wheels and has_base:
        (major, packages), *_ = wheels.items()
        if major != base:
            yield _two(case, major, packages)
        elif len(packages) > 1:
            yield _twice(case, major, packages)


def _two_wheels(case: Case, wheels: dict[str, list[Package]]) -> Finding:
    sides = [(major, packages[0], _asker(case, packages)) for major, packages in sorted(wheels.items())]
    cudnn = [package for packages in wheels.values() for package in packages if "cudnn" in package.name]
    same = (
        len(cudnn) > 1
        and len({cudnn_major(f"libcudnn.so.{one.version.split('.')[0]}") for one in cudnn}) == 1
    )
    text = " and ".join(
        f"CUDA {major} ({named(package)}{f', needed by {named(asker)}' if asker else ''})"
        for major, package, asker in sides
    )
    overwrite = f"; {' and '.join(map(named, cudnn))} even install the same files" if same else ""
    return case.finding(
        TWO,
        "error" if same else "warning",
        f"the image holds two sets of CUDA libraries: {text}{overwrite}",
        evidence=[_locked(package) for _, package, _ in sides] + [_locked(one) for one in cudnn if same],
        fix=[
            Fix(text="take releases of these packages that are built for one CUDA major", cost=20),
            Fix(text="make two images of them", cost=60),
        ],
        members=[case.wheel(asker or package) for _, package, asker in sides],
    )


def _two(case: Case, major: str, packages: list[Package]) -> Finding:
    base = case.subject.base
    asker = _asker(case, packages)
    needed = f", needed by {named(asker)}" if asker else ""
    return case.finding(
        TWO,
        "warning",
        f"the wheels bring CUDA {major} ({named(packages[0])}{needed}), and {case.base_name} has CUDA {base.cuda}: one "
        "of the two is of no use",
        evidence=[_locked(packages[0]), *case.base_evidence("names CUDA", "holds torch")],
        fix=[*_lean(case), *base_with(case, cuda=major)],
        members=[case.wheel(asker or packages[0]), case.base()],
    )


def _twice(case: Case, major: str, packages: list[Package]) -> Finding:
    base = case.subject.base
    size = sum(package.facts.size for package in packages if package.facts)
    weight = f" ({size / 1e9:.1f} GB)" if size >= 50_000_000 else ""  # noqa: PLR2004 - less is not worth a word
    return case.finding(
        TWICE,
        "note",
        f"CUDA {major} is there twice: in {len(packages)} wheels{weight}, such as {named(packages[0])}, and in "
        f"{case.base_name} (CUDA {base.cuda})",
        evidence=[_locked(packages[0]), *case.base_evidence("names CUDA", "holds torch")],
        fix=_lean(case),
        members=[case.wheel(packages[0]), case.base()],
    )


def _lean(case: Case) -> list[Fix]:
    """The same base without its CUDA libraries."""
    base = case.subject.base
    fixes = []
    if base.family == "nvidia-cuda" and base.flavour in {"runtime", "devel"} and "@" not in base.reference:
        name, _, tag = base.reference.rpartition(":")
        parts = [part for part in tag.split("-") if not part.startswith("cudnn")]
        lean = "-".join("base" if part in {"runtime", "devel"} else part for part in parts)
        fixes.append(
            from_fix(
                case, f"{name}:{lean}", "start from the flavour that has the CUDA runtime alone", cost=10
            )
        )
    return fixes


def _asker(case: Case, packages: list[Package]) -> Package | None:
    """Who needs these wheels: torch or onnxruntime-gpu before others."""
    names = {name for package in packages for name in package.required_by if not name.startswith("nvidia-")}
    chosen = next((name for name in ("torch", "onnxruntime-gpu") if name in names), min(names, default=""))
    return case.package(chosen) if chosen else None


def _locked(package: Package) -> Evidence:
    file = package.facts.file if package.facts else ""
    return Evidence(
        text=f"the lock has {named(package)}",
        source=file or package.index or "layerwright.lock",
        confidence="metadata",
    )

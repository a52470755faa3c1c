"""A package of CUDA libraries holds libraries."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.compat import cuda_wheels
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.repairs import packages_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

PLACEHOLDER = Kind(
    code="LW-PLACEHOLDER",
    title="A package is an empty placeholder",
    why="Some names on PyPI were only reserved: nvidia-cuda-runtime-cu13 and its like hold nothing, because from CUDA "
    "13 on the packages have no suffix. Installing one succeeds, and the library is still missing.",
    evidence="The wheel's list of files, or the recorded placeholders.",
    repair="Take the package with the library: nvidia-cuda-runtime, nvidia-cublas, nvidia-cufft … for CUDA 13. "
    "onnxruntime-gpu 1.27.0 asks for such placeholders in its extras; 1.28 and later do not.",
)
KINDS = (PLACEHOLDER,)

_LIBRARIES: Final = (
    "cublas",
    "cuda-runtime",
    "cuda-nvrtc",
    "cufft",
    "curand",
    "cusparse",
    "cusolver",
    "cudnn",
    "nccl",
)
"""Components whose wheels are made of libraries."""


def check(case: Case) -> Iterator[Finding]:
    """Look at NVIDIA's wheels."""
    for package in case.subject.packages.values():
        if not package.name.startswith("nvidia-"):
            continue
        evidence = _empty(package)
        if evidence is None:
            continue
        askers = [named(above) for name in package.required_by if (above := case.package(name))]
        plain = package.name.rpartition("-cu")[0]
        yield case.finding(
            PLACEHOLDER,
            "error",
            f"{named(package)} is an empty placeholder"
            f"{f', and {askers[0]} needs what its name promises' if askers else ''}",
            evidence=[evidence],
            fix=[
                packages_fix(
                    package, f"{plain}>=13,<14", f"take {plain}, which holds the libraries of CUDA 13", cost=8
                )
                if package.requested and plain
                else Fix(
                    text=f"take a release of {askers[0] if askers else 'what needs it'} that asks for the real package",
                    cost=12,
                )
            ],
            members=[case.wheel(package)],
        )


def _empty(package: Package) -> Evidence | None:
    if package.facts is not None and package.facts.reach != "metadata":
        component = package.name.removeprefix("nvidia-").partition("-cu1")[0]
        if component in _LIBRARIES and not package.facts.libraries:
            return Evidence(
                text=f"{package.facts.file} holds no library", source=package.facts.file, confidence="binary"
            )
        return None
    recorded = cuda_wheels.provides(package.name, package.version)
    return recorded.evidence[0] if recorded and recorded.placeholder else None

"""One package installs the folder onnxruntime, not two."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Finding, Kind, Level
from layerwright.facts.compat import onnxruntime
from layerwright.rules.case import Case
from layerwright.rules.repairs import remove_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

BOTH = Kind(
    code="LW-ORT-BOTH",
    title="Two packages install the module onnxruntime",
    why="onnxruntime and its variants (-gpu, -openvino, -directml, …) put other files at the same paths. What is "
    "unpacked last wins: the GPU provider vanishes, or libraries of two builds are mixed and fail to load. "
    "layerwright's own builds refuse such a pair.",
    evidence="The names in the lock; the wheels' file lists show the same folder.",
    repair="Keep one: onnxruntime-gpu also runs on the CPU. When another package asks for plain onnxruntime, override "
    "that with a constraint, or ask its authors for an extra.",
)
KINDS = (BOTH,)

VARIANTS: Final = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-directml",
    "onnxruntime-training",
    "onnxruntime-qnn",
    "onnxruntime-rocm",
    "onnxruntime-migraphx",
    "ort-nightly",
    "ort-nightly-gpu",
)
"""Distributions that install the module ``onnxruntime``. Source: onnxruntime.ai, Install ONNX Runtime."""


def check(case: Case) -> Iterator[Finding]:
    """Count the variants."""
    found = [package for name in VARIANTS if (package := case.package(name))]
    if len(found) < 2:  # noqa: PLR2004 - one is what there should be
        return
    keep = (
        next((one for one in found if one.name == "onnxruntime-gpu"), found[0]) if case.nvidia else found[0]
    )
    level: Level = "error"
    yield case.finding(
        BOTH,
        level,
        f"{' and '.join(named(one) for one in found)} install the same module onnxruntime: one overwrites the other",
        evidence=[onnxruntime.rule("both-packages")],
        fix=[
            remove_fix(
                one,
                f"leave out {one.name}: {keep.name} does what it does"
                if one.requested
                else f"leave out {one.name}, which {_requirers(case, one.required_by)} asks for",
                cost=5 if one.requested else 20,
            )
            for one in found
            if one is not keep
        ],
        members=[case.wheel(one) for one in found],
    )


def _requirers(case: Case, names: tuple[str, ...]) -> str:
    return (
        " and ".join(named(package) if (package := case.package(name)) else name for name in names)
        or "a package"
    )

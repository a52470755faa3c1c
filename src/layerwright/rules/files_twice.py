"""No two wheels install the same library file."""

import posixpath
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.rules.case import Case
from layerwright.rules.opencv_variants import VARIANTS as OPENCV
from layerwright.rules.ort_packages import VARIANTS as ORT
from layerwright.rules.words import named

if TYPE_CHECKING:
    from layerwright.facts.model import Package

__all__ = ["KINDS", "check"]

TWICE = Kind(
    code="LW-FILES-TWICE",
    title="Two packages install the same library",
    why="One overwrites the other, which then runs with a library that it was not built with. layerwright's own builds "
    "refuse such a pair, pip does not.",
    evidence="The paths of the libraries in the locked wheels.",
    repair="Leave one of the two out; take releases that are made for each other.",
)
KINDS = (TWICE,)

_SHOWN: Final = 3
_SAME_MODULE: Final = (frozenset(OPENCV), frozenset(ORT))
"""Packages whose pairs have rules of their own."""


def check(case: Case) -> Iterator[Finding]:
    """Compare the libraries' paths."""
    owners: dict[str, list[Package]] = {}
    for package in case.with_facts():
        for library in package.facts.libraries if package.facts else ():
            owners.setdefault(posixpath.normpath(library.path), []).append(package)
    clashes: dict[tuple[str, str], list[str]] = {}
    for path, packages in owners.items():
        for one, other in combinations(packages, 2):
            clashes.setdefault((one.name, other.name), []).append(path)
    for (one_name, other_name), paths in clashes.items():
        if any({one_name, other_name} <= group for group in _SAME_MODULE) or _cuda_variants(
            one_name, other_name
        ):
            continue
        sides = [case.subject.packages[name] for name in (one_name, other_name)]
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        yield case.finding(
            TWICE,
            "error",
            f"{' and '.join(map(named, sides))} both install {', '.join(paths[:_SHOWN])}{more}",
            evidence=[
                Evidence(text=f"holds {paths[0]}", source=package.facts.file, confidence="binary")
                for package in sides
                if package.facts
            ],
            fix=[Fix(text=f"leave out {one_name} or {other_name}, or what needs it", cost=15)],
            members=map(case.wheel, sides),
        )


def _cuda_variants(one: str, other: str) -> bool:
    """NVIDIA's wheel of one component for two CUDA majors, which the rule on two CUDAs names."""
    return one.startswith("nvidia-") and one.rpartition("-cu")[0] == other.rpartition("-cu")[0] != ""

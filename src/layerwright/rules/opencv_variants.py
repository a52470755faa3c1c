"""One OpenCV in an image."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.repairs import remove_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "VARIANTS", "check"]

TWO = Kind(
    code="LW-OPENCV-TWO",
    title="Two packages install OpenCV's module cv2",
    why="opencv-python, opencv-python-headless and their contrib variants install the same folder cv2. What is "
    "unpacked last wins, file by file: the window functions vanish, or a library of one build is loaded by the other. "
    "layerwright's own builds refuse such a pair.",
    evidence="The names in the lock; opencv-python's README says that only one may be installed.",
    repair="Keep one. Where a dependency asks for opencv-python and the image has no display, exclude it by a "
    "constraint of your own fork, or keep opencv-python alone with libgl1 and libglib2.0-0 in `apt`.",
)
KINDS = (TWO,)

VARIANTS: Final = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
    "opencv-python-rolling",
    "opencv-python-headless-rolling",
)
"""Distributions that install ``cv2``. Source: opencv/opencv-python README."""

_README: Final = Evidence(
    text="the opencv-* packages all install the folder cv2; only one of them may be installed",
    source="opencv/opencv-python README, Installation and Usage",
    confidence="docs",
)


def check(case: Case) -> Iterator[Finding]:
    """Count the variants."""
    found = [package for name in VARIANTS if (package := case.package(name))]
    if len(found) < 2:  # noqa: PLR2004 - one is what there should be
        return
    yield case.finding(
        TWO,
        "error",
        f"{' and '.join(named(one) for one in found)} install the same module cv2: one overwrites the other",
        evidence=[_README],
        fix=_fixes(case, found),
        members=[case.wheel(one) for one in found],
    )


def _fixes(case: Case, found: list[Package]) -> list[Fix]:
    fixes = []
    for one in found:
        others = " and ".join(other.name for other in found if other is not one)
        if one.requested and not one.required_by:
            fixes.append(remove_fix(one, f"leave out {one.name} and keep {others}", cost=5))
        else:
            askers = [named(package) for name in one.required_by if (package := case.package(name))]
            fixes.append(
                remove_fix(
                    one,
                    f"leave out {one.name}, which {' and '.join(askers) or 'another package'} asks for",
                    cost=20,
                )
            )
    return fixes

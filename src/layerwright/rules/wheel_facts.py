"""Packages that nobody could look into are named, so that silence about them is not taken for a yes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from layerwright.core.findings import Finding, Fix, Kind
from layerwright.rules.case import Case
from layerwright.rules.words import named

if TYPE_CHECKING:
    from layerwright.facts.model import Package

__all__ = ["KINDS", "check"]

UNREAD = Kind(
    code="LW-WHEEL-UNREAD",
    title="Nothing is known of some packages' binaries",
    why="A package that is built from source has no binaries yet, and a wheel that could not be reached was not read. "
    "What they need cannot be checked.",
    evidence="The lock, and why the reading failed.",
    repair="Check again with the network; build once, which brings the wheels into the store; or take a release that "
    "has a wheel. `--strict` makes what is unknown fail.",
)
KINDS = (UNREAD,)

_SHOWN: Final = 4


def check(case: Case) -> Iterator[Finding]:
    """Name them, one finding for each reason."""
    reasons: dict[str, list[Package]] = {}
    for package in case.subject.packages.values():
        if package.facts is None:
            reasons.setdefault(package.why_not or "its wheel was not read", []).append(package)
        elif package.facts.reach == "metadata" and package.facts.why_not:
            reasons.setdefault(package.facts.why_not, []).append(package)
    for reason, packages in reasons.items():
        names = ", ".join(named(package) for package in packages[:_SHOWN])
        more = f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
        yield case.finding(
            UNREAD,
            "unknown",
            f"the binaries of {names}{more} are not known: {reason}",
            fix=[
                Fix(
                    text="build the image, which brings its wheels into the store, and check again",
                    command="layerwright build",
                    cost=10,
                )
            ],
            members=[case.wheel(package) for package in packages[:_SHOWN]],
        )

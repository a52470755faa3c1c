"""Libraries define the symbol versions that others want of them."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level
from layerwright.rules.debian_names import GLIBC as GLIBC_NAMES
from layerwright.rules.glibc import GLIBC, GLIBCXX
from layerwright.rules.symbol_versions import VERSION
from layerwright.verify.inspection import Inspection
from layerwright.verify.loader.closure import Problem
from layerwright.verify.loader.process import Unversioned
from layerwright.verify.words import listed, short, whence

__all__ = ["KINDS", "check"]

KINDS: tuple[Kind, ...] = (GLIBC, GLIBCXX, VERSION)
"""Those of the rules of a spec, which find the same before anything is built."""


def check(image: Inspection) -> Iterator[Finding]:
    """Go through what is too old; one finding for each pair of a distribution and a library."""
    grouped: dict[tuple[str, str], list[tuple[Problem, Unversioned]]] = {}
    for problem in image.closure.problems:
        cause = problem.cause
        if isinstance(cause, Unversioned):
            dist = image.owner(cause.user)
            subject = dist.info if dist is not None else cause.user
            grouped.setdefault((subject, cause.provider), []).append((problem, cause))
    for found in grouped.values():
        yield _finding(image, found)


def _finding(image: Inspection, found: list[tuple[Problem, Unversioned]]) -> Finding:
    problem, first = found[0]
    worst = next((one for one, _ in found if one.root.kind != "library"), problem)
    versions = sorted({version for _, cause in found for version in cause.versions})
    user, provider = image.owner(first.user), image.owner(first.provider)
    who = user.label if user is not None else first.user
    whose = f" of {provider.label}" if provider is not None else ""
    held = f"ends at {first.newest}" if first.newest else "does not define it"
    level: Level = "error" if worst.root.kind != "library" else "warning" if user is not None else "note"
    system = first.name in GLIBC_NAMES
    kind = GLIBC if system else GLIBCXX if first.name.startswith("libstdc++") else VERSION
    fixes = (
        [
            Fix(text="start from a newer system", cost=30),
            Fix(text="take a release that was built for an older system", cost=20),
        ]
        if kind is not VERSION
        else [
            Fix(
                text=f"take a newer {provider.name} than {provider.version}" if provider is not None
                else f"bring a newer {first.name}",
                cost=10,
            )
        ]
    )  # fmt: skip
    return image.finding(
        kind,
        level,
        f"{who} wants {listed(versions)} of {first.name} ({short(first.user)}), and "
        f"{short(first.provider)}{whose} {held}",
        path=first.user,
        evidence=[
            Evidence(
                text=f"{short(cause.user)} wants {listed(cause.versions)} of {cause.name}",
                source=whence(image, cause.user),
                confidence="binary",
            )
            for _, cause in found[:3]
        ]
        + [
            Evidence(
                text=f"{short(first.provider)} "
                f"{'defines ' + first.newest if first.newest else 'defines other versions'}",
                source=whence(image, first.provider),
                confidence="binary",
            )
        ],
        fix=fixes,
        members=[image.wheel(dist) for dist in (user, provider) if dist is not None],
    )

"""What installed packages require of each other is there: ``pip check``, without running anything."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.verify.inspection import Inspection
from layerwright.verify.python.dists import Dist
from layerwright.verify.python.environments import Environment

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["KINDS", "check"]

_EVIDENCE: Final = (
    "Requires-Dist and Requires-Python of every installed METADATA, with markers for the image's Python "
    "and platform; "
    "requirements of extras are left out, as `pip check` does."
)

ABSENT = Kind(
    code="LW-REQUIREMENT-ABSENT",
    title="A package requires another that is not installed",
    why="It was installed without its dependencies, or they were removed later: an import fails, at the start or when "
    "the part that needs it is used.",
    evidence=_EVIDENCE,
    repair="Install what is missing. Where it is left out on purpose, say so to those who come after you.",
)
VERSION = Kind(
    code="LW-REQUIREMENT-VERSION",
    title="A package requires another version than the one that is installed",
    why="A later `pip install` replaced what an earlier package asked for; pip warns of it in a line that "
    "scrolls by.",
    evidence=_EVIDENCE,
    repair="Resolve all packages together, in one step, and install what comes out.",
)
PYTHON = Kind(
    code="LW-REQUIREMENT-PYTHON",
    title="A package does not support the image's Python",
    why="It was put there by other means than an installer, which would have refused.",
    evidence=_EVIDENCE,
    repair="Take a release for this Python, or another Python.",
)
KINDS = (ABSENT, VERSION, PYTHON)


def check(image: Inspection) -> Iterator[Finding]:
    """Compare every requirement."""
    for environment in image.environments:
        for dist in environment.dists.values():
            yield from _dist(image, environment, dist)


def _dist(image: Inspection, environment: Environment, dist: Dist) -> Iterator[Finding]:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - start-up

    yield from _python(image, environment, dist)
    absent: list[Requirement] = []
    for line in dist.requires:
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue
        if not _applies(wanted, environment, image.contents.image.platform.machine):
            continue
        found = environment.dists.get(_normalized(wanted.name))
        if found is None:
            absent.append(wanted)
        elif not _suits(wanted, found.version):
            yield image.finding(
                VERSION,
                "error",
                f"{dist.label} requires {wanted.name}{wanted.specifier}, and {found.label} is installed",
                path=dist.info,
                evidence=[
                    Evidence(
                        text=f"Requires-Dist: {line}", source=f"{dist.info}/METADATA", confidence="metadata"
                    ),
                    Evidence(
                        text=f"{found.label} came with {image.layer_title(found.layer)}",
                        source=found.info,
                        confidence="metadata",
                    ),
                ],
                fix=[
                    Fix(
                        text=f"install a {found.name} that both take, resolving all packages in one step",
                        command=f"pip install '{wanted.name}{wanted.specifier}'",
                        cost=8,
                    )
                ],
                members=[image.wheel(dist), image.wheel(found)],
            )
    for wanted in absent:
        asked = f"{wanted.name}{wanted.specifier}"
        yield image.finding(
            ABSENT,
            "error",
            f"{dist.label} requires {asked}, which is not installed",
            path=dist.info,
            evidence=[
                Evidence(
                    text=f"Requires-Dist: {wanted}", source=f"{dist.info}/METADATA", confidence="metadata"
                )
            ],
            fix=[Fix(text=f"install {wanted.name}", command=f"pip install '{asked}'", cost=4)],
        )


def _python(image: Inspection, environment: Environment, dist: Dist) -> Iterator[Finding]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - start-up

    if not dist.requires_python or not environment.version:
        return
    try:
        specifier = SpecifierSet(dist.requires_python)
    except InvalidSpecifier:
        return
    if not any(specifier.contains(version, prereleases=True) for version in _full_versions(environment)):
        yield image.finding(
            PYTHON,
            "error",
            f"{dist.label} requires Python {dist.requires_python}, and the environment {environment.prefix} has "
            f"{environment.version}",
            path=dist.info,
            evidence=[
                Evidence(
                    text=f"Requires-Python: {dist.requires_python}",
                    source=f"{dist.info}/METADATA",
                    confidence="metadata",
                )
            ],
            fix=[Fix(text=f"take a {dist.name} for Python {environment.version}", cost=10)],
        )


def _full_versions(environment: Environment) -> tuple[str, ...]:
    """The version; where its last number is not known, the least and the greatest that it may be."""
    if environment.full_version.startswith(f"{environment.version}."):
        return (environment.full_version,)
    return (f"{environment.version}.0", f"{environment.version}.99")


def _applies(wanted: "Requirement", environment: Environment, machine: str) -> bool:
    """Whether the marker holds for this image whatever is not known of it; URLs say nothing that can be compared."""
    if wanted.marker is None:
        return True
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName  # noqa: PLC0415 - start-up

    try:
        return all(
            wanted.marker.evaluate(dict(_markers(environment.version, full, machine)))
            for full in _full_versions(environment)
        )
    except (UndefinedComparison, UndefinedEnvironmentName):
        return False


def _markers(version: str, full_version: str, machine: str) -> Mapping[str, str]:
    """Values of PEP 508's markers inside the image; those that depend on the machine it runs on are a new Linux's."""
    return {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": full_version,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "6.1.0",
        "platform_system": "Linux",
        "platform_version": "#1 SMP",
        "python_full_version": full_version,
        "python_version": version,
        "sys_platform": "linux",
    }


def _suits(wanted: "Requirement", version: str) -> bool:
    from packaging.version import InvalidVersion  # noqa: PLC0415 - start-up

    try:
        return wanted.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return True  # nobody can compare it


def _normalized(name: str) -> str:
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - start-up

    return canonicalize_name(name)

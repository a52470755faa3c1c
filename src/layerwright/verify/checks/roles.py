"""An image holds what its role is for."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level, Member
from layerwright.rules.roles import FRAMEWORK, TOOL, TRAINING_FRAMEWORKS, TRAINING_TOOLS
from layerwright.verify.inspection import Inspection
from layerwright.verify.python.dists import Dist
from layerwright.verify.words import listed

__all__ = ["KINDS", "check"]

KINDS: tuple[Kind, ...] = (FRAMEWORK, TOOL)
"""Those of the rules of a spec, which find the same before anything is built."""


def check(image: Inspection) -> Iterator[Finding]:
    """Look for training frameworks and tools in an inference image."""
    if image.role != "inference":
        return
    dists = {dist.name: dist for environment in image.environments for dist in environment.dists.values()}
    rows: tuple[tuple[Kind, frozenset[str], Level, str], ...] = (
        (FRAMEWORK, TRAINING_FRAMEWORKS, "error", "a training framework"),
        (TOOL, TRAINING_TOOLS, "warning", "for training"),
    )
    for kind, names, level, what in rows:
        found = [dist for name, dist in dists.items() if name in names]
        if found:
            yield image.finding(
                kind,
                level,
                f"the image's role is inference, and it holds {listed([dist.label for dist in found])}, {what}",
                path=found[0].info,
                evidence=[
                    Evidence(
                        text=f"{dist.label} came with {image.layer_title(dist.layer)}{_askers(dists, dist)}",
                        source=dist.info,
                        confidence="metadata",
                    )
                    for dist in found[:6]
                ],
                fix=[
                    Fix(text=f"leave out {listed([dist.name for dist in found])}", cost=8),
                    Fix(
                        text=f"say that the image serves with {found[0].name} itself",
                        edit='role = "release"',
                        cost=12,
                    ),
                ],
                members=[
                    Member(
                        kind="role",
                        name="inference",
                        origin="the image's label" if not image.asked_role else "as asked",
                    ),
                    *(image.wheel(dist) for dist in found[:3]),
                ],
            )


def _askers(dists: dict[str, Dist], wanted: Dist) -> str:
    """Who requires it."""
    import re  # noqa: PLC0415 - start-up

    pattern = re.compile(rf"{re.escape(wanted.name)}(?![a-z0-9-])")
    found = [
        dist.label
        for dist in dists.values()
        for line in dist.requires
        if pattern.match(re.sub(r"[-_.]+", "-", line.lower())) and "extra ==" not in line
    ]
    return f"; {listed(list(dict.fromkeys(found)))} requires it" if found else ""

"""What an image says of torch_musa, torch and the MUSA SDK is what it holds.

Whether these go together is for the rules of a spec to say, which judge an image, too (``pairs``).
"""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.compat import musa
from layerwright.facts.compat.versions import public_of, same_release
from layerwright.facts.components import MUSA_HOME, release_of_toolkit
from layerwright.plan.labels import COMPONENT_LABEL, SOURCE_LABEL
from layerwright.verify.inspection import Inspection

__all__ = ["KINDS", "check", "toolkit_release"]

LABEL = Kind(
    code="LW-DECLARED-MUSA",
    title="A label names another torch, torch_musa or MUSA SDK than the image holds",
    why="People choose an image by what it says of itself: the driver of the machine and the wheels of a project have "
    "to go with what is really in it.",
    evidence="Labels that layerwright sets for components and source trees; `musa_toolkits` in version.json of the "
    "toolkit; installed metadata.",
    repair="Build the image again. If an installer puts in another release than its archive is named for, say so: "
    "`version` of the component.",
)
KINDS = (LABEL,)

_VERSIONS: Final = f"{MUSA_HOME}/version.json"


def check(image: Inspection) -> Iterator[Finding]:
    """Look at images that hold torch_musa or a MUSA SDK, or say so."""
    held = toolkit_release(image)
    stated = image.settings.labels.get(f"{COMPONENT_LABEL}musa_toolkit", "")
    if stated and held and musa.sdk_fits(stated, held) is False:
        yield _label(image, f"{COMPONENT_LABEL}musa_toolkit", stated, f"the MUSA toolkit {held}", _VERSIONS)
    for label, rev in sorted(image.settings.labels.items()):
        if not label.startswith(SOURCE_LABEL):
            continue
        for environment in image.environments:
            dist = environment.dists.get(label.removeprefix(SOURCE_LABEL))
            if dist is not None and not _built_from(rev, dist.version):
                yield _label(image, label, rev, dist.label, dist.info)


def toolkit_release(image: Inspection) -> str:
    """The release of the toolkit in an image; empty when there is none, or it does not say."""
    return release_of_toolkit(image.tree.text(_VERSIONS) or "")


def _built_from(stated: str, held: str) -> bool:
    """Whether a version is built from sources of another: 2.0.0a0+git1234 is of v2.0.0."""
    from packaging.version import Version  # noqa: PLC0415 - start-up

    try:
        return Version(stated).base_version == Version(held).base_version
    except ValueError:  # no version, or more digits than Python reads
        return same_release(public_of(stated), public_of(held)) or stated in held


def _label(image: Inspection, label: str, stated: str, held: str, path: str) -> Finding:
    return image.finding(
        LABEL,
        "error",
        f"the label {label} says {stated}, and the image holds {held}",
        path=path,
        evidence=[
            Evidence(text=f"{label}={stated}", source="the image's config", confidence="metadata"),
            Evidence(text=held, source=path, confidence="metadata"),
        ],
        fix=[Fix(text="build the image again, with what it says", command="layerwright build", cost=5)],
    )

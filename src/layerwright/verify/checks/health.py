"""The program of an image's health check is there."""

import posixpath
from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.verify.inspection import Inspection
from layerwright.verify.loader.closure import DEFAULT_PATH

__all__ = ["KINDS", "check"]

HEALTH = Kind(
    code="LW-HEALTH-PROGRAM",
    title="The image's health check cannot run",
    why="Docker starts the command in every container; one whose program is missing or may not be started makes each "
    "of them unhealthy, and orchestrators start them again and again.",
    evidence="`Healthcheck` of the image's config; the files of the image.",
    repair="Install the program, mend its rights, or take the health check out.",
)
KINDS = (HEALTH,)


def check(image: Inspection) -> Iterator[Finding]:
    """Look for the program. Those that a shell would look for are left to it."""
    words = image.settings.health
    if len(words) < 2 or words[0] != "CMD":  # noqa: PLR2004 - the form and the program
        return
    program = words[1]
    folders = (image.settings.env.get("PATH") or DEFAULT_PATH).split(":")
    paths = [program] if "/" in program else [posixpath.join(folder, program) for folder in folders if folder]
    if not program.startswith("/") and "/" in program:
        paths = [posixpath.join(image.settings.workdir or "/", program)]
    found = [node for path in paths if (node := image.tree.find(path)) is not None]
    if any(node.entry.kind == "file" and node.entry.mode & 0o111 for node in found):
        return
    what = "may not be started" if found else "is not in the image"
    yield image.finding(
        HEALTH,
        "error",
        f"the health check runs {program}, which {what}",
        path=paths[0],
        evidence=[
            Evidence(
                text=f"Healthcheck {' '.join(words)}"[:200],
                source="the image's config",
                confidence="metadata",
            )
        ],
        fix=[Fix(text="install it, or set another health check where the image is built", cost=5)],
    )

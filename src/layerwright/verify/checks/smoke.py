"""The spec's own smoke tests pass in the finished image; whoever has a sandbox runs them, and it is told here."""

from collections.abc import Iterator, Sequence

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Place
from layerwright.core.source import Location
from layerwright.verify.inspection import Inspection

__all__ = ["KINDS", "check", "failed", "not_run"]

SMOKE = Kind(
    code="LW-SMOKE",
    title="A smoke test of the spec fails in the image",
    why="The spec's own check of what the image is for does not pass.",
    evidence="The command of `smoke`, run in the finished image, without a network unless it asks for one; its last "
    "lines. It is unknown where no program can be run in an image.",
    repair="Repair what the lines name, or the test.",
)
KINDS = (SMOKE,)

_SHOWN = 6


def check(image: Inspection) -> Iterator[Finding]:
    """Nothing: what the image says when it runs is told by ``failed`` and ``not_run``."""
    del image
    return iter(())


def failed(
    image: str, message: str, lines: Sequence[str], *, hint: str, location: Location | None
) -> Finding:
    """A test ended with another status than 0."""
    return Finding(
        code=SMOKE.code,
        level="error",
        message=message,
        where=Place(image=image, location=location),
        evidence=tuple(
            Evidence(text=line, source="what it printed", confidence="binary") for line in lines[-_SHOWN:]
        ),
        fix=(Fix(text=hint, cost=5),) if hint else (),
    )


def not_run(image: str, reason: str, hint: str) -> Finding:
    """No program can be run here."""
    return Finding(
        code=SMOKE.code,
        level="unknown",
        message=f"the smoke tests of {image} were not run: {reason}",
        where=Place(image=image),
        fix=(Fix(text=hint, cost=20),) if hint else (),
    )

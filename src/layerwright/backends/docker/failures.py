"""Which command of the spec a failed build of a Dockerfile has stopped at, by what the client printed."""

import re
from collections.abc import Iterable

from layerwright.backends.docker.quoting import argv
from layerwright.core.source import Location
from layerwright.plan.steps import Node, RunCommand, RunTests
from layerwright.plan.testing import judged_words

__all__ = ["Progress", "place_of"]

# buildah 1.28: "[1/2] STEP 3/9: RUN …", the pair left out for a single stage; the failed step is the last.
_PODMAN = re.compile(r"(?:\[\d+/\d+\] )?STEP \d+/\d+: (.*)")
# BuildKit with --progress=plain: "#7 [image 3/9] RUN …", and "#7 ERROR: …" for the step that failed.
_BUILDKIT = re.compile(r"#(\d+) \[[^\]]*\] (.*)")
_BUILDKIT_ERROR = re.compile(r"#(\d+) ERROR\b")


class Progress:
    """Reads the lines of a build.

    Attributes:
        instruction: the one that failed when the build has; empty when that was not told.
    """

    def __init__(self) -> None:
        self.instruction = ""
        self._names: dict[str, str] = {}

    def read(self, line: str) -> None:
        """The next line."""
        if found := _PODMAN.match(line):
            self.instruction = found[1]
        elif found := _BUILDKIT.match(line):
            self._names[found[1]] = found[2]
        elif found := _BUILDKIT_ERROR.match(line):
            self.instruction = self._names.get(found[1], "")


def _words(step: RunCommand | RunTests) -> tuple[str, ...]:
    """The end of what a step runs."""
    return judged_words(step) if isinstance(step, RunTests) else step.argv


def place_of(instruction: str, nodes: Iterable[Node]) -> Location | None:
    """Where the command of a RUN instruction stands in the spec; None when that is not certain.

    BuildKit shows variables with their values, so that a command that names one may not be found.
    """
    places = {
        node.step.location
        for node in nodes
        if isinstance(node.step, RunCommand | RunTests)
        and instruction.startswith("RUN ")
        and instruction.endswith(f", {argv(_words(node.step), what='a command')[1:]}")
    }
    return places.pop() if len(places) == 1 else None

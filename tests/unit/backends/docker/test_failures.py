"""Where a failed build stopped, by lines that clients printed."""

import pytest

from layerwright.backends.docker.failures import Progress, place_of
from layerwright.core.source import Location
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import RunCommand

NODES = [
    make_node(
        RunCommand(argv=("/bin/sh", "-c", text), location=Location(file="layerwright.toml", line=line)),
        (),
        text,
    )
    for line, text in enumerate(("true", 'echo "x"', "same", "same"), start=7)
]


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        # podman 4.3.1
        (['STEP 3/4: RUN ["/usr/bin/env", "-i", "/bin/sh", "-c", "true"]', "no"], 7),
        (
            [
                '[1/2] STEP 3/9: RUN ["/usr/bin/env", "-i", "/bin/sh", "-c", "true"]',
                '[1/2] STEP 4/9: RUN --mount=type=secret,id=a ["/usr/bin/env", "/bin/sh", "-c", "echo \\"x\\""]',
            ],
            8,
        ),
        (['STEP 3/4: RUN ["/usr/bin/env", "-i", "/bin/sh", "-c", "true"]', "STEP 4/4: WORKDIR /x"], 0),
        # Docker 20.10.24
        (
            [
                '#5 [image 3/4] RUN ["/usr/bin/env", "-i", "/bin/sh", "-c", "true"]',
                "#5 0.2 no",
                '#6 [image 4/4] RUN ["/usr/bin/env", "-i", "/bin/sh", "-c", "other"]',
                "#5 ERROR: executor failed running [/usr/bin/env -i]: exit code: 3",
            ],
            7,
        ),
        (["#5 ERROR: executor failed"], 0),
        # Nobody can say which of two equal ones it was.
        (['STEP 3/4: RUN ["/usr/bin/env", "-i", "/bin/sh", "-c", "same"]'], 0),
        ([], 0),
    ],
)
def test_the_place_in_the_spec(lines: list[str], place: int) -> None:
    progress = Progress()
    for line in lines:
        progress.read(line)
    found = place_of(progress.instruction, NODES)
    assert (found.line if found else 0) == place

"""What a container is given of the machine beyond devices and folders: told, since the spec asks for it by name."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.rules.case import Case

__all__ = ["KINDS", "check"]

_DOCKER: Final = "https://docs.docker.com/reference/cli/docker/container/run/"

RIGHTS = Kind(
    code="LW-RUN-RIGHTS",
    title="The container shares more with the machine than it needs",
    why="A privileged container is root of the machine to whoever gets into it; one on the machine's network can be "
    "reached, and reaches, as the machine itself; one in the machine's IPC namespace reads what other programs share "
    "in memory.",
    evidence="The keys `privileged`, `network` and `ipc` of the image's `run` table.",
    repair="Leave the key out. GPUs need `gpus`, devices of Moore Threads a runtime and the group render, data loaders "
    "`shm_size`: none of these rights.",
)
SHARED_MEMORY = Kind(
    code="LW-RUN-SHM",
    title="A size of shared memory that means nothing",
    why='With `ipc = "host"` the container sees the machine\'s own /dev/shm, whatever size is asked for.',
    evidence="The keys `ipc` and `shm_size` of the image's `run` table.",
    repair="Leave `ipc` out: `shm_size` is what data loaders need.",
)
KINDS = (RIGHTS, SHARED_MEMORY)

_WORDS: Final = {
    "privileged": ("privileged", "is started with the rights of the machine's root"),
    "network": ("network", "is on the machine's own network"),
    "ipc": ("ipc", "shares memory and semaphores with every program of the machine"),
}


def check(case: Case) -> Iterator[Finding]:
    """Look at how the image is to be run."""
    run = case.subject.run
    for key in run.rights:
        name, what = _WORDS[key]
        yield case.finding(
            RIGHTS,
            "note",
            f"{case.subject.cell} {what}, since the spec names `{name}`",
            evidence=[
                Evidence(text=f"`{name}` is set in its run table", source="the spec", confidence="metadata")
            ],
            fix=[Fix(text=f"leave `{name}` out of the run table", cost=2)],
            location=run.location,
        )
    if "ipc" in run.rights and run.shm_size:
        yield case.finding(
            SHARED_MEMORY,
            "warning",
            f'shm_size = "{run.shm_size}" means nothing beside ipc = "host": the container sees the machine\'s own '
            "shared memory",
            evidence=[
                Evidence(
                    text="the size is of the container's own /dev/shm, which there is none of",
                    source=_DOCKER,
                    confidence="docs",
                )
            ],
            fix=[Fix(text='leave `ipc = "host"` out', cost=2)],
            location=run.location,
        )

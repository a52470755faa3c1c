"""All checks, at the same time, in bounded time."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict

from layerwright.doctor import (
    devices,
    docker,
    mthreads,
    network,
    nvidia,
    nvidia_container,
    podman,
    programs,
    sandbox,
    storage,
    system,
)
from layerwright.doctor.bounded import run_bounded
from layerwright.doctor.foreign import one_line
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import STATUSES, Check, Family, Needs, Outcome
from layerwright.facts.model import HostFacts

__all__ = ["FAMILIES", "Diagnosis", "examine_machine"]

_SECONDS: Final = 15.0

FAMILIES: Final = (
    Family(name="system", title="machine", kinds=system.KINDS, examine=system.examine),
    Family(name="store", title="store", kinds=storage.KINDS, examine=storage.examine),
    Family(name="programs", title="building natively", kinds=programs.KINDS, examine=programs.examine),
    Family(name="sandbox", title="running without an engine", kinds=sandbox.KINDS, examine=sandbox.examine),
    Family(name="docker", title="Docker", kinds=docker.KINDS, examine=docker.examine),
    Family(name="podman", title="Podman", kinds=podman.KINDS, examine=podman.examine),
    Family(name="devices", title="render nodes", kinds=devices.KINDS, examine=devices.examine),
    Family(name="nvidia", title="NVIDIA", kinds=nvidia.KINDS, examine=nvidia.examine),
    Family(
        name="nvidia-container",
        title="NVIDIA in containers",
        kinds=nvidia_container.KINDS,
        examine=nvidia_container.examine,
    ),
    Family(name="mthreads", title="Moore Threads", kinds=mthreads.KINDS, examine=mthreads.examine),
    Family(name="network", title="network", kinds=network.KINDS, examine=network.examine),
)
"""In the order in which they are shown."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What doctor found.

    Attributes:
        sections: checks by family title, in order.
        facts: for the host record.
        seconds: how long it took.
    """

    sections: Mapping[str, tuple[Check, ...]]
    facts: HostFacts
    seconds: float

    @property
    def checks(self) -> tuple[Check, ...]:
        """All of them, in order."""
        return tuple(check for checks in self.sections.values() for check in checks)

    @property
    def failed(self) -> bool:
        """Whether something that is needed is missing or broken."""
        return any(check.status == "error" for check in self.checks)

    @property
    def summary(self) -> dict[str, int]:
        """How many checks there are of each status."""
        counts = dict.fromkeys(map(str, STATUSES), 0)
        for check in self.checks:
            counts[check.status] += 1
        return counts


def examine_machine(
    machine: Machine, needs: Needs, *, families: tuple[Family, ...] = FAMILIES, seconds: float = _SECONDS
) -> Diagnosis:
    """Look at everything.

    Args:
        machine: what to look at.
        needs: what it is wanted for.
        families: the checks.
        seconds: until what has not answered counts as unknown; nothing that answers takes as long.
    """
    begun = time.monotonic()
    found = run_bounded(
        {family.name: partial(family.examine, machine, needs) for family in families},
        seconds=seconds,
    )
    sections = {}
    facts = HostFacts()
    for family in families:
        result = found[family.name]
        if isinstance(result, Outcome):
            sections[family.title] = result.checks
            facts = _merged(facts, result.facts)
        else:
            why = _why(result, seconds)
            sections[family.title] = tuple(
                Check(id=kind.code, status="unknown", detail=why) for kind in family.kinds
            )
    return Diagnosis(sections=sections, facts=facts, seconds=time.monotonic() - begun)


def _why(result: Exception | None, seconds: float) -> str:
    if result is None:
        return f"there was no answer within {seconds:g} s: a device, a file system or a program hangs"
    fault = f"{type(result).__name__}: {one_line(str(result))}"
    return f"layerwright could not find out, which is a fault of its own ({fault})"


def _merged(facts: HostFacts, more: HostFacts) -> HostFacts:
    """The facts with what more is known; GPUs and engines are added to each other."""
    empty = asdict(HostFacts())
    fields = {name: value for name, value in asdict(more).items() if value != empty[name]}
    fields["gpus"] = (*facts.gpus, *more.gpus)
    fields["engines"] = {**facts.engines, **more.engines}
    return HostFacts(**{**asdict(facts), **fields})

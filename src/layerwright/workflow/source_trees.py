"""Source trees before a build: whose checkouts serve, and what is there already."""

import os.path
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from layerwright.core.events import Notice
from layerwright.plan.steps import CopySource

if TYPE_CHECKING:
    from layerwright.core.source import Location
    from layerwright.plan.steps import Plan
    from layerwright.spec.model import Spec
    from layerwright.workflow.session import Session

__all__ = ["has_checkouts", "ready_sources"]


def has_checkouts(spec: "Spec") -> bool:
    """Whether a source tree may be taken from a folder of the user's, whose state nothing else tells."""
    return any(item.source.checkout for cell in spec.cells.values() for item in cell.sources)


def ready_sources(session: "Session", spec: "Spec", plan: "Plan", *, tell_ready: bool = True) -> None:
    """Check the user's checkouts, and say what need not be fetched; nothing is written anywhere.

    Args:
        session: the command's surroundings.
        spec: the spec.
        plan: what is to be built.
        tell_ready: say which trees are in the store already; for whoever only wants to run an image, that is noise.

    Raises:
        UsageError: a checkout is not what the lock says; with the command that mends it.
    """
    steps = {
        (node.step.name, node.step.history): node
        for cell in plan.cells
        for node in cell.nodes
        if isinstance(node.step, CopySource)
    }
    if not steps:
        return
    from layerwright.backends.native.results import read_result  # noqa: PLC0415 - start-up
    from layerwright.sources.checkouts import check_checkout  # noqa: PLC0415 - start-up
    from layerwright.sources.trees import checkout_of  # noqa: PLC0415 - start-up

    told = set[str]()

    def tell(message: str) -> None:
        if message not in told:
            told.add(message)
            session.reporter(Notice(message=message))

    for node in steps.values():
        step = node.step
        if not isinstance(step, CopySource):  # pragma: no cover - chosen above
            continue
        name = (
            f"{step.name} {step.rev} ({step.commit[:12]})"
            if step.rev != step.commit
            else f"{step.name} {step.rev}"
        )
        checkout = checkout_of(step.checkout, spec.root)
        if checkout is not None:
            where = _checkout_key(spec, step)
            check_checkout(step, checkout, host=session.host, where=where)
            tell(f"{name}: the checkout {step.checkout} is at that commit and clean: nothing is fetched")
        elif step.checkout:
            _refuse_others(spec, step)
            tell(f"{name}: there is no checkout {step.checkout}: it is fetched from {step.git}")
        if tell_ready and read_result(session.store, node.digest) is not None:
            tell(f"{name}: prepared by an earlier build, and taken from the store")


def _refuse_others(spec: "Spec", step: CopySource) -> None:
    """A folder that is there and no checkout is a mistake; one that is not there will do."""
    from layerwright.core.errors import UsageError  # noqa: PLC0415 - only on error

    folder = spec.root / Path(step.checkout).expanduser()
    if os.path.lexists(folder):
        raise UsageError(
            f"{step.name}: {step.checkout} is there, and is no git checkout",
            where=_checkout_key(spec, step),
            hint="name the folder that has .git in it, or remove `checkout`: then it is fetched",
        )


def _checkout_key(spec: "Spec", step: CopySource) -> "Location | None":
    source = spec.sources.get(step.name)
    if source is None:
        return step.location
    return structs.replace(source.location, key=f"{source.location.key}.checkout")

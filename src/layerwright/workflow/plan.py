"""Spec + lock → plan, with the project's folders read for their digests."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING

from layerwright.core.errors import UsageError
from layerwright.host.environment import HostEnvironment
from layerwright.lock.freshness import outdated_cells
from layerwright.lock.model import Lock
from layerwright.plan.build import make_plan
from layerwright.plan.steps import Plan
from layerwright.plan.trees import TreeRequest, tree_requests
from layerwright.sources.local import LocalInputs
from layerwright.spec.model import Spec
from layerwright.workflow.scans import tree_state
from layerwright.workflow.session import Session, lock_path, read_locked, read_spec, select_cells

if TYPE_CHECKING:
    from layerwright.plan.draw import Sent

__all__ = ["plan_cells", "scan_trees", "stale_cells", "with_parents"]


def with_parents(spec: Spec, names: Iterable[str]) -> tuple[str, ...]:
    """The cells and every cell they stand on, parents first."""
    wanted = dict[str, None]()

    def add(name: str) -> None:
        base = spec.cells[name].base
        if base.kind == "image":
            add(base.source)
        wanted[name] = None

    for name in names:
        add(name)
    return tuple(wanted)


def stale_cells(
    spec: Spec,
    lock: Lock | None,
    names: Iterable[str],
    cache: MutableMapping[str, str] | None = None,
    *,
    by_name: bool = True,
) -> tuple[str, ...]:
    """Cells whose part of the spec, or whose local projects, are not what the lock was made from.

    Args:
        spec: the spec.
        lock: the lock, None when there is none.
        names: cells.
        cache: as for ``scan_trees``.
        by_name: a base that is known by its name alone will do.
    """
    inputs = LocalInputs(root=spec.root, cache=cache)
    return outdated_cells(spec, lock, inputs.input_digest, names, by_name=by_name)


def scan_trees(
    spec: Spec,
    lock: Lock,
    names: Iterable[str],
    host: HostEnvironment,
    cache: MutableMapping[str, str] | None = None,
    sent: "MutableMapping[TreeRequest, Sent] | None" = None,
) -> Mapping[TreeRequest, str]:
    """State of every folder and file the cells copy or build.

    Args:
        spec: the spec.
        lock: a lock that holds the cells.
        names: cells.
        host: the caller's surroundings.
        cache: file digests by path, size and time, so that unchanged files are not read again.
        sent: takes how much of each folder and file goes into a build.
    """
    wanted = list(names)
    requests = tree_requests((spec.cells[name] for name in wanted), (lock.cells[name] for name in wanted))
    return {
        request: tree_state(request, spec.root, host, cache, sent)
        for request in sorted(requests, key=lambda item: (item.source, item.exclude, item.commit))
    }


def plan_cells(
    session: Session, images: Iterable[str], sent: "MutableMapping[TreeRequest, Sent] | None" = None
) -> Plan:
    """Plan images of the spec from the lock as it stands; ``sent`` as in ``scan_trees``.

    Raises:
        UsageError: there is no lock, or it is out of date for one of the cells.
    """
    spec = read_spec(session)
    names = with_parents(spec, select_cells(spec, images))
    lock = read_locked(spec)
    if lock is None:
        raise UsageError(f"there is no {lock_path(spec).name} yet", hint="run `layerwright lock`")
    stale = stale_cells(spec, lock, names)
    if stale:
        raise UsageError(
            f"{lock_path(spec).name} is out of date for {', '.join(stale)}",
            hint="run `layerwright lock`; it changes only what the spec asks for",
        )
    trees = scan_trees(spec, lock, names, session.host, sent=sent)
    return make_plan(spec, lock, trees, cells=names)

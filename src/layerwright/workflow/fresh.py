"""A lock that fits the spec: as it is when it does, resolved anew for what has changed when it does not."""

from collections.abc import Sequence

from layerwright.core.errors import UsageError
from layerwright.core.events import Notice
from layerwright.lock.model import Lock
from layerwright.spec.model import Spec
from layerwright.workflow.plan import stale_cells
from layerwright.workflow.scans import file_digests
from layerwright.workflow.session import Session, lock_path, read_locked, short_list

__all__ = ["fresh_lock"]


def fresh_lock(session: Session, spec: Spec, names: Sequence[str], *, locked: bool) -> Lock:
    """The lock, brought up to date for some cells; what is done is told.

    Args:
        session: surroundings.
        spec: the spec.
        names: cells, with their parents.
        locked: the lock must fit as it is; it is never written.

    Raises:
        UsageError: the lock does not fit and ``locked`` was asked.
        ResolveError: something cannot be resolved; the lock is left as it was.
    """
    lock = read_locked(spec)
    with file_digests(session) as cache:
        stale = stale_cells(spec, lock, names, cache, by_name=False)
    if lock is not None and not stale:
        return lock
    if locked:
        if lock is not None and not stale_cells(spec, lock, names):
            raise UsageError(
                f"{lock_path(spec).name} has the base of {', '.join(stale)} by its name alone",
                hint="run `layerwright lock` where its registry can be reached, and commit the result",
            )
        raise UsageError(
            f"{lock_path(spec).name} is {'missing' if lock is None else 'out of date for ' + ', '.join(stale)}",
            hint="run `layerwright lock` and commit the result",
        )
    from layerwright.workflow.lock import update_lock  # noqa: PLC0415 - start-up

    changed = () if lock is None else stale_cells(spec, lock, names)
    if lock is None:
        reason = "there is no lock yet"
    elif changed:
        reason = f"the spec or its projects changed for {short_list(changed)}"
    else:
        reason = f"the lock has the base of {short_list(stale)} by its name alone"
    session.reporter(Notice(message=f"{reason}: resolving, and writing {lock_path(spec).name}"))
    return update_lock(session, cells=names).lock

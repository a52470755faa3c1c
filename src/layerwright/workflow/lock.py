"""Bring the lock up to date with the spec, and say what changed."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from layerwright.core.errors import UsageError
from layerwright.core.events import TaskEnded, TaskStarted
from layerwright.lock import Change, diff, write_lock
from layerwright.lock.model import Lock
from layerwright.workflow.accounts import require_accounts, tell_insecure
from layerwright.workflow.plan import stale_cells, with_parents
from layerwright.workflow.session import Session, lock_path, read_locked, read_spec, short_list

__all__ = ["LockOutcome", "check_lock", "update_lock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOutcome:
    """A lock and how it came to be.

    Attributes:
        lock: the whole lock.
        file: where it stands.
        changes: against what was there before.
        written: whether the file was written; an equal one is left alone.
    """

    lock: Lock
    file: Path
    changes: tuple[Change, ...]
    written: bool


def check_lock(session: Session) -> tuple[Path, tuple[str, ...]]:
    """The lock, and what is stale: cells that it lacks or holds for another spec, and cells the spec no longer has."""
    spec = read_spec(session)
    lock = read_locked(spec)
    gone = () if lock is None else tuple(f"{name} (removed)" for name in lock.cells if name not in spec.cells)
    return lock_path(spec), (*stale_cells(spec, lock, spec.cells, by_name=False), *gone)


def update_lock(
    session: Session,
    *,
    upgrade: Sequence[str] | None = None,
    cells: Iterable[str] | None = None,
    by_name: bool = False,
) -> LockOutcome:
    """Resolve what is new and write the lock.

    Args:
        session: surroundings.
        upgrade: names of packages to take anew; empty for everything, None for nothing.
        cells: cells that must be up to date afterwards; None for all.
        by_name: take bases of registries by their names: no registry is asked, and no digest is known.

    Raises:
        ResolveError: something cannot be resolved; the lock is left as it was.
    """
    from layerwright.resolve import UPGRADE_ALL, resolve  # noqa: PLC0415 - start-up
    from layerwright.workflow.ports import make_ports  # noqa: PLC0415 - start-up
    from layerwright.workflow.provisional import ports_by_name  # noqa: PLC0415 - start-up

    spec = read_spec(session)
    tell_insecure(session, spec)
    require_accounts(session, spec)
    before = read_locked(spec)
    names = None if cells is None else with_parents(spec, cells)
    session.reporter(TaskStarted(task="lock", title=short_list(names or spec.cells), kind="resolve"))
    try:
        with make_ports(session, spec) as ports:
            lock = resolve(
                spec,
                ports_by_name(ports, spec) if by_name else ports,
                by_name=by_name,
                cells=names,
                previous=before,
                upgrade=UPGRADE_ALL if upgrade is not None and not upgrade else frozenset(upgrade or ()),
            )
    except BaseException:
        session.reporter(TaskEnded(task="lock", failed=True))
        raise
    session.reporter(TaskEnded(task="lock"))
    file = lock_path(spec)
    text = write_lock(lock)
    written = not file.exists() or file.read_text(encoding="utf-8") != text
    if written:
        _replace(file, text)
    return LockOutcome(lock=lock, file=file, changes=diff(before, lock), written=written)


def _replace(file: Path, text: str) -> None:
    """Write whole or not at all: the lock is the user's, and a full disk must not cost it."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"cannot write {file}: {error.strerror}") from error

"""Will the described images work? Spec + lock → findings, before anything is built and without whole wheels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layerwright.core.errors import NetworkError
from layerwright.core.findings import Finding
from layerwright.facts.model import Subject
from layerwright.lock.model import Lock
from layerwright.spec.model import Spec
from layerwright.workflow.accounts import tell_insecure
from layerwright.workflow.fresh import fresh_lock
from layerwright.workflow.plan import stale_cells, with_parents
from layerwright.workflow.scans import file_digests
from layerwright.workflow.session import Session, read_locked, read_spec, select_cells

__all__ = ["CheckRequest", "Checked", "check_images", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """What is to be checked.

    Attributes:
        images: images or cells; empty for all.
        locked: the lock must fit the spec as it is; it is never written.
        host: record of the machine to judge for; None for no machine in particular.
    """

    images: tuple[str, ...] = ()
    locked: bool = False
    host: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found, and what was looked at."""

    findings: tuple[Finding, ...]
    subjects: Sequence[Subject]


def gather(session: Session, request: CheckRequest) -> tuple[Subject, ...]:
    """What the rules look at, one subject per cell.

    Raises:
        ResolveError: no set of packages meets the requirements.
        UsageError: the lock does not fit and ``locked`` was asked; there is no such image; the record is damaged.
    """
    from layerwright.workflow.subjects import make_subjects  # noqa: PLC0415 - start-up

    spec = read_spec(session)
    tell_insecure(session, spec)
    cells = select_cells(spec, request.images)
    host = None
    if request.host is not None:
        from layerwright.facts.host_record import read_host_facts  # noqa: PLC0415 - start-up

        host = read_host_facts(session.start / request.host)
    lock = _lock(session, spec, with_parents(spec, cells), locked=request.locked)
    return make_subjects(session, spec, lock, cells, host)


def _lock(session: Session, spec: Spec, names: Sequence[str], *, locked: bool) -> Lock:
    """A lock that fits: the one there is, else one made for the check where a base would have to be pulled first."""
    lock = read_locked(spec)
    with file_digests(session) as cache:
        stale = stale_cells(spec, lock, names, cache)
    if lock is not None and not stale:
        return lock
    if locked:
        return fresh_lock(session, spec, names, locked=True)
    from layerwright.workflow.provisional import distant_bases, provisional_lock  # noqa: PLC0415 - start-up

    distant = distant_bases(session, spec, lock, names)
    if distant:
        return provisional_lock(session, spec, lock, names, distant)
    try:
        return fresh_lock(session, spec, names, locked=False)
    except NetworkError as error:
        distant = distant_bases(session, spec, lock, names, reachable=False)
        if not distant:
            raise
        return provisional_lock(session, spec, lock, names, distant, why=error.what)


def check_images(session: Session, request: CheckRequest) -> Checked:
    """Judge images by all rules; errors as for ``gather``."""
    from layerwright.rules import judge  # noqa: PLC0415 - start-up

    subjects = gather(session, request)
    findings = [finding for subject in subjects for finding in _explained(subject, judge(subject))]
    executors = [subject.cell for subject in subjects if subject.role == "executor"]
    if executors:
        from layerwright.workflow.executor_lint import described_findings  # noqa: PLC0415 - start-up

        spec = read_spec(session)
        findings += [found for name in executors for found in described_findings(spec, spec.cells[name])]
    return Checked(findings=tuple(findings), subjects=subjects)


def _explained(subject: Subject, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Errors with the smallest set that clashes and repairs that were tried; without an error nothing is looked up."""
    if not any(finding.level == "error" for finding in findings):
        return findings
    from layerwright.conflicts import explain_findings  # noqa: PLC0415 - only on error

    return explain_findings(subject, findings)

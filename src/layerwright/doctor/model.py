"""The words of doctor: what is checked, what was found, and what the machine is for."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, get_args

from msgspec import Struct, field

from layerwright.core.findings import Kind
from layerwright.facts.model import HostFacts

if TYPE_CHECKING:
    from layerwright.doctor.machine import Machine

__all__ = [
    "PURPOSES",
    "STATUSES",
    "Check",
    "Cure",
    "Family",
    "Kind",
    "Needs",
    "Outcome",
    "Purpose",
    "Status",
    "absent",
    "broken",
]

Status = Literal["ok", "warning", "error", "unknown", "not_needed"]
"""``ok``: it works. ``warning``: it may not work, or works less well. ``error``: something that is needed is missing or
broken. ``unknown``: nobody could find out. ``not_needed``: it is not there, and nothing asks for it."""

STATUSES: Final[tuple[Status, ...]] = get_args(Status)

Purpose = Literal["build", "run", "docker", "podman", "cpu", "nvidia", "mthreads"]
"""What a machine may be wanted for: building natively, running, an engine, or a kind of device."""

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)


class Cure(Struct, frozen=True, kw_only=True):
    """One way to mend what a check found.

    Attributes:
        text: what to do, one sentence without a full stop.
        command: what to type in a shell on Debian or Ubuntu, as root where it says so; empty for none.
    """

    text: str
    command: str = ""


class Check(Struct, frozen=True, kw_only=True):
    """What one check found.

    Attributes:
        id: of its ``Kind``.
        status: how it stands.
        detail: what was seen, with versions; one sentence without a full stop.
        fix: ways to mend it, cheapest first; empty when there is nothing to mend.
    """

    id: str
    status: Status
    detail: str
    fix: tuple[Cure, ...] = ()


class Needs(Struct, frozen=True, kw_only=True):
    """What the machine is wanted for; without any purpose nothing is an error.

    Attributes:
        purposes: each with what asks for it: ``--for nvidia``, ``layerwright.toml (infer-gpu)``.
        debian: a base made of Debian packages is to be built.
        git: packages come from git repositories.
        shared_memory: greatest ``shm_size`` asked for, in bytes; 0 for none.
        addresses: package indexes that the spec names, by name; without credentials.
    """

    purposes: Mapping[str, str] = field(default_factory=dict)
    debian: bool = False
    git: bool = False
    shared_memory: int = 0
    addresses: Mapping[str, str] = field(default_factory=dict)

    def wants(self, *purposes: Purpose) -> bool:
        """Whether any of the purposes is asked for."""
        return any(purpose in self.purposes for purpose in purposes)


class Outcome(Struct, frozen=True, kw_only=True):
    """What a family of checks found.

    Attributes:
        checks: in the order of the family's kinds.
        facts: what goes into the host record; fields not known are left at their defaults.
    """

    checks: tuple[Check, ...]
    facts: HostFacts = HostFacts()


class Family(Struct, frozen=True, kw_only=True):
    """Checks that look at the same thing together.

    Attributes:
        name: stable, one word.
        title: for people.
        kinds: its checks.
        examine: looks; must not raise, must end in bounded time where that is in its hands.
    """

    name: str
    title: str
    kinds: tuple[Kind, ...]
    examine: "Callable[[Machine, Needs], Outcome]"


def absent(identity: str, detail: str, *fix: Cure, needed: bool) -> Check:
    """A thing is not there: an error when it is needed, else of no account."""
    if needed:
        return Check(id=identity, status="error", detail=detail, fix=fix)
    return Check(id=identity, status="not_needed", detail=detail)


def broken(identity: str, detail: str, fix: Iterable[Cure] = (), *, needed: bool) -> Check:
    """A thing is there and does not work: an error when it is needed, else a warning."""
    return Check(id=identity, status="error" if needed else "warning", detail=detail, fix=tuple(fix))

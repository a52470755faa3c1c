"""A resolution for a check alone: packages are chosen as ever, and bases that are not here are taken by their name.

Locking pulls a registry's base to look into it, gigabytes for an image of NVIDIA's. Whether the packages will fit it
can be said before, wherever its name is a known one.
"""

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from msgspec import structs

from layerwright.core.events import Notice
from layerwright.facts.bases import base_facts
from layerwright.lock.model import Deb, Lock, LockedBase
from layerwright.oci.platform import Platform
from layerwright.resolve import AptRequest, Ports
from layerwright.spec.model import Cell, Spec
from layerwright.workflow.base_contents import known_contents
from layerwright.workflow.session import Session, lock_path, short_list

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerwright.resolve import AptResolver, BaseInspector

__all__ = ["distant_bases", "provisional_lock"]

_COMMON_GLIBC: Final = "2.35"
"""Of Ubuntu 22.04, which most images for GPUs stand on."""


def distant_bases(
    session: Session, spec: Spec, lock: Lock | None, names: Sequence[str], *, reachable: bool = True
) -> tuple[str, ...]:
    """Bases of cells that locking would have to pull although their names say what is in them.

    Where no registry can be reached that is every base of one: what its name does not say stays unknown.
    """
    pulled = reachable and not session.offline
    found = dict[str, None]()
    for name in names:
        cell = spec.cells[name]
        if cell.base.kind != "registry" or _is_here(session, cell, lock):
            continue
        if not pulled or base_facts(cell.base.kind, cell.base.source).known:
            found[cell.base.source] = None
    return tuple(found)


def _is_here(session: Session, cell: Cell, lock: Lock | None) -> bool:
    """The lock has the base, and the store holds it."""
    before = lock.cells.get(cell.name) if lock else None
    if before is None or (before.base.kind, before.base.source) != (cell.base.kind, cell.base.source):
        return False
    return known_contents(session.store, before.base, cell.platform) is not None


def provisional_lock(
    session: Session,
    spec: Spec,
    lock: Lock | None,
    names: Sequence[str],
    distant: Sequence[str],
    *,
    why: str = "",
) -> Lock:
    """Resolve cells without pulling the distant bases; nothing is written, and that is told, with the reason why.

    Raises:
        ResolveError: no set of packages meets the requirements.
    """
    from layerwright.resolve import resolve  # noqa: PLC0415 - start-up
    from layerwright.workflow.ports import make_ports  # noqa: PLC0415 - start-up

    state = why or ("there is no lock yet" if lock is None else "the lock is out of date")
    session.reporter(
        Notice(
            message=f"{state}: resolving for this check alone, with {short_list(distant)} as its name says; "
            f"`layerwright lock` pulls it and writes {lock_path(spec).name}"
        )
    )
    if any(not base_facts("registry", source).glibc for source in distant):
        session.reporter(
            Notice(message=f"wheels are chosen for glibc {_COMMON_GLIBC} where the base's is not known")
        )
    part = structs.replace(spec, cells={name: spec.cells[name] for name in names})
    with make_ports(session, spec) as ports, _by_name(ports, distant) as named:
        return resolve(part, named, previous=lock)


@contextmanager
def _by_name(ports: Ports, distant: Sequence[str]) -> "Iterator[Ports]":
    sources = frozenset(distant)
    yield replace(
        ports,
        bases=_NamedBases(real=ports.bases, distant=sources),
        apt=_NamedApt(real=ports.apt, distant=sources),
        files=_NoSizes(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _NamedBases:
    """Distant bases by their names (``resolve.BaseInspector``)."""

    real: "BaseInspector"
    distant: frozenset[str]

    def lock_base(self, cell: Cell, /) -> LockedBase:
        """What the name says of glibc, else a common one, so that wheels can be chosen; a digest it does not have."""
        if cell.base.source not in self.distant:
            return self.real.lock_base(cell)
        facts = base_facts(cell.base.kind, cell.base.source)
        return LockedBase(kind=cell.base.kind, source=cell.base.source, glibc=facts.glibc or _COMMON_GLIBC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _NamedApt:
    """Debian packages over distant bases: those that are asked for, without versions and what they need."""

    real: "AptResolver"
    distant: frozenset[str]

    def resolve_apt(self, request: AptRequest, /) -> tuple[Deb, ...]:
        """The names."""
        if request.base.source not in self.distant:
            return self.real.resolve_apt(request)
        return tuple(_deb(name, request.platform) for name in request.names)


def _deb(text: str, platform: Platform) -> Deb:
    name, _, version = text.partition("=")
    return Deb(name=name, version=version, architecture=platform.architecture, sha256="", size=0, path="")


class _NoSizes:
    """Files need not be measured (``resolve.FileSizer``)."""

    def file_size(self, url: str, /) -> int:
        """Not known."""
        del url
        return 0

"""Resolution without a registry: packages are chosen as ever, and bases that are not here are taken by their name.

Locking pulls a registry's base to look into it, gigabytes for an image of NVIDIA's. Whether the packages will fit it
can be said before, wherever its name is a known one: for a check alone, or in a lock that says so (``lock --by-name``).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from msgspec import structs

from layerwright.core.errors import UsageError
from layerwright.core.events import Notice
from layerwright.facts.bases import base_facts
from layerwright.facts.model import BaseFacts
from layerwright.lock.model import Deb, Lock, LockedBase
from layerwright.oci.platform import Platform
from layerwright.resolve import AptRequest, Ports
from layerwright.spec.model import Cell, Source, Spec
from layerwright.workflow.base_contents import known_contents
from layerwright.workflow.session import Session, lock_path, short_list

if TYPE_CHECKING:
    from layerwright.resolve import AptResolver, BaseInspector

__all__ = ["distant_bases", "ports_by_name", "provisional_lock"]

_BRINGS_PYTHON: Final = re.compile(r"python3(\.\d+)?(-[a-z]+)*(=|$)")
"""Debian packages that depend on the interpreter: python3, python3.10, python3-pip, python3-dev, python3-tk …"""

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
    with make_ports(session, spec) as ports:
        named = replace(
            _with_names(ports, frozenset(distant), strict=False), files=_NoSizes(), trees=_NoTrees()
        )
        return resolve(part, named, previous=lock, by_name=True)


def ports_by_name(ports: Ports, spec: Spec) -> Ports:
    """Ports for a lock that takes every registry's base by its name; a name that says too little is refused."""
    registry = {cell.base.source for cell in spec.cells.values() if cell.base.kind == "registry"}
    return _with_names(ports, registry, strict=True)


def _with_names(ports: Ports, distant: Collection[str], *, strict: bool) -> Ports:
    sources = frozenset(distant)
    return replace(
        ports,
        bases=_NamedBases(real=ports.bases, distant=sources, strict=strict),
        apt=_NamedApt(real=ports.apt, distant=sources),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _NamedBases:
    """Distant bases by their names (``resolve.BaseInspector``)."""

    real: "BaseInspector"
    distant: frozenset[str]
    strict: bool

    def lock_base(self, cell: Cell, /) -> LockedBase:
        """What the name says; a digest it does not have.

        Where it does not say which glibc, a common one lets wheels be chosen, unless ``strict``.

        Raises:
            UsageError: ``strict``, and the name does not say what a plan needs.
        """
        if cell.base.source not in self.distant:
            return self.real.lock_base(cell)
        facts = base_facts(cell.base.kind, cell.base.source)
        interpreter = _interpreter(cell, facts)
        if self.strict and cell.python and not (facts.glibc and interpreter):
            raise _too_little(cell, facts)
        return LockedBase(
            kind=cell.base.kind,
            source=cell.base.source,
            interpreter=interpreter if self.strict else "",
            glibc=facts.glibc or _COMMON_GLIBC,
        )


def _too_little(cell: Cell, facts: BaseFacts) -> UsageError:
    hint = "lock without --by-name where its registry can be reached"
    if not facts.glibc:
        what = f"the name of {cell.base.source} does not say what system it holds"
    else:
        what = f"nothing says that {cell.base.source} with this `apt` has Python {cell.python}"
        if facts.python == cell.python:
            hint += f', or add "python{cell.python}" to `apt`'
        elif facts.python:
            what += f": its system's own is {facts.python}"
    return UsageError(what, where=cell.location, hint=hint)


def _interpreter(cell: Cell, facts: BaseFacts) -> str:
    """Where the cell's Python is, by the base's name and by what the spec installs; empty when neither says."""
    if not cell.python or ".".join(facts.python.split(".")[:2]) != cell.python:
        return ""
    if facts.family == "python":  # docker-library builds its own
        return f"/usr/local/bin/python{cell.python}"
    if facts.family == "ngc-pytorch" or any(_BRINGS_PYTHON.match(name) for name in cell.apt):
        return f"/usr/bin/python{cell.python}"
    return ""  # the system's own release of Python, which is not in its images unless installed


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


class _NoTrees:
    """Source trees do not matter to a check (``resolve.TreeResolver``)."""

    def resolve_tree(self, source: Source, /) -> tuple[()]:
        """Nothing."""
        del source
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoSizes:
    """Files need not be measured (``resolve.FileSizer``)."""

    def file_size(self, url: str, /) -> int:
        """Not known."""
        del url
        return 0

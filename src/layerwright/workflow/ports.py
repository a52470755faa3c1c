"""Answers what ``resolve`` asks of the outside world."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from layerwright.backends.native.bases import import_base, open_base
from layerwright.backends.native.blobs import layer_trees
from layerwright.backends.native.realise import realise_base
from layerwright.backends.native.results import write_result
from layerwright.backends.native.workshop import Workshop
from layerwright.lock.model import Deb, LockedBase
from layerwright.oci.digest import Digest
from layerwright.plan.nodes import canonical, make_node
from layerwright.plan.steps import Base
from layerwright.resolve import AptRequest, Ports
from layerwright.sandbox.changes import look_up
from layerwright.sources.apt import (
    AptContext,
    AptSources,
    base_facts,
    debian_sources,
    debs_status,
    resolve_apt,
    resolve_debian_base,
    tree_sources,
    tree_status,
)
from layerwright.sources.choose import AddressSizer
from layerwright.sources.local import LocalInputs
from layerwright.sources.trees import GitTrees
from layerwright.sources.uv import UvResolver
from layerwright.spec.model import Cell, Spec
from layerwright.workflow.leaks import private_key
from layerwright.workflow.session import Session
from layerwright.workflow.workshop import make_workshop

__all__ = ["make_ports"]

_INTERPRETERS = ("usr/bin", "usr/local/bin", "opt/conda/bin")
_LIBRARIES = (
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "lib64",
    "usr/lib64",
    "lib",
    "usr/lib",
)
_GLIBC = re.compile(rb"GNU C Library [^\n]* release version (\d+\.\d+)")
_LARGEST_LIBC = 32 << 20


@contextmanager
def make_ports(session: Session, spec: Spec) -> Iterator[Ports]:
    """Ports for one resolution."""
    workshop = make_workshop(session, spec)
    apt = AptContext(host=session.host, cache=session.store_root / "apt", offline=session.offline)
    yield Ports(
        packages=UvResolver(
            host=session.host, http=workshop.http, reporter=session.reporter, key=private_key(session)
        ),
        apt=_Apt(workshop=workshop, context=apt),
        bases=_Bases(workshop=workshop, context=apt),
        files=AddressSizer(workshop.http, session.host, spec.root),
        inputs=LocalInputs(root=spec.root),
        trees=GitTrees(host=session.host, root=spec.root, offline=session.offline),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bases:
    """Finds bases and looks into them (``resolve.BaseInspector``)."""

    workshop: Workshop
    context: AptContext

    def lock_base(self, cell: Cell, /) -> LockedBase:
        """The base of a cell by content."""
        base = cell.base
        if base.kind == "debian":
            debs = resolve_debian_base(
                self.context,
                base.source,
                python=cell.python,
                platform=cell.platform,
                mirror=self.workshop.mirror,
                extra=("tzdata",) if cell.timezone else (),
            )
            facts = base_facts(debs)
            return LockedBase(
                kind="debian",
                source=base.source,
                digest=_digest_of(debs, base.source),
                debs=debs,
                python=facts.python,
                interpreter=facts.interpreter,
                glibc=facts.glibc,
            )
        with open_base(self.workshop, base.kind, base.source, cell.platform) as (image, blobs, identity):
            result = import_base(self.workshop, image, blobs)
            locked = LockedBase(kind=base.kind, source=base.source, digest=identity)
        # A build of this base has nothing left to do.
        node = make_node(Base(base=locked, platform=str(cell.platform)), (), str(base))
        write_result(self.workshop.store, node.digest, result)
        return _look_into(self._trees(locked, str(cell.platform)), cell.python, locked)

    def _trees(self, locked: LockedBase, platform: str) -> tuple[Path, ...]:
        return base_trees(self.workshop, locked, platform)


def base_trees(workshop: Workshop, locked: LockedBase, platform: str) -> tuple[Path, ...]:
    """The base's layers as folders, bottom first; brought into the store when they are not there."""
    result = realise_base(workshop, Base(base=locked, platform=platform))
    return tuple(
        path
        for layer in result.layers
        for path in layer_trees(workshop.store, layer, as_root=workshop.host.uid == 0)
    )


def _digest_of(debs: Sequence[Deb], suite: str) -> str:
    """Digest of a list of packages: by content, wherever they come from."""
    rows = [[deb.name, deb.version, deb.architecture, deb.sha256] for deb in debs]
    return str(Digest.of(canonical([suite, rows])))


def _look_into(trees: Sequence[Path], python: str, locked: LockedBase) -> LockedBase:
    """Find the interpreter and glibc; what is not found stays unknown."""
    stack = tuple(reversed(trees))
    status = tree_status(trees)
    interpreter = full = ""
    for folder in _INTERPRETERS if python else ():
        if look_up(f"{folder}/python{python}", stack) is not None:
            interpreter = f"/{folder}/python{python}"
            if folder == "usr/bin":
                full = _upstream(_installed(status, f"python{python}-minimal"))
            break
    glibc = ".".join(_upstream(_installed(status, "libc6")).split(".")[:2]) or _glibc(stack)
    return LockedBase(
        kind=locked.kind,
        source=locked.source,
        digest=locked.digest,
        python=full,
        interpreter=interpreter,
        glibc=glibc,
    )


def _installed(status: str, name: str) -> str:
    """Version of a package in dpkg's status file; empty when it is not installed."""
    for stanza in status.split("\n\n"):
        if stanza.startswith(f"Package: {name}\n") and "\nStatus: install ok installed" in stanza:
            found = re.search(r"^Version: (.+)$", stanza, re.MULTILINE)
            return found[1] if found else ""
    return ""


def _upstream(version: str) -> str:
    """The upstream part of a Debian version: ``1:3.11.2-6+b1`` → ``3.11.2``."""
    return re.split(r"[-+~]", version.rpartition(":")[2])[0]


def _glibc(stack: Sequence[Path]) -> str:
    """The version glibc prints when it is run, read off its file."""
    for folder in _LIBRARIES:
        entry = look_up(f"{folder}/libc.so.6", stack)
        if entry is not None and entry.is_symlink():
            entry = look_up(f"{folder}/{entry.readlink().name}", stack)
        if entry is not None and entry.is_file() and entry.stat().st_size < _LARGEST_LIBC:
            found = _GLIBC.search(entry.read_bytes())
            if found:
                return found[1].decode()
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Apt:
    """Chooses Debian packages (``resolve.AptResolver``)."""

    workshop: Workshop
    context: AptContext

    def resolve_apt(self, request: AptRequest, /) -> tuple[Deb, ...]:
        """Packages to install over what is there, by name."""
        sources, installed = self._system(request)
        return resolve_apt(self.context, request.names, sources=sources, installed=installed)

    def _system(self, request: AptRequest) -> tuple[AptSources, str]:
        """Where packages come from and what is installed."""
        base = request.base
        if base.kind == "debian":
            sources = debian_sources(base.source, platform=request.platform, mirror=self.workshop.mirror)
            status = debs_status(self.context, request.installed, sources=sources, store=self.workshop.store)
            return sources, status
        trees = base_trees(self.workshop, base, str(request.platform))
        sources = tree_sources(
            trees,
            platform=request.platform,
            label=f"{base.kind}:{base.source}",
            mirror=self.workshop.mirror,
        )
        status = tree_status(trees)
        if request.installed:
            added = debs_status(self.context, request.installed, sources=sources, store=self.workshop.store)
            status = f"{status.rstrip()}\n\n{added}"
        return sources, status

"""Spec → lock: which cells must be resolved anew, in which order, and what each may not change."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from layerwright.core.errors import UsageError
from layerwright.lock.freshness import inputs_stand, is_by_name
from layerwright.lock.model import (
    Deb,
    Lock,
    LockedBase,
    LockedCell,
    LockedComponent,
    LockedFile,
    LockedSource,
    LockedTree,
)
from layerwright.oci.platform import Platform
from layerwright.resolve.credentials import refuse_credentials
from layerwright.resolve.interpreter import with_interpreter
from layerwright.resolve.packages import choose_packages
from layerwright.resolve.places import placed
from layerwright.resolve.ports import AptRequest, PackageRequest, PackageSet, Ports
from layerwright.resolve.upgrades import Upgrade, check_upgrade, moves
from layerwright.spec.fingerprint import cell_resolution_digest
from layerwright.spec.model import (
    Base,
    Cell,
    Component,
    Model,
    PathPackage,
    Spec,
)

__all__ = ["resolve"]

_LOCAL_BASES: Final = frozenset({"oci", "archive", "docker"})


def resolve(
    spec: Spec,
    ports: Ports,
    *,
    cells: Collection[str] | None = None,
    previous: Lock | None = None,
    upgrade: Upgrade = frozenset(),
    by_name: bool = False,
) -> Lock:
    """Lock the cells of a spec, keeping whatever need not change.

    Args:
        spec: what the user described; parents stand before children.
        ports: the outside world.
        cells: cells to resolve, with their parents; None for all. Others stay as they are in ``previous``.
        previous: the lock so far. A cell is taken over as it is when its part of the spec and its local projects
            are unchanged; versions of a changed cell are kept where they still fit.
        upgrade: what may move although the spec is unchanged.
        by_name: what was locked over a base known by its name alone may stay so.

    Raises:
        ResolveError: nothing fits; names the cell, and the parent when it is the parent's lock that is in the way.
        SpecError: an address of the spec holds a credential.
        UsageError: ``upgrade`` names what is nowhere in the lock, or a component is another Python than a cell says.
    """
    wanted = _with_parents(spec, cells)
    refuse_credentials(spec.cells[name] for name in wanted)
    locked = (
        {}
        if previous is None
        else {name: cell for name, cell in previous.cells.items() if name in spec.cells}
    )
    check_upgrade(spec, locked, upgrade)
    run = _Run(spec=spec, ports=ports, previous=locked, upgrade=upgrade, by_name=by_name)
    for name in spec.cells:
        if name in wanted:
            run.done[name] = run.cell(spec.cells[name])
        elif name in locked:
            # not asked for, but a child must follow when its parent has changed under it
            run.done[name] = (
                locked[name] if run.parent_stays(spec.cells[name]) else run.cell(spec.cells[name])
            )
    return Lock(cells=run.done)


def _with_parents(spec: Spec, cells: Collection[str] | None) -> frozenset[str]:
    if cells is None:
        return frozenset(spec.cells)
    found: set[str] = set()
    for cell_name in cells:
        if cell_name not in spec.cells:
            raise UsageError(f"there is no cell {cell_name!r}", hint=f"cells are: {', '.join(spec.cells)}")
        found.update(cell.name for cell in _chain(spec, spec.cells[cell_name]))
    return frozenset(found)


def _chain(spec: Spec, cell: Cell) -> tuple[Cell, ...]:
    """The cell's parents, outermost first, then the cell."""
    chain = [cell]
    while chain[0].base.kind == "image":
        chain.insert(0, spec.cells[chain[0].base.source])
    return tuple(chain)


@dataclass(slots=True, kw_only=True)
class _Run:
    """One resolution of a spec; ``done`` grows parents first. What cells share is asked for once."""

    spec: Spec
    ports: Ports
    previous: Mapping[str, LockedCell]
    upgrade: Upgrade
    by_name: bool = False
    done: dict[str, LockedCell] = field(default_factory=dict)
    bases: dict[tuple[Base, Platform, str, bool, tuple[str, ...]], LockedBase] = field(default_factory=dict)
    debs: dict[tuple[tuple[str, ...], LockedBase, tuple[Deb, ...]], tuple[Deb, ...]] = field(
        default_factory=dict
    )
    inputs: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    trees: dict[str, tuple[LockedTree, ...]] = field(default_factory=dict)

    def cell(self, cell: Cell) -> LockedCell:
        digest = cell_resolution_digest(cell, self.spec)
        before = self.previous.get(cell.name)
        if before is not None and before.spec_digest == digest and self._may_stay(cell, before):
            return before
        chain = _chain(self.spec, cell)
        base = self._base(cell, before)
        apt = self._apt(cell, chain, base)
        base = with_interpreter(cell, base, apt)
        packages = self._packages(cell, chain, base, before)
        return LockedCell(
            name=cell.name,
            spec_digest=digest,
            base=base,
            python=cell.python,
            platform=str(cell.platform),
            apt=apt,
            wheels=packages.wheels,
            sources=packages.sources,
            files=self._files(cell, before),
            components=self._components(cell),
            trees=self._trees(cell, before),
        )

    def _may_stay(self, cell: Cell, before: LockedCell) -> bool:
        names = [package.name for package in before.packages]
        names += [deb.name for deb in (*before.apt, *before.base.debs)]
        names += [tree.name for tree in before.trees]
        if moves(self.upgrade, str(cell.base)) or any(moves(self.upgrade, name) for name in names):
            return False
        if not self.by_name and is_by_name(self.previous, cell.name):
            return False
        return inputs_stand(before, self._input_digest) and self.parent_stays(cell)

    def _input_digest(self, path: str) -> str:
        if path not in self.inputs:
            self.inputs[path] = self.ports.inputs.input_digest(path)
        return self.inputs[path]

    def _with_metadata(self, source: LockedSource) -> LockedSource:
        return (
            structs.replace(source, metadata=self._input_digest(source.source))
            if source.kind == "path"
            else source
        )

    def parent_stays(self, cell: Cell) -> bool:
        """Whether what the cell stands on is what it stood on before."""
        if cell.base.kind != "image":
            return True
        parent = cell.base.source
        return parent in self.done and self.done[parent] == self.previous.get(parent)

    def _base(self, cell: Cell, before: LockedCell | None) -> LockedBase:
        if cell.base.kind == "image":
            parent = self.done[cell.base.source].base
            return LockedBase(
                kind="image",
                source=cell.base.source,
                python=parent.python,
                interpreter=parent.interpreter,
                glibc=parent.glibc,
            )
        if before is not None and self._base_may_stay(cell, before):
            return before.base
        # A base that is known by its name gets its Python from the cell's Debian packages.
        brings = cell.apt if self.by_name else ()
        key = (cell.base, cell.platform, cell.python, bool(cell.timezone), brings)
        if key not in self.bases:
            with placed(cell.location):
                self.bases[key] = self.ports.bases.lock_base(cell)
        return self.bases[key]

    def _base_may_stay(self, cell: Cell, before: LockedCell) -> bool:
        base = before.base
        if (base.kind, base.source) != (cell.base.kind, cell.base.source) or before.platform != str(
            cell.platform
        ):
            return False
        if base.kind == "registry" and not base.digest:
            return False
        # what stands on this machine is looked at again; what a name means elsewhere is kept until asked for
        if base.kind in _LOCAL_BASES or (base.kind == "debian" and not _has_what_it_needs(cell, before)):
            return False
        return not moves(self.upgrade, str(cell.base)) and not any(
            moves(self.upgrade, deb.name) for deb in base.debs
        )

    def _apt(self, cell: Cell, chain: tuple[Cell, ...], base: LockedBase) -> tuple[Deb, ...]:
        if not cell.apt:
            return ()
        root = self.done[chain[0].name].base if len(chain) > 1 else base
        below = [deb for parent in chain[:-1] for deb in self.done[parent.name].apt]
        request = AptRequest(
            cell=cell, names=cell.apt, base=root, installed=(*root.debs, *below), platform=cell.platform
        )
        key = (request.names, root, request.installed)
        if key not in self.debs:
            with placed(cell.location):
                found = self.ports.apt.resolve_apt(request)
            self.debs[key] = tuple(sorted(found, key=lambda deb: (deb.name, deb.architecture)))
        return self.debs[key]

    def _packages(
        self, cell: Cell, chain: tuple[Cell, ...], base: LockedBase, before: LockedCell | None
    ) -> PackageSet:
        if not cell.packages:
            return PackageSet()
        parents = [self.done[parent.name] for parent in chain[:-1]]
        # a project whose version is made at build time has none to pin
        pins = {package.name: package.version for parent in parents for package in parent.packages}
        known = before.packages if before else ()
        preferences = {
            package.name: package.version
            for package in known
            if package.version and not moves(self.upgrade, package.name)
        }
        inherited = tuple(package for parent in chain[:-1] for package in parent.packages)
        constraints = tuple(dict.fromkeys(line for part in chain for line in part.constraints))
        request = PackageRequest(
            cell=cell.name,
            python=cell.python,
            full_python=base.python,
            platform=cell.platform,
            glibc=base.glibc,
            packages=cell.packages,
            inherited=inherited,
            constraints=constraints,
            pins={name: version for name, version in pins.items() if version},
            preferences=preferences,
            sizes=self._sizes(),
            prereleases=cell.prereleases,
            exclude_newer=cell.exclude_newer,
            indexes=self.spec.indexes,
            root=self.spec.root,
        )
        for package in cell.packages:
            if isinstance(package, PathPackage):
                # before they are resolved: what is edited meanwhile then makes the lock out of date, not wrong
                self._input_digest(package.path)
        chosen = choose_packages(cell, request, self.ports.packages)
        return PackageSet(
            wheels=tuple(
                sorted((w for w in chosen.wheels if w.name not in pins), key=lambda wheel: wheel.name)
            ),
            sources=tuple(
                self._with_metadata(source)
                for source in sorted(chosen.sources, key=lambda source: source.name)
                if source.name not in pins
            ),
        )

    def _sizes(self) -> dict[str, int]:
        cells = (*self.previous.values(), *self.done.values())
        return {
            item.sha256: item.size for cell in cells for item in cell.packages if item.sha256 and item.size
        }

    def _files(self, cell: Cell, before: LockedCell | None) -> tuple[LockedFile, ...]:
        known = {(file.url, file.sha256): file.size for file in (before.files if before else ())}
        files = []
        for model in cell.models:
            size = known.get((model.url, model.sha256), 0) or self._file_size(model)
            files.append(LockedFile(url=model.url, sha256=model.sha256, size=size, to=model.to))
        return tuple(sorted(files, key=lambda file: file.to))

    def _trees(self, cell: Cell, before: LockedCell | None) -> tuple[LockedTree, ...]:
        """Commits of the cell's source trees: what is locked for a revision stays until asked for, tags and all."""
        found = {}
        for source in {item.source.name: item.source for item in cell.sources}.values():
            known = tuple(tree for tree in (before.trees if before else ()) if tree.name == source.name)
            same = known and (known[0].git, known[0].rev) == (source.git, source.rev)
            if same and bool(known[1:]) <= source.submodules and not moves(self.upgrade, source.name):
                found[source.name] = known
                continue
            if source.name not in self.trees:
                with placed(source.location):
                    self.trees[source.name] = self.ports.trees.resolve_tree(source)
            found[source.name] = self.trees[source.name]
        return tuple(tree for name in sorted(found) for tree in found[name])

    def _components(self, cell: Cell) -> tuple[LockedComponent, ...]:
        locked = (*self.previous.values(), *self.done.values())
        known = {(one.url, one.sha256): one.size for before in locked for one in before.components}
        return tuple(
            LockedComponent(
                name=one.name,
                url=one.url,
                sha256=one.sha256,
                size=known.get((one.url, one.sha256), 0) or self._file_size(one),
            )
            for one in cell.components
        )

    def _file_size(self, item: Model | Component) -> int:
        if item.url not in self.sizes:
            with placed(item.location):
                self.sizes[item.url] = self.ports.files.file_size(item.url)
        return self.sizes[item.url]


def _has_what_it_needs(cell: Cell, before: LockedCell) -> bool:
    """Whether a Debian base made for the cell as it was still carries its Python and its time zones."""
    zones = not cell.timezone or any(deb.name == "tzdata" for deb in before.base.debs)
    return before.python == cell.python and zones

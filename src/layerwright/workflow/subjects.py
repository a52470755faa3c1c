"""Spec + lock + store → the subjects that rules judge: one per cell, with what is known of its base and packages."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import structs

from layerwright.core.source import Location
from layerwright.facts.components import release_of_file
from layerwright.facts.model import (
    BaseFacts,
    ComponentFacts,
    HostFacts,
    InsecureIndex,
    Package,
    RunFacts,
    Subject,
    SystemPackage,
    WheelFacts,
)
from layerwright.facts.source_trees import package_of_repository, version_of_tag
from layerwright.lock.model import Lock, LockedBase, LockedCell, LockedSource, LockedWheel
from layerwright.spec.model import Cell, IndexPackage, PathPackage, Spec, UrlPackage
from layerwright.spec.model import Package as Asked
from layerwright.spec.requirement import normalize_name, requirement_name
from layerwright.workflow.session import Session
from layerwright.workflow.source_facts import built_wheels, pure_project

if TYPE_CHECKING:
    from layerwright.spec.positions import Positions

__all__ = ["make_subjects"]

_REQUIREMENT: Final = re.compile(
    r"\s*(?P<name>[A-Za-z0-9._-]+)\s*(?:\[(?P<extras>[^\]]*)\])?[^;]*(?:;(?P<marker>.*))?"
)
_EXTRA: Final = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def make_subjects(
    session: Session, spec: Spec, lock: Lock, cells: Sequence[str], host: HostFacts | None = None
) -> tuple[Subject, ...]:
    """The subjects of the cells, in their order.

    Facts of wheels are read from the store, else from the index in pieces; what cannot be had is None, with the reason.

    Args:
        session: surroundings.
        spec: the spec.
        lock: a lock that holds the cells and their parents.
        cells: names.
        host: the machine to judge for.
    """
    chains = {name: _chain(spec, name) for name in cells}
    parts = {cell.name: lock.cells[cell.name] for chain in chains.values() for cell in chain}
    wheels = [wheel for part in parts.values() for wheel in part.wheels]
    built = built_wheels(session, spec, lock, tuple(parts))
    facts = _wheel_facts(session, spec, [*wheels, *built.values()])
    sources = {
        (part.name, source.name): _source_facts(source, built.get((part.name, source.name)), facts, spec.root)
        for part in parts.values()
        for source in part.sources
    }
    places = _Places(spec)
    bases: dict[tuple[LockedBase, str], tuple[BaseFacts, Mapping[str, str]]] = {}
    subjects = []
    for chain in chains.values():
        root = lock.cells[chain[0].name]
        key = (root.base, root.platform)
        if key not in bases:
            bases[key] = _base(session, chain[0], root)
        base, debs = bases[key]
        subjects.append(
            _subject(
                chain, [lock.cells[cell.name] for cell in chain], base, debs, facts, sources, places, host
            )
        )
    insecure = tuple(
        InsecureIndex(name=index.name, how=index.insecure, location=places.find(index.location))
        for index in spec.indexes.values()
        if index.insecure
    )
    return tuple(
        structs.replace(subject, insecure_indexes=insecure) if insecure else subject for subject in subjects
    )


def _chain(spec: Spec, name: str) -> tuple[Cell, ...]:
    """The cell and its parents, outermost first."""
    chain = [spec.cells[name]]
    while chain[0].base.kind == "image":
        chain.insert(0, spec.cells[chain[0].base.source])
    return tuple(chain)


def _wheel_facts(
    session: Session, spec: Spec, wheels: Sequence[LockedWheel]
) -> "Mapping[str, WheelFacts | str]":
    """Facts by sha256, or why there are none."""
    if not wheels:
        return {}
    from layerwright.sources.wheel_facts import WheelFactsReader  # noqa: PLC0415 - start-up

    reader = WheelFactsReader(
        store=session.store,
        host=session.host,
        indexes=spec.indexes,
        root=spec.root,
        reporter=session.reporter,
        offline=session.offline,
    )
    found = reader.read(wheels)
    return {digest: one if isinstance(one, WheelFacts) else one.why for digest, one in found.items()}


def _base(session: Session, cell: Cell, locked: LockedCell) -> tuple[BaseFacts, Mapping[str, str]]:
    """What is known of the base, and the versions of its Debian packages; empty when these are not known."""
    from layerwright.facts.bases import base_facts  # noqa: PLC0415 - start-up
    from layerwright.workflow.base_contents import known_contents, with_contents  # noqa: PLC0415 - start-up

    base = locked.base
    facts = base_facts(base.kind, base.source)
    facts = structs.replace(facts, reference=str(cell.base))
    debs: Mapping[str, str] = {deb.name: deb.version for deb in base.debs}
    contents = known_contents(session.store, base, cell.platform)
    if contents is not None:
        facts = with_contents(facts, contents)
        debs = debs or contents.debs
    if not base.digest:
        return facts, debs  # chosen for a check alone: the base itself was not looked at
    # what was found when the base was locked counts for more than what its name says
    if base.glibc:
        facts = structs.replace(facts, glibc=base.glibc)
    if base.python:
        facts = structs.replace(facts, python=base.python)
    elif base.interpreter:
        facts = structs.replace(facts, python=base.interpreter.rpartition("python")[2])
    elif contents is not None:
        # the name tells of the system's package python3, which this base does not have
        facts = structs.replace(facts, python="")
    return facts, debs


def _subject(
    chain: Sequence[Cell],
    locked: Sequence[LockedCell],
    base: BaseFacts,
    debs: Mapping[str, str],
    facts: "Mapping[str, WheelFacts | str]",
    sources: "Mapping[tuple[str, str], WheelFacts | str]",
    places: "_Places",
    host: HostFacts | None,
) -> Subject:
    cell = chain[-1]
    system = {name: SystemPackage(name=name, version=version) for name, version in debs.items()}
    for part, lock in zip(chain, locked, strict=True):
        where = places.find(_below(part.location, "apt"))
        system |= {
            deb.name: SystemPackage(name=deb.name, version=deb.version, location=where) for deb in lock.apt
        }
    return Subject(
        cell=cell.name,
        role=cell.role,
        accelerator=cell.accelerator,
        platform=cell.platform,
        python=cell.python,
        location=places.find(cell.location),
        base_location=places.find(_below(chain[0].location, "from")),
        base=base,
        packages=_packages(chain, locked, facts, sources, places),
        system=system,
        system_known=bool(debs),
        env=cell.env,
        host=host,
        run=_run_facts(cell, places),
        gpu_arch=cell.gpu_arch,
        components=_components(cell, places),
        source_trees=_source_trees(chain, places),
    )


def _components(cell: Cell, places: "_Places") -> tuple[ComponentFacts, ...]:
    return tuple(
        ComponentFacts(
            name=component.name,
            kind=component.kind,
            # The archives of Moore Threads carry their release in their names.
            release=component.version or release_of_file(component.url.rpartition("/")[2]),
            location=places.find(component.location),
        )
        for component in (*cell.inherited_components, *cell.components)
    )


def _source_trees(chain: Sequence[Cell], places: "_Places") -> Mapping[str, Package]:
    """Source trees that are of a known package, at a tag that tells its version."""
    found = {}
    for source in (item.source for cell in chain for item in cell.sources):
        name, version = package_of_repository(source.git), version_of_tag(source.rev)
        if name and version:
            found[name] = Package(
                name=name,
                version=version,
                requested=True,
                location=places.find(_below(source.location, "rev")),
            )
    return found


def _run_facts(cell: Cell, places: "_Places") -> RunFacts:
    options = cell.run_options
    named = {
        "privileged": options.privileged,
        "network": options.network == "host",
        "ipc": options.ipc == "host",
    }
    return RunFacts(
        rights=tuple(name for name, is_set in named.items() if is_set),
        shm_size=options.shm_size,
        location=places.find(_below(cell.location, "run")),
    )


def _packages(
    chain: Sequence[Cell],
    locked: Sequence[LockedCell],
    facts: "Mapping[str, WheelFacts | str]",
    sources: "Mapping[tuple[str, str], WheelFacts | str]",
    places: "_Places",
) -> Mapping[str, Package]:
    asked = {
        name: places.find(package.location)
        for cell, lock in zip(chain, locked, strict=True)
        for package in cell.packages
        if (name := _locked_name(package, lock))
    }
    items = {item.name: item for lock in locked for item in lock.packages}
    found = {
        item.name: facts.get(item.sha256, "")
        if isinstance(item, LockedWheel)
        else sources[lock.name, item.name]
        for lock in locked
        for item in lock.packages
    }
    known = {name: one for name, one in found.items() if isinstance(one, WheelFacts)}
    above = _required_by(known, _asked_extras(chain))
    packages = {}
    for name, item in sorted(items.items()):
        read = found[name]
        packages[name] = Package(
            name=name,
            version=item.version,
            facts=read if isinstance(read, WheelFacts) else None,
            why_not=read if isinstance(read, str) else "",
            index=item.index,
            requested=name in asked,
            location=_place(name, asked, above),
            required_by=tuple(sorted(above.get(name, ()))),
        )
    return packages


def _source_facts(
    source: LockedSource, built: LockedWheel | None, facts: "Mapping[str, WheelFacts | str]", root: Path
) -> "WheelFacts | str":
    """What is known of a package that is built from sources, or why nothing is."""
    if built is not None and isinstance(found := facts.get(built.sha256), WheelFacts):
        return found
    return pure_project(source, root) or _unbuilt(source)


def _unbuilt(source: LockedSource) -> str:
    if source.kind == "sdist":
        return f"{source.source} is a source distribution, which is built at build time"
    return f"it is built from {'a commit of ' if source.kind == 'git' else ''}{source.source} at build time"


def _locked_name(package: Asked, lock: LockedCell) -> str:
    """The name under which the lock has what the spec asks for; empty when it has it from a parent."""
    if isinstance(package, IndexPackage):
        return requirement_name(package.requirement)
    for item in lock.packages:
        if isinstance(package, UrlPackage):
            if item.url == package.url or item.sha256 == package.sha256:
                return item.name
        elif isinstance(package, PathPackage):
            if package.path in {item.url, getattr(item, "source", "")}:
                return item.name
        elif isinstance(item, LockedSource) and item.kind == "git" and item.source == package.git:
            return item.name
    return ""


def _asked_extras(chain: Sequence[Cell]) -> dict[str, set[str]]:
    """Extras that the spec asks for, by package."""
    extras: dict[str, set[str]] = {}
    for cell in chain:
        for package in cell.packages:
            if isinstance(package, IndexPackage) and (match := _REQUIREMENT.match(package.requirement)):
                extras.setdefault(requirement_name(package.requirement), set()).update(
                    _names(match["extras"])
                )
    return extras


def _required_by(known: Mapping[str, WheelFacts], extras: dict[str, set[str]]) -> dict[str, set[str]]:
    """Who requires whom, by the wheels' metadata; markers other than extras are taken to hold."""
    above: dict[str, set[str]] = {}
    changed = True
    while changed:
        changed = False
        for name, facts in known.items():
            for line in facts.requires:
                match = _REQUIREMENT.match(line)
                if not match:
                    continue
                only_with = set(_EXTRA.findall(match["marker"] or ""))
                if only_with and not only_with & extras.get(name, set()):
                    continue
                wanted = normalize_name(match["name"])
                if wanted == name:
                    # such as all = [self[one,two]]
                    more = _names(match["extras"]) - extras.get(name, set())
                else:
                    above.setdefault(wanted, set()).add(name)
                    more = _names(match["extras"]) - extras.get(wanted, set())
                if more:
                    extras.setdefault(wanted, set()).update(more)
                    changed = True
    return {name: requirers & known.keys() for name, requirers in above.items()}


def _names(extras: str | None) -> set[str]:
    return {normalize_name(one.strip()) for one in (extras or "").split(",") if one.strip()}


def _place(name: str, asked: Mapping[str, Location], above: Mapping[str, set[str]]) -> Location | None:
    """Where the spec names the package, or what leads to it by the shortest way."""
    todo, seen = [name], {name}
    while todo:
        current = todo.pop(0)
        if current in asked:
            return asked[current]
        following = sorted(above.get(current, set()) - seen)
        seen.update(following)
        todo.extend(following)
    return None


def _below(location: Location, key: str) -> Location:
    """A key of the table at a place."""
    return structs.replace(location, key=f"{location.key}.{key}", line=0, column=0, text="")


class _Places:
    """Fills in lines and columns of the spec's keys; the file is read and parsed once."""

    def __init__(self, spec: Spec) -> None:
        self._file = spec.root / Path(spec.file).name
        self._known: dict[Location, Location] = {}
        self._positions: Positions | None = None

    def find(self, location: Location) -> Location:
        """The location with its line; as it is when the file has gone."""
        if location not in self._known:
            self._known[location] = self._locate(location)
        return self._known[location]

    def _locate(self, location: Location) -> Location:
        from layerwright.spec.faults import hide_credentials, parse_key  # noqa: PLC0415 - start-up
        from layerwright.spec.positions import Positions  # noqa: PLC0415 - start-up

        if location.line or not location.key:
            return location
        if self._positions is None:
            try:
                text = self._file.read_text(encoding="utf-8-sig")
            except (OSError, ValueError):
                text = ""
            self._positions = Positions(text)
        path = parse_key(location.key)
        if path not in self._positions.paths() and "images" in path:
            # what an image does not say itself, all images are told
            shared = (*path[: path.index("images")], "defaults", path[-1])
            path = shared if shared in self._positions.paths() else path
        line, column = self._positions.value(path)
        return structs.replace(
            location, line=line, column=column, text=hide_credentials(self._positions.line(line))
        )

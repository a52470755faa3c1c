"""Why do these clash? The errors of a check, and resolutions that failed, each with its smallest set and repairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from layerwright.core.errors import LayerwrightError, NetworkError, ResolveError
from layerwright.core.events import SilentReporter
from layerwright.core.findings import Finding, Fix
from layerwright.core.source import Location
from layerwright.spec.model import Cell, IndexPackage, Spec
from layerwright.spec.requirement import requirement_name
from layerwright.workflow.check import CheckRequest, check_images
from layerwright.workflow.plan import with_parents
from layerwright.workflow.session import Session, read_locked, read_spec, select_cells

__all__ = ["Explained", "explain_conflicts"]

_MOST = 4
"""Requirements that are loosened to see what the resolver would take instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Errors, and how many cells were looked at."""

    findings: tuple[Finding, ...]
    cells: tuple[str, ...]


def explain_conflicts(session: Session, images: Sequence[str], host: Path | None = None) -> Explained:
    """Everything that clashes in the images; a cell that cannot be resolved is one finding, and others go on.

    Raises:
        NetworkError: an index cannot be asked.
        UsageError: there is no such image.
    """
    spec = read_spec(session)
    cells = select_cells(spec, images)
    found: list[Finding] = []
    failed: dict[str, Finding] = {}
    for name in cells:
        broken = next(
            (failed[one.name] for one in _chain(spec, spec.cells[name]) if one.name in failed), None
        )
        if broken is not None:
            found.append(replace(broken, where=replace(broken.where, image=name)))
            continue
        try:
            checked = check_images(session, CheckRequest(images=(name,), host=host))
        except ResolveError as error:
            failed[name] = _unresolved(session, spec, spec.cells[name], error)
            found.append(failed[name])
            continue
        found += [one for one in checked.findings if one.level == "error"]
    return Explained(findings=tuple(found), cells=cells)


def _chain(spec: Spec, cell: Cell) -> tuple[Cell, ...]:
    """The cell, then its parents."""
    chain = [cell]
    while chain[-1].base.kind == "image":
        chain.append(spec.cells[chain[-1].base.source])
    return tuple(chain)


def _unresolved(session: Session, spec: Spec, cell: Cell, error: ResolveError) -> Finding:
    from layerwright.conflicts.resolution import resolution_finding  # noqa: PLC0415 - only when it failed

    asked = _asked(spec, cell)
    found = resolution_finding(
        error,
        cell=cell.name,
        python=cell.python,
        asked=asked,
        place=cell.location,
        source=_resolver(),
    )
    fixes = tuple(_loosened(session, spec, cell, found))
    return replace(found, fix=(*fixes, *found.fix))


def _asked(spec: Spec, cell: Cell) -> dict[str, Location]:
    from layerwright.sources.requirements import package_name  # noqa: PLC0415 - only when it failed

    return {
        name: package.location
        for one in _chain(spec, cell)
        for package in one.packages
        if (name := package_name(package, spec.root))
    }


def _resolver() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - only when it failed

    try:
        return f"uv {version('uv')}"
    except PackageNotFoundError:
        return "uv"


def _loosened(session: Session, spec: Spec, cell: Cell, found: Finding) -> Iterator[Fix]:
    """What the resolver takes when one of the requirements that clash says no version; tried, one after the other."""
    places = [member.location for member in found.members if member.location]
    packages = [
        (one.name, package)
        for one in _chain(spec, cell)
        for package in one.packages
        if isinstance(package, IndexPackage) and package.location in places
    ]
    for owner, package in packages[:_MOST]:
        fix = _try_without(session, spec, cell, owner, package)
        if fix is not None:
            yield fix


def _try_without(session: Session, spec: Spec, cell: Cell, owner: str, package: IndexPackage) -> Fix | None:
    """What the resolver takes of a package when any version will do; None when that does not help either."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - only when it failed
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - only when it failed

    from layerwright.conflicts.edits import with_value  # noqa: PLC0415 - only when it failed
    from layerwright.workflow.provisional import distant_bases, provisional_lock  # noqa: PLC0415 - as above

    wanted = Requirement(package.requirement)
    if not wanted.specifier:
        return None
    wanted.specifier = SpecifierSet()
    holder = spec.cells[owner]
    packages = tuple(
        replace(one, requirement=str(wanted)) if one is package else one for one in holder.packages
    )
    tried = replace(spec, cells={**spec.cells, owner: replace(holder, packages=packages)})
    names = with_parents(tried, [cell.name])
    quiet = replace(session, reporter=SilentReporter())
    before = read_locked(spec)
    try:
        lock = provisional_lock(quiet, tried, before, names, distant_bases(quiet, tried, before, names))
    except NetworkError:
        raise
    except LayerwrightError:
        return None
    name = requirement_name(package.requirement)
    items = [item for one in lock.cells.values() for item in one.packages if item.name == name]
    if not items:
        return None
    wanted.specifier = SpecifierSet(f"=={items[0].version}")
    place = _located(spec, package.location)
    return Fix(
        text=f"take {name} {items[0].version}, which the resolver chooses when any version will do",
        edit=with_value(place, str(wanted)) or f'"{wanted}"',
        cost=12,
        verified=True,
        replaces=place if place.text else None,
    )


def _located(spec: Spec, location: Location) -> Location:
    from layerwright.spec.positions import locate  # noqa: PLC0415 - only when it failed

    try:
        return locate(location, (spec.root / Path(spec.file).name).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return location

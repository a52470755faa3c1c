"""Packages of a cell, chosen within what its parents have locked."""

from collections.abc import Mapping
from dataclasses import replace

from layerwright.core.errors import ResolveError
from layerwright.core.source import Location
from layerwright.resolve.places import placed
from layerwright.resolve.ports import PackageRequest, PackageResolver, PackageSet
from layerwright.spec.model import Cell

__all__ = ["choose_packages"]


def choose_packages(cell: Cell, request: PackageRequest, resolver: PackageResolver) -> PackageSet:
    """The packages that a cell needs, those that its parents have among them.

    Args:
        cell: the cell.
        request: what it asks for; its pins are the parents' versions.
        resolver: knows the indexes.

    Raises:
        ResolveError: nothing fits; names the parent when it is the parent's lock that is in the way.
    """
    try:
        with placed(cell.location):
            chosen = resolver.resolve_packages(request)
    except ResolveError as error:
        if not request.pins:
            raise
        raise _clash(cell, request, resolver, error) from error
    clashes = _clashes(request, chosen)
    if clashes:
        raise _clash_error(cell, request.pins, clashes, "")
    return chosen


def _clash(
    cell: Cell, request: PackageRequest, resolver: PackageResolver, error: ResolveError
) -> ResolveError:
    """Word a failure: it is a clash with the parents when all goes well without their pins."""
    try:
        free = resolver.resolve_packages(replace(request, pins={}, preferences=request.pins))
    except ResolveError:
        return error
    clashes = _clashes(request, free)
    return _clash_error(cell, request.pins, clashes, error.what.partition("\n")[2]) if clashes else error


def _clashes(request: PackageRequest, chosen: PackageSet) -> dict[str, str]:
    pins = request.pins
    return {name: version for name, version in chosen.versions.items() if pins.get(name, version) != version}


def _clash_error(
    cell: Cell, pins: Mapping[str, str], needed: Mapping[str, str], explanation: str
) -> ResolveError:
    parent = cell.base.source
    pairs = ", ".join(f"{name} {version} (it has {pins[name]})" for name, version in sorted(needed.items()))
    what = f"{cell.name} clashes with what its parent {parent} has locked: {cell.name} would need {pairs}"
    names = " ".join(sorted(needed))
    return ResolveError(
        f"{what}\n{explanation}".rstrip(),
        where=_location(cell),
        hint=f"move the packages to {parent}, or bring it along: layerwright lock --upgrade {names}",
    )


def _location(cell: Cell) -> Location:
    return cell.packages[0].location if len(cell.packages) == 1 else cell.location

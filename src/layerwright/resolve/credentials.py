"""Addresses that hold a credential are refused, so that none enters a lock or an image."""

from collections.abc import Iterable, Iterator

from msgspec import structs

from layerwright.core.addresses import has_credential, mask_credentials
from layerwright.core.errors import Problem, SpecError
from layerwright.core.source import Location
from layerwright.spec.model import Cell, GitPackage, UrlPackage

__all__ = ["refuse_credentials"]


def refuse_credentials(cells: Iterable[Cell]) -> None:
    """Look at every address of the cells.

    Raises:
        SpecError: some hold a credential; each is told once, and masked.
    """
    problems = {}
    for cell in cells:
        for address, location in _addresses(cell):
            if has_credential(address):
                # one item that several cells of a matrix share is one fault
                problems[location, address] = Problem(
                    what=f"an address holds a credential: {mask_credentials(address)}",
                    where=structs.replace(location, text=mask_credentials(location.text)),
                    hint="take it out of the address and keep it in netrc, so that it never enters a lock or an image",
                )
    if problems:
        raise SpecError(tuple(problems.values()))


def _addresses(cell: Cell) -> Iterator[tuple[str, Location]]:
    yield from (
        (package.url, package.location) for package in cell.packages if isinstance(package, UrlPackage)
    )
    yield from (
        (package.git, package.location) for package in cell.packages if isinstance(package, GitPackage)
    )
    yield from ((model.url, model.location) for model in cell.models)
    yield from ((one.url, one.location) for one in cell.components)
    yield from ((item.source.git, item.source.location) for item in cell.sources)
    if cell.base.kind != "image":
        yield (cell.base.source, cell.location)

"""Images to cells: matrix, overrides, parents. Every fault is noted; what can go on does."""

from collections.abc import Collection, Mapping, Sequence

from layerwright.spec.cells import Finisher
from layerwright.spec.drafts import Draft, draft_cells
from layerwright.spec.keys import SpecFile
from layerwright.spec.model import Cell, Component, Source
from layerwright.spec.parents import Built, choose_parent, report_cycle
from layerwright.spec.parts import Reader
from layerwright.spec.references import check_references

__all__ = ["expand"]


def expand(
    file: SpecFile,
    *,
    axis_orders: Mapping[str, Sequence[str]],
    components: Mapping[str, Component],
    sources: Mapping[str, Source],
    reader: Reader,
) -> dict[str, Cell]:
    """All cells by name, parents before their children; faults are noted in the reader.

    Args:
        file: the spec's tables.
        axis_orders: per image, the keys of its matrix as they stand in the file.
        components: by name.
        sources: source trees, by name.
        reader: turns tables into parts and takes the faults.
    """
    drafts = draft_cells(file, axis_orders=axis_orders, sources=sources, reader=reader)
    descent = _Descent(drafts, file.images, Finisher(file.project, components, sources, reader), reader)
    cells = descent.cells()
    check_references(cells, drafts, reader)
    return cells


class _Descent:
    """Finishes drafts, parents before their children."""

    def __init__(
        self, drafts: Mapping[str, Draft], images: Collection[str], finisher: Finisher, reader: Reader
    ) -> None:
        self._drafts = drafts
        self._images = images
        self._finisher = finisher
        self._reader = reader
        self._built: dict[str, Built | None] = {}

    def cells(self) -> dict[str, Cell]:
        """All that could be finished, by name."""
        for draft in self._drafts.values():
            self._build(draft, ())
        return {name: built.cell for name, built in self._built.items() if built}

    def _build(self, draft: Draft, below: tuple[Draft, ...]) -> Built | None:
        """Finish a cell, its parents first; None when a fault prevents it."""
        if draft.name in self._built:
            return self._built[draft.name]
        if any(child.name == draft.name for child in below):
            report_cycle(draft, below, self._reader)
            return None
        built = None
        if draft.base.kind == "image":
            parent = choose_parent(draft, self._drafts, self._images, self._reader)
            if parent and (grown := self._build(parent, (*below, draft))):
                built = self._finisher.finish(draft, grown)
        else:
            built = self._finisher.finish(draft, None)
        self._built[draft.name] = built
        return built

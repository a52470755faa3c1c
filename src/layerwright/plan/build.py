"""Spec + lock → plan. Pure: everything read from disk comes in as digests."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from layerwright.core.errors import UsageError
from layerwright.lock.model import Lock
from layerwright.plan.cell import CellPlanner
from layerwright.plan.steps import CellPlan, Plan
from layerwright.plan.trees import TreeRequest
from layerwright.spec.model import Spec

__all__ = ["make_plan"]


def make_plan(
    spec: Spec, lock: Lock, trees: Mapping[TreeRequest, str], *, cells: Iterable[str] | None = None
) -> Plan:
    """Plan the named cells (all of them by default) and the parents they stand on.

    Args:
        spec: the spec.
        lock: a lock that holds every needed cell.
        trees: digest of every ``tree_requests`` of the needed cells.
        cells: names of cells.

    Raises:
        UsageError: a cell is not in the lock, its base lacks the interpreter, or a source tree is not locked.
    """
    asked = list(spec.cells if cells is None else cells)
    planners = dict[str, CellPlanner]()

    def planner(name: str) -> CellPlanner:
        if name not in planners:
            cell = spec.cells[name]
            locked = lock.cells.get(name)
            if locked is None:
                raise UsageError(f"the lock has no entry for {name}", hint="run `layerwright lock`")
            parent = planner(cell.base.source) if cell.base.kind == "image" else None
            if parent is not None:
                # The child runs on its parent's interpreter.
                locked = replace(locked, base=parent.locked.base)
            made = CellPlanner(cell, locked, trees, parent)
            made.plan()
            planners[name] = made
        return planners[name]

    for name in asked:
        planner(name)
    return Plan(
        cells=tuple(
            CellPlan(
                cell=name,
                references=made.cell.references,
                platform=made.locked.platform,
                nodes=tuple(made.nodes),
                parent=made.cell.base.source if made.parent is not None else "",
            )
            for name, made in planners.items()
        )
    )

"""A plan for people: as text, as JSON values, and as a graph."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from layerwright.core.errors import EngineError, UsageError
from layerwright.core.text import size_text
from layerwright.plan.nodes import step_fields
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CellPlan,
    CopyTree,
    InstallWheels,
    Node,
    Plan,
    RunCommand,
    SetConfig,
)

if TYPE_CHECKING:
    from pathlib import Path

    from layerwright.plan.trees import TreeRequest

__all__ = ["GRAPH_FORMATS", "Sent", "draw_graph", "plan_to_json", "plan_to_lines"]

GRAPH_FORMATS = ("svg", "png", "pdf", "dot")

_COLOURS = {
    "Base": "#d9e2ec",
    "InstallApt": "#d9e2ec",
    "InstallPython": "#e3f8e5",
    "InstallEntry": "#e3f8e5",
    "InstallCheckDevice": "#e3f8e5",
    "InstallWheels": "#e3f8e5",
    "InstallSeal": "#e3f8e5",
    "BuildWheel": "#fff3c4",
    "FetchFile": "#fce5d8",
    "CopyTree": "#fce5d8",
    "CopySource": "#fce5d8",
    "RunTests": "#ffe0e6",
    "WriteFiles": "#fce5d8",
    "RunCommand": "#ffe0e6",
    "SetConfig": "#eeeeee",
}


class Sent(Struct, frozen=True, kw_only=True):
    """How much of the project's own files a step takes: their number, and bytes."""

    files: int
    size: int


def plan_to_json(plan: Plan, sent: "Mapping[TreeRequest, Sent] | None" = None) -> dict[str, object]:
    """The plan as the JSON object of ``plan --json`` (DESIGN §9, schema 1); ``sent`` as in ``plan_to_lines``."""
    return {
        "schema": 1,
        "images": [
            {
                "cell": cell.cell,
                "reference": cell.references[0],
                "references": list(cell.references),
                "platform": cell.platform,
                "parent": cell.parent,
                "steps": [_step_to_json(node, sent or {}) for node in cell.nodes],
            }
            for cell in plan.cells
        ],
    }


def _step_to_json(node: Node, sent: "Mapping[TreeRequest, Sent]") -> dict[str, object]:
    fields = step_fields(node.step)
    kind = fields.pop("kind")
    taken = _taken(node, sent)
    if taken is not None:
        fields |= {"files": taken.files, "size": taken.size}
    return {"kind": kind, "digest": node.digest, "title": node.title, "inputs": list(node.inputs), **fields}


def _taken(node: Node, sent: "Mapping[TreeRequest, Sent]") -> Sent | None:
    """What a step takes of the project's files; None for steps that take none."""
    from layerwright.plan.trees import TreeRequest  # noqa: PLC0415 - start-up

    match node.step:
        case CopyTree(source=source, exclude=exclude):
            return sent.get(TreeRequest(source=source, exclude=exclude))
        case BuildWheel(source=source) if source.kind == "path":
            return sent.get(TreeRequest(source=source.source))
        case _:
            return None


def plan_to_lines(plan: Plan, sent: "Mapping[TreeRequest, Sent] | None" = None) -> Iterator[str]:
    """The plan as text, one line a step, shared steps marked.

    Args:
        plan: the plan.
        sent: how much there is of each folder and file of the project that steps take.
    """
    seen = dict[str, str]()
    for cell in plan.cells:
        yield f"{cell.cell}  {', '.join(cell.references)}  ({cell.platform})"
        for node in cell.nodes:
            first = seen.setdefault(node.digest, cell.cell)
            shared = "" if first == cell.cell else f"  = {first}"
            amount = _amount(_taken(node, sent or {}))
            kind = type(node.step).__name__
            yield f"  {node.digest[7:19]}  {kind:<13}  {_describe(node)}{amount}{shared}"


def _amount(taken: Sent | None) -> str:
    if taken is None:
        return ""
    return f" ({taken.files} {'file' if taken.files == 1 else 'files'}, {size_text(taken.size)})"


def _describe(node: Node) -> str:
    match node.step:
        case InstallWheels(wheels=wheels, part="files") if len(wheels) > 1:
            names = ", ".join(wheel.name for wheel in wheels[:4])
            return f"{node.title}: {names}{', …' if len(wheels) > 4 else ''}"  # noqa: PLR2004 - a line's worth
        case Base(base=base) if base.debs:
            return f"{node.title} ({len(base.debs)} packages)"
        case _:
            return node.title


def _edges(cell: CellPlan) -> Iterator[tuple[str, str]]:
    """What stands on what, without the edges that follow from others.

    Layers of one cell are drawn as a chain, since that is how an image stacks them.
    """
    previous = ""
    for node in cell.nodes:
        if isinstance(node.step, BuildWheel):
            continue
        if previous:
            yield previous, node.digest
        if isinstance(node.step, RunCommand) and not node.step.keep:
            continue
        previous = node.digest
        if isinstance(node.step, InstallWheels):
            for wheel in node.step.wheels:
                if wheel.built_by:
                    yield wheel.built_by, node.digest


def draw_graph(plan: Plan, out: "Path") -> None:
    """Draw the plan with Graphviz; the file's ending chooses the format.

    Raises:
        UsageError: the ending is none of ``GRAPH_FORMATS``.
        EngineError: Graphviz' program ``dot`` is missing.
    """
    kind = out.suffix.lstrip(".")
    if kind not in GRAPH_FORMATS:
        raise UsageError(
            f"cannot draw a graph as {out.name!r}", hint=f"use one of the endings {', '.join(GRAPH_FORMATS)}"
        )
    import graphviz  # noqa: PLC0415 - start-up

    graph = graphviz.Digraph("plan", graph_attr={"rankdir": "TB", "fontname": "sans-serif"})
    graph.attr("node", shape="box", style="rounded,filled", fontname="sans-serif", fontsize="10")
    drawn = set[str]()
    edges = set[tuple[str, str]]()
    titles: Mapping[str, str] = {cell.cell: "\n".join(cell.references) for cell in plan.cells}
    for cell in plan.cells:
        for node in cell.nodes:
            # Every cell has a config of its own; drawing it as the image makes the graph read.
            name = _graph_name(cell, node)
            if name in drawn:
                continue
            drawn.add(name)
            kind_name = type(node.step).__name__
            label = f"{cell.cell}\n{titles[cell.cell]}" if isinstance(node.step, SetConfig) else node.title
            shape = "component" if isinstance(node.step, SetConfig) else "box"
            graph.node(name, label=f"{label}\n{kind_name}", fillcolor=_COLOURS[kind_name], shape=shape)
        config = {node.digest: _graph_name(cell, node) for node in cell.nodes}
        for upper, lower in _edges(cell):
            edges.add((config.get(upper, upper), config[lower]))
    for upper, lower in sorted(edges):
        graph.edge(upper, lower)
    if kind == "dot":
        out.write_text(graph.source, encoding="utf-8")
        return
    try:
        out.write_bytes(graph.pipe(format=kind))
    except graphviz.ExecutableNotFound as error:
        raise EngineError(
            "Graphviz' program `dot` is not on PATH",
            hint="install it (Debian: apt-get install graphviz), or write the graph as text: --graph plan.dot",
        ) from error


def _graph_name(cell: CellPlan, node: Node) -> str:
    name = node.digest[7:]
    return f"{name}-{cell.cell}" if isinstance(node.step, SetConfig) else name

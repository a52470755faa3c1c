"""The page's libraries: who needs whom as a drawing, and every library with what it needs as a table."""

from collections.abc import Mapping, Sequence
from typing import Final

from layerwright.reports.graph import LibraryGraph, LibraryNode, Need, OwnerEdge, OwnerGraph, State, by_owner
from layerwright.reports.layout import columns
from layerwright.reports.markup import Markup, tag

__all__ = ["libraries_section"]

_BOX_HEIGHT: Final = 26
_GAP: Final = 12
_BETWEEN: Final = 90
_LETTER: Final = 7.3
"""Width of a letter of the drawing's type, 12 px of a monospaced face, in pixels; generous, as faces differ."""

_LONGEST: Final = 32
_MOST_BOXES: Final = 60
_MOST_ROWS: Final = 2000
_HUB: Final = 0.5
"""What more than this share of all others needs is named beside the drawing; its lines would hide the rest."""

_FEW: Final = 8


def libraries_section(graph: LibraryGraph) -> Markup:
    """The drawing, what it leaves out, and the table."""
    owners = by_owner(graph)
    hubs = _hubs(owners)
    shown, left = _chosen(owners, hubs)
    missing = [node for node in graph.nodes if node.state == "missing"]
    count = f"{len(graph.nodes) - len(missing)} libraries, " + (
        f"{len(missing)} missing" if missing else "none missing"
    )
    notes = [tag("p", count, class_="bad" if missing else "good")]
    if hubs:
        notes.append(
            tag("p", "Needed by most, and left out of the drawing: ", ", ".join(hubs), class_="hint")
        )
    if left:
        notes.append(
            tag("p", f"Left out of the drawing: {left} owners that nothing missing is tied to", class_="hint")
        )
    return tag(
        "div",
        tag("h2", "Libraries"),
        notes,
        tag("div", _drawing(owners, shown), class_="wide drawing") if len(shown) > 1 else None,
        _table(graph),
    )


def _hubs(owners: OwnerGraph) -> list[str]:
    wanted: dict[str, int] = {}
    for edge in owners.edges:
        if edge.state != "missing":
            wanted[edge.target] = wanted.get(edge.target, 0) + 1
    if len(owners.owners) < _FEW:
        return []
    return sorted(label for label, count in wanted.items() if count > _HUB * (len(owners.owners) - 1))


def _chosen(owners: OwnerGraph, hubs: Sequence[str]) -> tuple[list[str], int]:
    """Owners to draw, those near something missing first, then those with most ties; and how many are left out."""
    edges = [edge for edge in owners.edges if edge.source not in hubs and edge.target not in hubs]
    ties: dict[str, int] = {}
    urgent: set[str] = set()
    for edge in edges:
        for label in (edge.source, edge.target):
            ties[label] = ties.get(label, 0) + 1
            if edge.state == "missing":
                urgent.add(label)
    ranked = sorted(ties, key=lambda label: (label not in urgent, -ties[label], label))
    return ranked[:_MOST_BOXES], max(0, len(ranked) - _MOST_BOXES)


def _drawing(owners: OwnerGraph, shown: Sequence[str]) -> Markup:
    edges = [edge for edge in owners.edges if edge.source in shown and edge.target in shown]
    placed = columns(sorted(shown), ((edge.source, edge.target) for edge in edges))
    boxes: dict[str, tuple[float, float, float]] = {}
    left = 8.0
    tallest = max(len(column) for column in placed) * (_BOX_HEIGHT + _GAP)
    for column in placed:
        width = max(len(_short(label, owners.states[label])) for label in column) * _LETTER + 20
        top = 8 + (tallest - len(column) * (_BOX_HEIGHT + _GAP)) / 2
        for position, label in enumerate(column):
            boxes[label] = (left, top + position * (_BOX_HEIGHT + _GAP), width)
        left += width + _BETWEEN
    size = (left - _BETWEEN + 8, tallest + 8)
    return tag(
        "svg",
        tag("title", "Who needs libraries of whom"),
        tag("g", [_line(edge, boxes) for edge in edges], class_="edges"),
        tag("g", [_box(label, owners, place) for label, place in boxes.items()], class_="boxes"),
        id="graph",
        role="img",
        viewBox=f"0 0 {size[0]:.0f} {size[1]:.0f}",
        width=f"{size[0]:.0f}",
        height=f"{size[1]:.0f}",
    )


def _short(label: str, state: State) -> str:
    text = label if len(label) <= _LONGEST else label[: _LONGEST - 3] + "..."
    return {"found": text, "missing": f"missing: {text}", "outside": f"outside: {text}"}[state]


def _box(label: str, owners: OwnerGraph, place: tuple[float, float, float]) -> Markup:
    left, top, width = place
    state = owners.states[label]
    return tag(
        "g",
        tag(
            "title", f"{label}: {owners.owners[label]} libraries" if state == "found" else f"{label}: {state}"
        ),
        tag("rect", x=left, y=top, width=width, height=_BOX_HEIGHT, rx=5),
        tag("text", _short(label, state), x=left + 10, y=top + 17),
        class_=f"box {state}",
        data_owner=label,
        tabindex=0,
    )


def _line(edge: OwnerEdge, boxes: Mapping[str, tuple[float, float, float]]) -> Markup:
    left, top, width = boxes[edge.source]
    right, below, other = boxes[edge.target]
    start, end = left + width, right
    if right <= left:  # back, or within the column: around the right side
        start, end = left + width, right + other
    bend = max(30.0, abs(end - start) / 2)
    second = end - bend if right > left else end + bend
    y1, y2 = top + _BOX_HEIGHT / 2, below + _BOX_HEIGHT / 2
    names = ", ".join(edge.names) + (" ..." if edge.count > len(edge.names) else "")
    optional = ", works without" if edge.optional else ""
    return tag(
        "g",
        tag("title", f"{edge.source} needs of {edge.target}: {names}{optional}"),
        tag(
            "path",
            d=f"M{start:.1f} {y1:.1f}C{start + bend:.1f} {y1:.1f} {second:.1f} {y2:.1f} {end:.1f} {y2:.1f}",
        ),
        class_=f"edge {edge.state}{' optional' if edge.optional else ''}",
        data_source=edge.source,
        data_target=edge.target,
    )


def _table(graph: LibraryGraph) -> Markup:
    """Every need, missing ones first."""
    nodes = {node.key: node for node in graph.nodes}
    order: Mapping[State, int] = {"missing": 0, "outside": 1, "found": 2}
    known = [need for need in graph.needs if need.source in nodes and need.target in nodes]
    known.sort(
        key=lambda need: (
            order[nodes[need.target].state],
            need.optional,
            nodes[need.source].owner,
            nodes[need.source].name,
            nodes[need.target].name,
        )
    )
    rows = [_row(need, nodes[need.source], nodes[need.target]) for need in known[:_MOST_ROWS]]
    head = tag(
        "tr", (tag("th", name, scope="col") for name in ("library", "of", "needs", "brought by", "found by"))
    )
    more = len(known) - _MOST_ROWS
    return tag(
        "div",
        tag(
            "form",
            tag(
                "label",
                tag("span", "Search", class_="hidden"),
                tag("input", type="search", id="needle", placeholder="Search libraries", autocomplete="off"),
            ),
            tag("button", "Show all", type="button", id="all"),
            tag("span", "", id="needs-shown", role="status", aria_live="polite"),
            class_="script",
            id="library-filter",
        ),
        tag(
            "div",
            tag("table", tag("thead", head), tag("tbody", rows), id="needs"),
            class_="wide tall",
            tabindex=0,
            role="region",
            aria_label="Libraries and what they need",
        ),
        tag("p", f"{more} more needs, all met, are not shown.", class_="hint") if more > 0 else None,
    )


def _row(need: Need, source: LibraryNode, target: LibraryNode) -> Markup:
    brought = {"missing": "nobody", "outside": target.owner or "the machine", "found": target.owner}[
        target.state
    ]
    how = need.how + (" (works without)" if need.optional else "")
    return tag(
        "tr",
        tag("td", tag("code", source.name, title=source.path or None)),
        tag("td", source.owner),
        tag("td", tag("code", target.name, title=target.path or None)),
        tag("td", tag("strong", brought) if target.state == "missing" else brought),
        tag("td", how),
        class_=target.state,
        data_owners=f"{source.owner}\n{target.owner if target.state != 'missing' else target.name}",
    )

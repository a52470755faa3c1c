"""Which library needs which, and who brings it: libraries, and the packages that own them."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

__all__ = ["LibraryGraph", "LibraryNode", "Need", "OwnerEdge", "OwnerGraph", "by_owner"]

State = Literal["found", "missing", "outside"]


class LibraryNode(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One library, or a library that something wants.

    Attributes:
        key: unique: its path, or the name that is wanted when nobody has it.
        name: soname or file name.
        owner: what brings it: ``torch 2.13.0``, ``libc6 2.36-9``, ``base``; for what comes from outside, from where.
        state: ``found``, ``missing``, or ``outside``: the machine brings it, as it does ``libcuda.so.1``.
        path: absolute path in the image; empty when it is not there.
    """

    key: str
    name: str
    owner: str = ""
    state: State = "found"
    path: str = ""


class Need(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One library wants another.

    Attributes:
        source, target: keys of nodes.
        how: how it is found: ``RUNPATH``, ``ld.so.cache``, ``opened by name``; or why it is not.
        optional: it works without, as a provider that is only loaded on demand does.
    """

    source: str
    target: str
    how: str = ""
    optional: bool = False


class LibraryGraph(Struct, frozen=True, kw_only=True):
    """Libraries and their needs, in any order."""

    nodes: tuple[LibraryNode, ...] = ()
    needs: tuple[Need, ...] = ()


class OwnerEdge(Struct, frozen=True, kw_only=True):
    """``source`` needs ``count`` libraries of ``target``; names of the first of them."""

    source: str
    target: str
    count: int
    names: tuple[str, ...]
    state: State
    optional: bool


class OwnerGraph(Struct, frozen=True, kw_only=True):
    """The graph with the libraries of one owner taken together.

    Attributes:
        owners: by label, how many libraries it has; a missing library is its own owner.
        states: by label.
        edges: between different owners.
    """

    owners: Mapping[str, int]
    states: Mapping[str, State]
    edges: tuple[OwnerEdge, ...]


def by_owner(graph: LibraryGraph) -> OwnerGraph:
    """Who needs whom; needs within one owner are left out, as are owners that nothing connects."""
    nodes = {node.key: node for node in graph.nodes}
    labels = {key: _label(node) for key, node in nodes.items()}
    found: dict[tuple[str, str], dict[str, bool]] = {}
    for need in graph.needs:
        source, target = labels.get(need.source), labels.get(need.target)
        if source is None or target is None or source == target:
            continue
        names = found.setdefault((source, target), {})
        name = nodes[need.target].name
        names[name] = names.get(name, True) and need.optional
    states: dict[str, State] = {}
    owners: dict[str, int] = {}
    linked = {label for pair in found for label in pair}
    for key, node in nodes.items():
        label = labels[key]
        if label in linked:
            owners[label] = owners.get(label, 0) + 1
            states[label] = node.state
    edges = (
        OwnerEdge(
            source=source,
            target=target,
            count=len(names),
            names=tuple(sorted(names)[:12]),
            state=states[target],
            optional=all(names.values()),
        )
        for (source, target), names in sorted(found.items())
    )
    return OwnerGraph(owners=owners, states=states, edges=tuple(edges))


def _label(node: LibraryNode) -> str:
    return node.name if node.state == "missing" else node.owner or node.name

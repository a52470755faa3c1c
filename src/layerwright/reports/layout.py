"""Places for the boxes of a graph that flows from left to right: ranks, then an order in each that crosses few lines.

The method is Sugiyama's (IEEE Trans. SMC 11(2), 1981) without its last step: boxes stand in columns, each as far
left as what needs it allows, ordered by the mean place of their neighbours.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["columns"]

_SWEEPS = 6


def columns(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The nodes in columns, left to right, each from top to bottom.

    Args:
        nodes: in an order that decides ties.
        edges: pairs of nodes; circles are allowed, one edge of each is not looked at.
    """
    after: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in sorted(set(edges)):
        if source != target and source in after and target in after:
            after[source].append(target)
    ranks = _ranks(nodes, after)
    placed: list[list[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for node in nodes:
        placed[ranks[node]].append(node)
    before: dict[str, list[str]] = {node: [] for node in nodes}
    for source, targets in after.items():
        for target in targets:
            before[target].append(source)
    at = {node: place for column in placed for node, place in _places(column)}
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        for column in placed[1:] if forward else placed[-2::-1]:
            column.sort(key=lambda node: _mean(at, node, neighbours[node]))
            at.update(_places(column))
    return placed


def _places(column: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Each node's place in its column, from 0 to 1."""
    return ((node, position / len(column)) for position, node in enumerate(column))


def _mean(at: Mapping[str, float], node: str, near: Sequence[str]) -> float:
    return sum(at[one] for one in near) / len(near) if near else at[node]


def _ranks(nodes: Sequence[str], after: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Length of the longest way to each node, in edges that close no circle."""
    order, closing = _topological(nodes, after)
    ranks = dict.fromkeys(nodes, 0)
    for node in order:
        for target in after[node]:
            if (node, target) not in closing:
                ranks[target] = max(ranks[target], ranks[node] + 1)
    return ranks


def _topological(
    nodes: Sequence[str], after: Mapping[str, Sequence[str]]
) -> tuple[list[str], set[tuple[str, str]]]:
    """Nodes, each before what it points at, and the edges that would close a circle (depth first, no recursion)."""
    done: list[str] = []
    state: dict[str, int] = {}
    closing: set[tuple[str, str]] = set()
    for start in nodes:
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(after[start]))]
        while stack:
            node, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                state[node] = 2
                done.append(node)
                stack.pop()
            elif state.get(target) == 1:
                closing.add((node, target))
            elif target not in state:
                state[target] = 1
                stack.append((target, iter(after[target])))
    return done[::-1], closing

"""Which wheels share a layer, and in which order the layers stand."""

from collections.abc import Sequence

__all__ = ["HEAVY", "group_wheels"]

HEAVY = 1_000_000
"""Bytes from which a wheel is worth about 100 ms that each layer costs an engine."""


def group_wheels(
    sizes: Sequence[tuple[str, int]], *, budget: int, threshold: int = HEAVY
) -> tuple[tuple[str, ...], ...]:
    """Group wheels into layers, heavy ones first.

    Every wheel of at least ``threshold`` bytes is a layer of its own while the budget lasts, by order of magnitude of
    its size (largest first) and then by name; all others share the last layer. The order does not follow the exact
    sizes, because engines share only common prefixes of layers: a wheel's new version must not move its neighbours.

    Args:
        sizes: name and bytes of each wheel; names are unique.
        budget: most layers that may come out, at least 1.
        threshold: bytes from which a wheel gets a layer of its own.

    Returns:
        Names by layer, bottom first; no group is empty.
    """
    if budget < 1:
        raise ValueError(f"no layer to put wheels in: budget {budget}")

    def order(item: tuple[str, int]) -> tuple[int, str]:
        return -len(str(item[1])), item[0]

    heavy = sorted((item for item in sizes if item[1] >= threshold), key=order)
    light = [item for item in sizes if item[1] < threshold]
    room = budget if not light and len(heavy) <= budget else budget - 1
    rest = sorted(name for name, _ in [*heavy[room:], *light])
    groups = [(name,) for name, _ in heavy[:room]]
    return (*groups, tuple(rest)) if rest else tuple(groups)

"""Wheels that want one path for different things, across the layers of an image."""

from collections.abc import Sequence

from layerwright.backends.base import BuiltLayer
from layerwright.backends.native.blobs import wheel_files
from layerwright.backends.native.inputs import fetch_inputs
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import BuildError
from layerwright.layers import clashing_claims
from layerwright.plan.steps import Node

__all__ = ["refuse_collisions"]

_SHOWN = 3


def refuse_collisions(workshop: Workshop, nodes: Sequence[Node], layers: Sequence[BuiltLayer]) -> None:
    """Refuse an image in which two wheels install one path with different content: which one wins would be chance.

    Args:
        workshop: shared parts.
        nodes: of the image, from which wheels are fetched again that were pruned since their layers were made.
        layers: what the nodes gave.

    Raises:
        BuildError: there are such wheels; names them and their paths.
    """
    wheels = [layer for layer in layers if layer.wheels]
    for one, other in clashing_claims([layer.claims for layer in wheels]):
        _compare(workshop, nodes, wheels[one], wheels[other])


def _compare(workshop: Workshop, nodes: Sequence[Node], one: BuiltLayer, other: BuiltLayer) -> None:
    from layerwright.layers import find_collisions, installed_paths  # noqa: PLC0415 - rarely needed

    parts = (*one.wheels, *other.wheels)
    fetch_inputs(workshop, nodes)
    found = find_collisions(
        {
            file.file: installed_paths(file, prefix=one.prefix, python=one.python)
            for file in wheel_files(workshop.store, parts)
        }
    )
    if not found:
        return
    first, second = found[0].first, found[0].second
    paths = [clash.path for clash in found if (clash.first, clash.second) == (first, second)]
    more = f" and {len(paths) - _SHOWN} more" if paths[_SHOWN:] else ""
    names = {part.file: part.name for part in parts}
    raise BuildError(
        f"two wheels install {', '.join(paths[:_SHOWN])}{more} with different content: {first} and {second}",
        hint=f"keep one of {names[first]} and {names[second]}; which one wins would be chance",
    )

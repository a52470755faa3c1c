"""A matrix: the points of its axes, their names, and which of them an override is for."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from msgspec import UNSET, UnsetType

from layerwright.spec.base import base_label
from layerwright.spec.keys import MatrixTable, WhenTable
from layerwright.spec.parts import value_or

__all__ = ["AXES", "matches", "matrix_axes", "matrix_points", "point_label", "when_axes", "when_faults"]

AXES = ("python", "accelerator", "gpu_arch", "from", "variant")
"""Names of the axes, as the keys of ``[images.NAME.matrix]``."""


def matrix_axes(matrix: MatrixTable | UnsetType, order: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The axes of a matrix with their values.

    Args:
        matrix: the table; absent for an image that is one cell.
        order: the table's keys as they stand in the file.
    """
    if matrix is UNSET:
        return {}
    values: dict[str, tuple[str, ...] | UnsetType] = {
        "python": matrix.python,
        "accelerator": matrix.accelerator,
        "gpu_arch": matrix.gpu_arch,
        "from": matrix.from_,
        "variant": matrix.variant,
    }
    return {axis: value_or(values[axis], ()) for axis in order}


def matrix_points(axes: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], ...]:
    """The product of the axes, the last one turning fastest; one empty point without axes."""
    return tuple(dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def point_label(point: Mapping[str, str]) -> str:
    """Name of a point, such as ``py311-cpu``; empty for the empty one."""
    labels = {"python": _python_label, "from": base_label}
    return "-".join(labels.get(axis, str)(value) for axis, value in point.items())


def when_axes(when: WhenTable) -> dict[str, tuple[str, ...]]:
    """The axes an override names, with the values it is for."""
    said = {
        "python": when.python,
        "accelerator": when.accelerator,
        "gpu_arch": when.gpu_arch,
        "from": when.from_,
        "variant": when.variant,
    }
    return {
        axis: (value,) if isinstance(value, str) else value
        for axis, value in said.items()
        if value is not UNSET
    }


def matches(when: Mapping[str, Sequence[str]], point: Mapping[str, str]) -> bool:
    """True when the point has one of the values on every axis named."""
    return all(point.get(axis) in values for axis, values in when.items())


def when_faults(
    when: Mapping[str, Sequence[str]], axes: Mapping[str, Sequence[str]]
) -> Iterable[tuple[str, str, str]]:
    """What is wrong with a ``when``, each as axis (empty for the whole), sentence and hint."""
    if not when:
        yield (
            "",
            "'when' names no axis, so the override is for no cell in particular",
            "name one, or move its keys",
        )
    for axis, values in when.items():
        if axis not in axes:
            known = ", ".join(axes)
            hint = (
                f"the axes are {known}"
                if known
                else "the image has no matrix: write the keys in its own table"
            )
            yield (axis, f"{axis!r} is not an axis of the image's matrix", hint)
            continue
        for value in values:
            if value not in axes[axis]:
                hint = f"the values are {', '.join(axes[axis])}"
                yield (axis, f"{value!r} is not a value of the axis {axis!r}", hint)


def _python_label(version: str) -> str:
    return "py" + version.replace(".", "")

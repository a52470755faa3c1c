"""Parents: which cell a cell starts from, and what it may not say otherwise than that one."""

from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec import Struct

from layerwright.oci.platform import Platform
from layerwright.spec.base import debian_base
from layerwright.spec.drafts import Draft
from layerwright.spec.faults import nearest
from layerwright.spec.model import Base, Cell
from layerwright.spec.parts import Reader

__all__ = ["Built", "check_parent", "choose_parent", "report_cycle"]


class Built(Struct, frozen=True, kw_only=True):
    """A finished cell and what its children have to know.

    Attributes:
        root: what the chain of parents starts from.
        has_packages: the cell or a parent has Python packages.
    """

    cell: Cell
    root: Base
    has_packages: bool


def choose_parent(
    draft: Draft, drafts: Mapping[str, Draft], images: Collection[str], reader: Reader
) -> Draft | None:
    """The cell that a cell starts from: the one named, or the image's cell with the same values.

    Args:
        draft: starts from an image.
        drafts: all of them, by name.
        images: names of the images.
        reader: takes the fault.

    Returns:
        None when there is none, which is noted where no other fault tells it.
    """
    wanted = draft.base.source
    if wanted in drafts and wanted not in images:
        return drafts[wanted]
    cells = [other for other in drafts.values() if other.image == wanted]
    if not cells:
        if wanted not in images:
            known = [*images, *drafts]
            near = nearest(wanted, known)
            hint = f"did you mean 'image:{near}'?" if near else f"images: {', '.join(images)}"
            reader.fault(draft.from_path, f"there is no image {wanted!r}", hint)
        return None
    same = [cell for cell in cells if _agrees(cell.axes, draft.said)]
    if len(same) > 1:
        same = [cell for cell in same if _agrees(cell.axes, draft.default)] or same
    if len(same) == 1:
        return same[0]
    asked = ", ".join(f"{axis} {draft.said(axis)}" for axis in cells[0].axes if draft.said(axis))
    if not same:
        reader.fault(
            draft.from_path,
            f"{draft.name!r} starts from 'image:{wanted}', which has no cell with {asked}",
            f"its cells are {_listed(cells)}",
        )
    else:
        reader.fault(
            draft.from_path,
            f"{draft.name!r} could start from several cells of 'image:{wanted}'",
            f"name one: {_listed(same, 'image:')}",
        )
    return None


def report_cycle(draft: Draft, below: tuple[Draft, ...], reader: Reader) -> None:
    """Note that images start from each other: ``draft`` is reached again, and ``below`` are those on the way."""
    loop = [*below[[child.name for child in below].index(draft.name) :], draft]
    images = [member.image for member in loop]
    names = images if len(set(images)) == len(images) - 1 else [member.name for member in loop]
    reader.fault(
        loop[0].from_path,
        f"images start from each other: {' → '.join(names)}",
        "let one start from something else",
    )


def check_parent(
    draft: Draft, python: str, platform: Platform | None, parent: Built | None, reader: Reader
) -> None:
    """A child has its parent's Python, where that is settled, and its platform.

    Args:
        draft: the child.
        python: the child's.
        platform: what the child says; None for nothing.
        parent: None for a cell without one.
        reader: takes the faults.
    """
    if not parent:
        return
    above = parent.cell
    place = draft.own.place(lambda part: part.table.python, "python")
    if "python" in draft.axes:
        place = (*draft.path, "matrix", "python")
    if parent.has_packages and python != above.python:
        reader.fault(
            place,
            f"{draft.name!r} has Python {python}, but its parent {above.name!r} has packages for {above.python}",
            "give the parent the same Python, or the same axis",
        )
    elif parent.root.kind == "debian":
        try:
            debian_base(parent.root, python)
        except ValueError as error:
            reader.fault(place, f"{draft.name!r}: {error}", f"its parent {above.name!r} is {parent.root}")
    if platform and platform != above.platform:
        reader.fault(
            draft.own.place(lambda part: part.platform, "platforms"),
            f"{draft.name!r} is for {platform}, but its parent {above.name!r} for {above.platform}",
        )


def _agrees(axes: Mapping[str, str], value_of: Callable[[str], str]) -> bool:
    """True when no axis has another value than the one asked for; an axis not asked for agrees."""
    return all(value_of(axis) in {"", value} for axis, value in axes.items() if axis != "from")


def _listed(cells: Iterable[Draft], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{cell.name}" for cell in cells)

"""References of a cell's image: its repository's name and its tags."""

import re
from collections.abc import Mapping

from layerwright.spec.combine import unique
from layerwright.spec.drafts import Draft
from layerwright.spec.keys import ProjectTable
from layerwright.spec.matrix import point_label
from layerwright.spec.model import Cell
from layerwright.spec.parts import Reader, value_or

__all__ = ["FALLBACK_TAG", "check_references", "reference_name", "reference_tags"]

FALLBACK_TAG = "local"
"""Tag of images without ``tags`` in a project without a version."""

_LONGEST_TAG = 128


def reference_name(draft: Draft, project: ProjectTable, reader: Reader) -> str:
    """The repository's name: the one that is given, or one made of the project's and the image's."""
    for part in reversed(draft.own.parts):
        if part.name:
            return part.name
    text = f"{project.name}-{draft.image}"
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not text.isascii() or not name:
        reader.fault(
            draft.path,
            f"no repository name can be made of {text!r}",
            "set `name`, in lower case letters of ASCII",
        )
    return name


def reference_tags(draft: Draft, project: ProjectTable, reader: Reader) -> tuple[str, ...]:
    """The tags, each with the cell's place in the matrix."""
    version: tuple[str, ...] = (value_or(project.version, FALLBACK_TAG),)
    label = point_label(draft.axes)
    tags = tuple(
        f"{tag}-{label}" if label else tag for tag in draft.whole.last(lambda table: table.tags, version)
    )
    for tag in tags:
        if len(tag) > _LONGEST_TAG:
            reader.fault(
                draft.whole.place(lambda part: part.table.tags, "tags"),
                f"the tag {tag!r} is longer than {_LONGEST_TAG} characters",
            )
    return unique(tags)


def check_references(cells: Mapping[str, Cell], drafts: Mapping[str, Draft], reader: Reader) -> None:
    """No two cells have one reference."""
    owners: dict[str, Cell] = {}
    for cell in cells.values():
        for reference in cell.references:
            owner = owners.setdefault(reference, cell)
            if owner is not cell:
                draft = drafts[cell.name]
                reader.fault(
                    draft.own.place(lambda part: part.name, "name"),
                    f"{owner.name!r} and {cell.name!r} have the same reference {reference!r}",
                    "give one another name or tag",
                )

"""Classes that were asked for, beside those that the labels have."""

from collections.abc import Iterator, Sequence
from typing import Final

from layerwright.core.errors import UsageError
from layerwright.ymir.remarks import Remark

__all__ = ["missing_classes"]

_CLASSES_SHOWN: Final = 20


def missing_classes(
    path: str, named: Sequence[str], own: Sequence[str], *, training: bool
) -> Iterator[Remark]:
    """A class that was named and is not in the labels may be one of a larger project, or a slip of the pen.

    Args:
        path: of the data, for people.
        named: classes that were asked for, in order; none for the data's own.
        own: classes of the data; none when it has no labels.
        training: labels are needed.

    Raises:
        UsageError: a training would be left without any label.
    """
    missing = [name for name in named if name not in own]
    if not own or not missing:
        return
    known = ", ".join(own[:_CLASSES_SHOWN]) + (" …" if len(own) > _CLASSES_SHOWN else "")
    if training and len(missing) == len(named):
        raise UsageError(
            f"no label in {path} is of class {', '.join(missing)}", hint=f"its classes are {known}"
        )
    for name in missing:
        yield Remark(
            outcome="fine",
            rule="2.3",
            file=path,
            field=name,
            message=f"no label is of this class; those of the data are {known}",
        )

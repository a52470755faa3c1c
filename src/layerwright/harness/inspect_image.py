"""What an image says about itself, asked for as the platform asks: ``cat`` through its entrypoint (§1.2)."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.harness.starter import Starter
from layerwright.ymir.codes import IMAGE_UNUSABLE, TASKS, Task
from layerwright.ymir.image import MANIFEST_FILE
from layerwright.ymir.inspection import object_types, read_mapping, template_place
from layerwright.ymir.remarks import Remark

__all__ = ["ImageSays", "inspect_image"]


class ImageSays(Struct, frozen=True, kw_only=True):
    """An image that the platform can use for a task.

    Attributes:
        template: of the task.
        object_type: that the template is for.
        remarks: on the files that were read.
    """

    template: Mapping[str, Any]
    object_type: int
    remarks: tuple[Remark, ...] = ()


def inspect_image(starter: Starter, task: Task, object_type: int | None = None) -> ImageSays:
    """Read manifest and template.

    Args:
        starter: of the image.
        task: that is to run.
        object_type: of the project; None takes the image's first.

    Raises:
        UsageError: the platform cannot use the image for the task; the message has the rule and the repair.
    """
    manifest = read_mapping(MANIFEST_FILE, starter.cat(MANIFEST_FILE))
    remarks = [manifest.remark] if manifest.remark else []
    types = object_types(manifest.values)
    if isinstance(types, Remark):
        raise _unusable(starter, types)
    served, listed = types
    wanted = served[0] if object_type is None else object_type
    if wanted not in served:
        raise UsageError(
            f"{starter.image} serves the object types {', '.join(map(str, served))}, and the task is of {wanted}",
            hint=f"say --object-type {served[0]}, or add {wanted} to `object_type` in {MANIFEST_FILE}",
        )
    place = template_place(task, wanted, listed=listed)
    template = read_mapping(place, starter.cat(place))
    if template.remark:
        remarks.append(template.remark)
    if template.values is None:
        for remark in remarks:
            if remark.outcome == "rejected":
                raise _unusable(starter, remark)
        others = [
            other
            for other in TASKS
            if other != task
            and read_mapping(
                template_place(other, wanted, listed=listed),
                starter.cat(template_place(other, wanted, listed=listed)),
            ).values
            is not None
        ]
        known = f"; it has templates for {', '.join(others)}" if others else ""
        raise UsageError(
            f"{starter.image} has no template for {task}: the platform finds no mapping in {place}{known}",
            hint="`layerwright executor lint` judges /img-man; `executor new` writes one"
            if not others
            else f"put {place} into the image, or run another task",
        )
    return ImageSays(template=template.values, object_type=wanted, remarks=tuple(remarks))


def _unusable(starter: Starter, remark: Remark) -> UsageError:
    where = f" ({remark.field})" if remark.field else ""
    return UsageError(
        f"the platform cannot use {starter.image} ({remark.code or IMAGE_UNUSABLE}, rule {remark.rule}): "
        f"{remark.file}{where}: {remark.message}",
        hint=remark.repair,
    )

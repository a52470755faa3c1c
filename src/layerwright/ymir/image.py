"""What an executor image says about itself in ``/img-man``, from what its spec declares. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from layerwright.ymir.parameters import (
    PARAMETERS_FILE,
    TASKS,
    Parameter,
    Task,
    parameters_document,
    template_text,
)

__all__ = [
    "IMG_MAN",
    "MANIFEST_FILE",
    "OBJECT_TYPES",
    "START_COMMAND",
    "Executor",
    "ObjectType",
    "ObjectTypeName",
    "image_files",
    "template_path",
]

IMG_MAN: Final = "/img-man"
MANIFEST_FILE: Final = f"{IMG_MAN}/manifest.yaml"

START_COMMAND: Final = ("bash", "/usr/bin/start.sh")
"""What an executor's image runs by convention: the platform gives no command."""

ObjectTypeName = Literal["detection", "semantic-segmentation", "instance-segmentation", "multi-modal"]


class ObjectType(Struct, frozen=True, kw_only=True):
    """What an executor may find: its code in ``manifest.yaml``, and the folder of its templates below ``/img-man``."""

    code: int
    folder: str


OBJECT_TYPES: Final[Mapping[ObjectTypeName, ObjectType]] = {
    "detection": ObjectType(code=2, folder="det"),
    "semantic-segmentation": ObjectType(code=3, folder="semantic-seg"),
    "instance-segmentation": ObjectType(code=4, folder="instance-seg"),
    "multi-modal": ObjectType(code=50, folder="multi-modal"),
}


class Executor(Struct, frozen=True, kw_only=True):
    """What an executor image declares.

    Attributes:
        tasks: in the order of ``TASKS``, at least one.
        object_types: at least one; the first is the one that images made for one object type have.
        live_code: it fetches its code from a repository that the form names.
        parameters: no two of one name for one task.
    """

    tasks: tuple[Task, ...] = TASKS
    object_types: tuple[ObjectTypeName, ...] = ("detection",)
    live_code: bool = False
    parameters: tuple[Parameter, ...] = ()


def template_path(task: Task, folder: str = "") -> str:
    """Where a task's template stands, below a folder when object types have one each."""
    return f"{IMG_MAN}/{folder}/{task}-template.yaml" if folder else f"{IMG_MAN}/{task}-template.yaml"


def image_files(executor: Executor) -> dict[str, str]:
    """The files of ``/img-man`` by their absolute path: manifest, templates, and the parameters with their types."""
    types = [OBJECT_TYPES[name] for name in executor.object_types]
    several = len(types) > 1
    codes = f"[{', '.join(str(one.code) for one in types)}]" if several else str(types[0].code)
    live = "true" if executor.live_code else "false"
    files = {MANIFEST_FILE: f"object_type: {codes}\nenable_livecode: {live}\n"}
    for folder in [one.folder for one in types] if several else [""]:
        for task in executor.tasks:
            files[template_path(task, folder)] = template_text(executor.parameters, task)
    files[PARAMETERS_FILE] = parameters_document(executor.parameters)
    return files

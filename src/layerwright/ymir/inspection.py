"""How the platform reads /img-man through an image's entrypoint (§1.2)."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from msgspec import Struct

from layerwright.ymir.codes import TASKS, ObjectType, Task
from layerwright.ymir.remarks import Remark

__all__ = ["MANIFEST", "SUB_FOLDERS", "Document", "object_types", "read_document", "template_path"]

MANIFEST: Final = "/img-man/manifest.yaml"

SUB_FOLDERS: Final[Mapping[int, str]] = {
    ObjectType.DETECTION: "det",
    ObjectType.SEMANTIC_SEGMENTATION: "semantic-seg",
    ObjectType.INSTANCE_SEGMENTATION: "instance-seg",
    ObjectType.MULTI_MODAL: "multi-modal",
}

_UNUSABLE = 130401


class Document(Struct, frozen=True, kw_only=True):
    """What the platform makes of one ``docker run --rm IMAGE cat FILE``.

    Attributes:
        values: the mapping; None when the file counts as absent.
        remark: what is wrong with it, if anything is.
    """

    values: Mapping[str, Any] | None
    remark: Remark | None = None


def template_path(task: Task, object_type: int, *, listed: bool) -> str:
    """Where a task's template lies: in a folder of its own when the manifest lists its object types."""
    folder = f"/img-man/{SUB_FOLDERS.get(object_type, str(object_type))}" if listed else "/img-man"
    return f"{folder}/{task}-template.yaml"


def read_document(file: str, *, status: int, stdout: bytes, stderr: bytes) -> Document:
    """Read what ``cat FILE`` gave, as the platform does: standard error when the status is not 0.

    Args:
        file: path in the image.
        status: exit status.
        stdout: what came out.
        stderr: likewise.
    """
    text = (stdout if status == 0 else stderr).decode("utf-8", errors="replace")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = "its text cannot be read as YAML: " + " ".join(str(error).split())
        return _absent(file, status, text, why)
    if not isinstance(document, dict):
        return _absent(file, status, text, f"it holds {_kind(document)} where a mapping is needed")
    if status != 0:
        return Document(
            values=document,
            remark=Remark(
                outcome="lost",
                rule="1.2",
                file=file,
                message=f"`cat` ended with {status}, and its error text counts as the file: {_short(text)}",
                repair="have the entrypoint run the arguments it is given, and put the file into the image",
            ),
        )
    dates = [key for key, value in _flat(document) if isinstance(value, dt.date)]
    if dates:
        return Document(
            values=document,
            remark=Remark(
                outcome="rejected",
                rule="1.2",
                file=file,
                field=dates[0],
                message=f"{dates[0]} is a date, which the platform cannot store",
                repair="put it between quotes",
                code=169999,
            ),
        )
    return Document(values={str(key): value for key, value in document.items()})


def _absent(file: str, status: int, text: str, why: str) -> Document:
    if status == 0 and text.strip():
        lines = text.strip().splitlines()
        for start in range(1, len(lines)):
            try:
                rest = yaml.safe_load("\n".join(lines[start:]))
            except (yaml.YAMLError, ValueError, RecursionError):
                continue
            if isinstance(rest, dict):
                banner = " / ".join(line.strip() for line in lines[:start] if line.strip())
                return Document(
                    values=None,
                    remark=Remark(
                        outcome="rejected",
                        rule="1.2",
                        file=file,
                        message=f"text stands before the YAML, so the file counts as absent: {_short(banner)}",
                        repair="have the entrypoint print nothing of its own when it is given arguments: "
                        'end it with exec "$@", or remove the vendor\'s banner (ENTRYPOINT [])',
                        code=_UNUSABLE,
                    ),
                )
    return Document(
        values=None,
        remark=Remark(
            outcome="fine",
            rule="1.2",
            file=file,
            message=f"the file counts as absent: {why if text.strip() else 'nothing was printed'}",
            repair="",
        ),
    )


def _kind(document: object) -> str:
    if document is None:
        return "nothing"
    return {"list": "a list", "str": "text"}.get(
        type(document).__name__, f"a single {type(document).__name__}"
    )


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= 120 else f"{one[:117]}…"  # noqa: PLR2004 - what fits a line


def _flat(document: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    if depth > 20:  # noqa: PLR2004 - aliases may nest without end
        return
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(document, list):
        for place, value in enumerate(document):
            yield from _flat(value, f"{path}[{place}]", depth + 1)
    else:
        yield path, document


def object_types(manifest: Mapping[str, Any] | None) -> tuple[tuple[int, ...], bool] | Remark:
    """The object types that an image serves, and whether they are listed (templates then lie in folders).

    Returns:
        A remark when the platform refuses the image for it.
    """
    value = (
        (manifest or {}).get("object_type", int(ObjectType.DETECTION))
        if manifest
        else int(ObjectType.DETECTION)
    )
    if isinstance(value, int):  # a boolean, too: true counts as 1
        return (int(value),), False
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        unknown = [one for one in value if one not in SUB_FOLDERS]
        if not unknown:
            return tuple(int(one) for one in value), True
        return Remark(
            outcome="rejected",
            rule="1.2",
            file=MANIFEST,
            field="object_type",
            message=f"{unknown[0]} is no object type with templates, and the platform fails on it in a list",
            repair=f"list {', '.join(f'{int(number)} ({folder})' for number, folder in SUB_FOLDERS.items())}",
            code=169999,
        )
    return Remark(
        outcome="rejected",
        rule="1.2",
        file=MANIFEST,
        field="object_type",
        message=f"{value!r} is no object type",
        repair="write a number, such as 2 for detection, or a list of numbers",
        code=_UNUSABLE,
    )


def tasks_of(templates: Mapping[str, Mapping[str, Any] | None]) -> tuple[Task, ...]:
    """The tasks that an image has a template for."""
    return tuple(task for task in TASKS if templates.get(task) is not None)

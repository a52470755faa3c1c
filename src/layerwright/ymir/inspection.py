"""The template that a task starts from, as the platform finds it in an image (§1.2)."""

from collections.abc import Mapping
from typing import Any, Final

import yaml
from msgspec import Struct

from layerwright.ymir.codes import IMAGE_UNUSABLE, UNEXPECTED, ObjectType, Task
from layerwright.ymir.image import MANIFEST_FILE, OBJECT_TYPES, template_path
from layerwright.ymir.reading import Answer, read_answer
from layerwright.ymir.remarks import Remark, brief

__all__ = ["Template", "object_types", "read_mapping", "template_place"]

_FOLDERS: Final = {kind.code: kind.folder for kind in OBJECT_TYPES.values()}
_BANNER_LINES = 200
_SHOWN = 120


class Template(Struct, frozen=True, kw_only=True):
    """What the platform makes of one file of ``/img-man``.

    Attributes:
        values: the mapping; None when the file counts as absent, or the request fails.
        remark: what is wrong with it, if anything is.
    """

    values: Mapping[str, Any] | None
    remark: Remark | None = None


def template_place(task: Task, object_type: int, *, listed: bool) -> str:
    """Where a task's template lies: in a folder of its own when the manifest lists its object types."""
    return template_path(task, _FOLDERS.get(object_type, str(object_type)) if listed else "")


def read_mapping(file: str, answer: Answer) -> Template:
    """Read the answer to ``cat FILE``, and say what is wrong with it.

    Args:
        file: path in the image.
        answer: through the image's entrypoint.
    """
    document = read_answer(answer)
    shown = (answer.stderr if document.from_error else answer.stdout).decode(errors="replace")
    if document.state == "failed":
        return Template(
            values=None,
            remark=Remark(
                outcome="rejected",
                rule="1.2",
                file=file,
                field=document.json_path or (f"line {document.line}" if document.line else ""),
                message=f"the platform fails on the file: {document.why}",
                repair="`layerwright executor lint IMAGE` shows each such place; put dates between quotes",
                code=UNEXPECTED,
            ),
        )
    if document.state == "absent":
        return Template(values=None, remark=_banner(file, shown) if not document.from_error else None)
    values = {str(key): value for key, value in document.values.items()}
    if not document.from_error:
        return Template(values=values)
    return Template(
        values=values,
        remark=Remark(
            outcome="lost",
            rule="1.2",
            file=file,
            message=f"`cat` ended with {answer.exit_code}, and its error text counts as the file: {_short(shown)}",
            repair="have the entrypoint run the arguments it is given, and put the file into the image",
        ),
    )


def _banner(file: str, text: str) -> Remark | None:
    """The remark on text before a mapping; None when no mapping follows."""
    lines = text.strip().splitlines()
    for start in range(1, min(len(lines), _BANNER_LINES)):
        try:
            rest = yaml.safe_load("\n".join(lines[start:]))
        except (
            yaml.YAMLError,
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            OverflowError,
            RecursionError,
        ):
            continue
        if isinstance(rest, dict):
            banner = " / ".join(line.strip() for line in lines[:start] if line.strip())
            return Remark(
                outcome="rejected",
                rule="1.2",
                file=file,
                field="line 1",
                message=f"text stands before the YAML, so the file counts as absent: {_short(banner)}",
                repair='have the entrypoint print nothing when it is given arguments: end it with exec "$@", or take '
                "the vendor's banner away (ENTRYPOINT [])",
                code=IMAGE_UNUSABLE,
            )
    return None


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= _SHOWN else f"{one[: _SHOWN - 1]}…"


def object_types(manifest: Mapping[str, Any] | None) -> tuple[tuple[int, ...], bool] | Remark:
    """The object types that an image serves, and whether they are listed (templates then lie in folders).

    Returns:
        A remark when the platform refuses the image for it.
    """
    default = int(ObjectType.DETECTION)
    value = default if manifest is None else manifest.get("object_type", default)
    if isinstance(value, int):  # a boolean, too: true counts as 1
        return (int(value),), False
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        unknown = [one for one in value if one not in _FOLDERS]
        if not unknown:
            return tuple(int(one) for one in value), True
        return Remark(
            outcome="rejected",
            rule="1.2",
            file=MANIFEST_FILE,
            field="object_type",
            message=f"{unknown[0]} is no object type with templates, and the platform fails on it in a list",
            repair=f"list {', '.join(f'{code} ({folder})' for code, folder in _FOLDERS.items())}",
            code=UNEXPECTED,
        )
    return Remark(
        outcome="rejected",
        rule="1.2",
        file=MANIFEST_FILE,
        field="object_type",
        message=f"{brief(value)} is no object type",
        repair="write a number, such as 2 for detection, or a list of numbers",
        code=IMAGE_UNUSABLE,
    )

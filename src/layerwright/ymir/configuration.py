"""From a template to /in/config.yaml: the form (§1.3), what it drops, and the platform's own keys (§1.4, §2.3)."""

import math
from collections.abc import Mapping
from typing import Any, Final

import yaml
from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.ymir.codes import Task

__all__ = [
    "HIDDEN_KEYS",
    "PLATFORM_KEYS",
    "Configuration",
    "PlatformValues",
    "config_yaml",
    "export_format_of",
    "fill_form",
    "make_configuration",
]

HIDDEN_KEYS: Final = ("gpu_count", "task_id", "text_prompt")
"""Keys of a template that the form does not show."""

_LONGEST_TEXT, _LONGEST_NUMBER, _LONGEST_KEY = 100, 20, 50


class PlatformValues(Struct, frozen=True, kw_only=True):
    """What the platform adds to the form.

    Attributes:
        task_id: of the task.
        class_names: in the order of their ids.
        gpus: how many GPUs; they are numbered from 0 in the container.
        object_type: of the project; None for a platform before 2.4.
        model_files: absolute paths in the container; of the start model, or of the one to use.
        run_mining, run_infer: of mining and infer.
    """

    task_id: str
    class_names: tuple[str, ...]
    gpus: int = 0
    object_type: int | None = 2
    model_files: tuple[str, ...] = ()
    run_mining: bool = False
    run_infer: bool = False


class Configuration(Struct, frozen=True, kw_only=True):
    """What reaches the executor.

    Attributes:
        values: the document of config.yaml.
        dropped: keys of the template or the form that the web does not send.
    """

    values: Mapping[str, Any]
    dropped: tuple[str, ...] = ()


def fill_form(template: Mapping[str, Any], edits: Mapping[str, str]) -> dict[str, Any]:
    """The form's rows after a person has typed into them.

    A number's box gives a number; every other box gives text, so an edited boolean, list or null arrives as text.

    Args:
        template: as the platform stored it.
        edits: what was typed, by key; keys that the template lacks are rows that were added.

    Raises:
        UsageError: the form cannot take it.
    """
    values = dict(template)
    for key, text in edits.items():
        if key in HIDDEN_KEYS and key in template:
            raise UsageError(
                f"the form does not show {key!r}",
                hint="--gpus says how many GPUs; the task id is the platform's",
            )
        if len(key) > _LONGEST_KEY:
            raise UsageError(
                f"the key {key[:20]!r}… has {len(key)} characters",
                hint=f"the form takes {_LONGEST_KEY} at most",
            )
        values[key] = _typed(key, template.get(key), text)
    return values


def _typed(key: str, was: object, text: str) -> object:
    if isinstance(was, bool) or not isinstance(was, int | float):
        if len(text) > _LONGEST_TEXT:
            raise UsageError(
                f"the value of {key!r} has {len(text)} characters",
                hint=f"the form takes {_LONGEST_TEXT} at most",
            )
        return text
    if len(text) > _LONGEST_NUMBER:
        raise UsageError(
            f"the value of {key!r} has {len(text)} digits", hint=f"the form takes {_LONGEST_NUMBER} at most"
        )
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(
            f"{text!r} is no number, and {key!r} is {was!r} in the template",
            hint="the form takes numbers alone there",
        )
    return int(number) if number.is_integer() and "." not in text and "e" not in text.lower() else number


def make_configuration(task: Task, form: Mapping[str, Any], platform: PlatformValues) -> Configuration:
    """The document of config.yaml.

    Args:
        task: what is to run.
        form: ``fill_form``'s.
        platform: what the platform adds.
    """
    sent = {**form, "gpu_count": platform.gpus, "openpai_enable": False}
    dropped = tuple(key for key, value in sent.items() if _is_dropped(task, value))
    values = {key: value for key, value in sent.items() if key not in dropped}
    values |= {
        "gpu_id": ",".join(str(number) for number in range(platform.gpus)),
        "task_id": platform.task_id,
        "class_names": list(platform.class_names),
    }
    if platform.object_type is not None:
        values["object_type"] = platform.object_type
    if task == "training":
        values.pop("pretrained_model_params", None)
        if platform.model_files:
            values["pretrained_model_params"] = list(platform.model_files)
    else:
        values["model_params_path"] = list(platform.model_files)
        values["run_mining"] = platform.run_mining
        values["run_infer"] = platform.run_infer
    return Configuration(values=values, dropped=dropped)


def _is_dropped(task: Task, value: object) -> bool:
    """Training drops the empty text alone; mining and infer everything that is false in JavaScript (§1.3)."""
    if task == "training":
        return isinstance(value, str) and not value
    if isinstance(value, list | dict):
        return False  # empty ones are true in JavaScript
    return not value or (isinstance(value, float) and math.isnan(value))


def config_yaml(values: Mapping[str, Any]) -> str:
    """The text of config.yaml: sorted keys."""
    return yaml.safe_dump(dict(values), sort_keys=True, allow_unicode=True)


def export_format_of(values: Mapping[str, Any]) -> str:
    """The annotation form that the values ask for; missing or empty means ``voc:raw`` (§2.5)."""
    text = values.get("export_format")
    return str(text) if text else "voc:raw"


PLATFORM_KEYS: Final = (
    "class_names", "export_format", "gpu_count", "gpu_id", "model_params_path", "object_type", "openpai_enable",
    "pretrained_model_params", "run_infer", "run_mining", "shm_size", "task_id",
)  # fmt: skip
"""Keys whose value is the platform's, not a hyper-parameter (§1.4)."""

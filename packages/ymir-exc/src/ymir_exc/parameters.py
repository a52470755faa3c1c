"""Hyper-parameters with types: what the platform's form made of them, read back (§1.3).

The form knows numbers and texts only: an edited ``false`` comes back as the text ``"False"``, and for mining and infer
0, false, '' and null do not come back at all. An image may say what its parameters are in /img-man/parameters.json,
which the platform ignores::

    {"schema": 1, "parameters": [
      {"name": "epochs", "type": "int", "default": 10, "minimum": 1, "maximum": 1000,
       "choices": [], "unit": "epochs", "help": "How often every image is seen.", "tasks": ["training"]}]}

``type`` is int, float, bool, str or choice. ``minimum``, ``maximum``, ``choices``, ``unit``, ``help`` and ``tasks`` may
be absent or null; ``tasks`` are those that have the parameter, all of them when it is absent.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Sequence

from ymir_exc import settings
from ymir_exc.code import ExecutorReturnCode

if TYPE_CHECKING:
    from easydict import EasyDict

__all__ = [
    "SCHEMA",
    "TASKS",
    "TYPES",
    "Parameter",
    "ParameterError",
    "apply",
    "coerce",
    "get_typed_config",
    "parse",
    "read",
]

SCHEMA = 1
TYPES = ("int", "float", "bool", "str", "choice")
TASKS = ("training", "mining", "infer")

_TRUE = ("1", "on", "t", "true", "y", "yes")
_FALSE = ("0", "off", "f", "false", "n", "no")
_WHOLE = re.compile(r"[+-]?[0-9]+\Z")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")


class ParameterError(ValueError):
    """Hyper-parameters do not fit what the image says of them; one line for each fault."""

    return_code = ExecutorReturnCode.RC_EXEC_CONFIG_ERROR
    """What ``failures.reporting`` reports it as."""


class Parameter(NamedTuple):
    """One hyper-parameter.

    ``default`` is None when there is none; ``minimum`` and ``maximum`` are allowed themselves.
    """

    name: str
    type: str
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()
    unit: str = ""
    help: str = ""
    tasks: tuple[str, ...] = TASKS


def read(path: str | None = None) -> tuple[Parameter, ...]:
    """The parameters that the image describes; none when it has no such file.

    Args:
        path: another file than ``settings.PARAMETERS_FILE_PATH``.

    Raises:
        ParameterError: the file is there and does not fit.

    """
    place = path or settings.PARAMETERS_FILE_PATH
    try:
        with open(place, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return ()
    try:
        return parse(text)
    except ParameterError as error:
        msg = f"{place}: {error}"
        raise ParameterError(msg) from None


def parse(text: str) -> tuple[Parameter, ...]:
    """The parameters in the text of a parameters.json.

    Raises:
        ParameterError: it does not fit.

    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"not JSON: {error}"
        raise ParameterError(msg) from None
    if not isinstance(document, dict) or not isinstance(document.get("parameters"), list):
        msg = 'an object like {"schema": 1, "parameters": […]} is wanted'
        raise ParameterError(msg)
    if document.get("schema") != SCHEMA:
        msg = f"schema is {document.get('schema')!r}, and this ymir_exc reads {SCHEMA}; install a newer one"
        raise ParameterError(msg)
    return tuple(_parameter(entry, index) for index, entry in enumerate(document["parameters"]))


def coerce(values: Mapping[str, Any], described: Sequence[Parameter]) -> dict[str, Any]:
    """The values with the types that are described, and with defaults for what is missing.

    What is not described stays as it is.

    Args:
        values: hyper-parameters as config.yaml has them.
        described: what the image says of them.

    Raises:
        ParameterError: values do not fit; all of them are named.

    """
    result = dict(values)
    faults = []
    for parameter in described:
        value = result.get(parameter.name)
        blank = isinstance(value, str) and not value.strip() and parameter.type != "str"
        if value is None or (blank and value not in parameter.choices):
            value = parameter.default
        if value is None:
            result[parameter.name] = None
            continue
        try:
            result[parameter.name] = _value(parameter, value)
        except ParameterError as error:
            faults.append(f"{parameter.name} is {value!r}, and {error} is wanted")
    if faults:
        raise ParameterError("; ".join(faults))
    return result


def apply(cfg: Any, path: str | None = None) -> None:
    """Give ``cfg.param`` the types and defaults that the image describes for the tasks at hand.

    Args:
        cfg: what ``util.get_merged_config`` gave; it is changed.
        path: another file than ``settings.PARAMETERS_FILE_PATH``.

    Raises:
        ParameterError: values do not fit, or the file does not.

    """
    asked = [task for task in TASKS if getattr(cfg.ymir, f"run_{task}")] or TASKS
    described: dict[str, Parameter] = {}
    for parameter in read(path):
        if any(task in parameter.tasks for task in asked):
            described.setdefault(parameter.name, parameter)
    for name, value in coerce(cfg.param, list(described.values())).items():
        cfg.param[name] = value


def get_typed_config(path: str | None = None) -> EasyDict:
    """``util.get_merged_config`` with types and defaults.

    Args:
        path: another file than ``settings.PARAMETERS_FILE_PATH``.

    Raises:
        ParameterError: values do not fit, or the file does not.

    """
    from ymir_exc import util  # noqa: PLC0415 - start-up

    cfg = util.get_merged_config()
    apply(cfg, path)
    return cfg


def _parameter(entry: Any, index: int) -> Parameter:
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("name"), str)
        or entry.get("type") not in TYPES
    ):
        msg = f"parameters[{index}]: an object with a name and a type ({', '.join(TYPES)}) is wanted"
        raise ParameterError(msg)
    name = entry["name"]
    choices = entry.get("choices") or []
    if not isinstance(choices, list) or (entry["type"] == "choice" and not choices):
        msg = f"{name}: choices is {choices!r}, and a list is wanted"
        raise ParameterError(msg)
    bounds = [entry.get(key) for key in ("minimum", "maximum")]
    if not all(
        each is None or (isinstance(each, (int, float)) and not isinstance(each, bool)) for each in bounds
    ):
        msg = f"{name}: minimum and maximum are {bounds}, and numbers are wanted"
        raise ParameterError(msg)
    tasks = entry.get("tasks") or TASKS
    if not isinstance(tasks, (list, tuple)) or not all(each in TASKS for each in tasks):
        msg = f"{name}: tasks is {tasks!r}, and some of {', '.join(TASKS)} are wanted"
        raise ParameterError(msg)
    return Parameter(
        name,
        entry["type"],
        entry.get("default"),
        bounds[0],
        bounds[1],
        tuple(choices),
        str(entry.get("unit") or ""),
        str(entry.get("help") or ""),
        tuple(tasks),
    )


def _value(parameter: Parameter, value: Any) -> Any:
    """A value with its type.

    Raises:
        ParameterError: it does not fit; the message says what is wanted.

    """
    if parameter.type == "str":
        found: Any = value if isinstance(value, str) else _text(value)
    elif parameter.type == "bool":
        found = _boolean(value)
    elif parameter.type == "choice":
        return _choice(value, parameter.choices)
    else:
        found = _integer(value) if parameter.type == "int" else _real(value)
        _check_range(found, parameter)
    return _choice(found, parameter.choices) if parameter.choices else found


def _text(value: Any) -> str:
    if isinstance(value, (bool, int, float)):  # a template of another hand may have the text 5 as a number
        return str(value).lower() if isinstance(value, bool) else repr(value)
    msg = "text"
    raise ParameterError(msg)


def _boolean(value: Any) -> bool:
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in _TRUE + _FALSE:
        return value.strip().lower() in _TRUE
    msg = "true or false"
    raise ParameterError(msg)


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.match(value.strip()):
        with contextlib.suppress(ValueError):  # thousands of digits
            return int(value)
    elif isinstance(value, str):
        found = _finite(value)
        if found is not None and found.is_integer():
            return int(found)
    msg = "a whole number"
    raise ParameterError(msg)


def _real(value: Any) -> float:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        found = _finite(value)
        if found is not None:
            return found
    msg = "a number"
    raise ParameterError(msg)


def _finite(value: Any) -> float | None:
    if isinstance(value, str) and not _NUMBER.match(value.strip()):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _check_range(value: float, parameter: Parameter) -> None:
    low, high = parameter.minimum, parameter.maximum
    if (low is None or value >= low) and (high is None or value <= high):
        return
    unit = f" {parameter.unit}" if parameter.unit else ""
    if low is not None and high is not None:
        msg = f"{low:g} to {high:g}{unit}"
    else:
        msg = f"at least {low:g}{unit}" if low is not None else f"at most {high:g}{unit}"
    raise ParameterError(msg)


def _choice(value: Any, choices: Sequence[Any]) -> Any:
    """The choice that a value is, by itself, by its text or as a number."""
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    for choice in choices:
        if isinstance(value, str) and value.strip() == (choice if isinstance(choice, str) else repr(choice)):
            return choice
    found = None if isinstance(value, bool) else _finite(value)
    for choice in choices:
        if isinstance(choice, (int, float)) and not isinstance(choice, bool) and found == choice:
            return choice
    msg = f"one of {', '.join(map(str, choices))}"
    raise ParameterError(msg)

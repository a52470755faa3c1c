"""Hyper-parameters with types, as files of an image: flat templates for the platform, and ``PARAMETERS_FILE``. Pure.

The platform knows names and defaults only; an edited boolean comes back as text, and falsy values may not come back at
all (YMIR 2.x, the web's training, mining and inference pages). Images therefore carry their parameters a second time,
with types, as ``PARAMETERS_FILE``; the platform does not look at it.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.errors import UsageError
from layerwright.core.text import visible
from layerwright.ymir.parameter import (
    KIND_NAMES,
    TASKS,
    Parameter,
    ParameterError,
    ParameterType,
    Task,
    Value,
    coerce,
    coerce_all,
    form_text,
    one_of,
    parse_form,
    parse_text,
    typed,
    value_fault,
)

__all__ = [
    "MOST_NAME",
    "PARAMETERS_FILE",
    "TASKS",
    "Fault",
    "Parameter",
    "ParameterError",
    "ParameterType",
    "Task",
    "Value",
    "coerce",
    "coerce_all",
    "defaults",
    "faults",
    "form_text",
    "parameters_document",
    "parse_form",
    "parse_text",
    "read_parameters",
    "scalar_text",
    "template_text",
]

PARAMETERS_FILE: Final = "/img-man/parameters.json"

MOST_NAME: Final = 50
"""Characters of a name. Source: YMIR 2.5, the web's forms."""

_MOST_PARAMETERS: Final = 1000
_MOST_BYTES: Final = 1_000_000
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:+-]*[A-Za-z0-9_/.+-]|[A-Za-z_/]")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
"""What some YAML reads as something else than text, in lower case."""


class Fault(Struct, frozen=True, kw_only=True):
    """What is wrong with a declaration: the field, what, and how to mend it."""

    field: str
    what: str
    hint: str


def faults(parameter: Parameter) -> tuple[Fault, ...]:
    """What is wrong with a parameter; nothing when it is sound."""
    found = [*_name_faults(parameter), *_range_faults(parameter), *_choice_faults(parameter)]
    if parameter.unit and parameter.type in {"bool", "str"}:
        found.append(
            Fault(field="unit", what=f"a parameter of type {parameter.type} has no unit", hint="remove it")
        )
    found.extend(
        Fault(field=field, what=f"`{field}` is not one line of text", hint="write one line")
        for field in ("unit", "help")
        if not getattr(parameter, field).isprintable()
    )
    if not parameter.tasks or len(set(parameter.tasks)) != len(parameter.tasks):
        hint = f"name some of {', '.join(TASKS)}, each once"
        found.append(Fault(field="tasks", what="no task, or one twice", hint=hint))
    if not found:
        try:
            typed(parameter, parameter.default)
        except ParameterError as error:
            found.append(Fault(field="default", what=f"the default {error.reason}", hint=error.hint))
    return tuple(found)


def _name_faults(parameter: Parameter) -> Iterator[Fault]:
    name = parameter.name
    if not _NAME.fullmatch(name):
        hint = "begin with a letter or '_'; then letters, digits, '_', '.' and '-'"
        yield Fault(field="name", what=f"{visible(name)!r} is no name for a parameter", hint=hint)
    if len(name) > MOST_NAME:
        what = f"{visible(name[:20])!r}… has {len(name)} characters; YMIR's forms take {MOST_NAME}"
        yield Fault(field="name", what=what, hint="shorten it")


def _range_faults(parameter: Parameter) -> Iterator[Fault]:
    type_ = parameter.type
    limits = {"minimum": parameter.minimum, "maximum": parameter.maximum}
    for field, value in limits.items():
        if value is None:
            continue
        if type_ not in {"int", "float"}:
            yield Fault(field=field, what=f"a parameter of type {type_} has no {field}", hint="remove it")
        elif not math.isfinite(value) or (type_ == "int" and value != int(value)):
            kind = KIND_NAMES[type_]
            yield Fault(field=field, what=f"{value} is no {kind}", hint=f"give a {kind}, or remove it")
    least, most = limits.values()
    if least is not None and most is not None and least > most:
        yield Fault(field="minimum", what=f"minimum {least} is above maximum {most}", hint="exchange them")


def _choice_faults(parameter: Parameter) -> Iterator[Fault]:
    choices = parameter.choices
    if parameter.type != "choice":
        if choices:
            what = f"a parameter of type {parameter.type} has no choices"
            yield Fault(field="choices", what=what, hint='give it type = "choice"')
        return
    if not choices:
        hint = "list what may be chosen: choices = [...]"
        yield Fault(field="choices", what="a choice needs something to choose from", hint=hint)
    seen = set[str]()
    for choice in choices:
        # What a form sends is text: 1 and "1" could not be told apart.
        text = form_text(choice)
        if text.strip() in seen:
            yield Fault(field="choices", what=f"{text!r} stands twice among the choices", hint="keep one")
        seen.add(text.strip())
        wrong = value_fault(choice)
        if wrong:
            yield Fault(field="choices", what=f"{text[:40]!r} {wrong}", hint="choose something else")


def defaults(parameters: Iterable[Parameter], task: Task) -> dict[str, Value]:
    """The defaults of a task's parameters, by name."""
    return {parameter.name: parameter.default for parameter in parameters if task in parameter.tasks}


def scalar_text(value: Value) -> str:
    """A value in YAML that 1.1 and 1.2 read alike: ``1.0e-05`` with its point, ``"no"`` in quotes.

    Source: YAML 1.1's types for int, float, bool and null (https://yaml.org/type/), and YAML 1.2.2 §10.2.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = repr(value)
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(one: str) -> str:
    if one in '"\\':
        return f"\\{one}"
    return one if one.isprintable() else f"\\U{ord(one):08x}"


def template_text(parameters: Iterable[Parameter], task: Task) -> str:
    """``/img-man/<task>-template.yaml``: one flat mapping, with what the platform cannot hold as comments."""
    lines = [f"# Defaults of the {task} task."]
    own = [parameter for parameter in parameters if task in parameter.tasks]
    for parameter in own:
        said = [visible(part) for part in (parameter.help, _limits(parameter)) if part]
        if said:
            lines.append(f"# {'; '.join(said)}")
        lines.append(f"{scalar_text(parameter.name)}: {scalar_text(parameter.default)}")
    if not own:
        # Nothing but comments would be no mapping, and the platform would say that the image does not have the task.
        lines.append("{}")
    return "\n".join(lines) + "\n"


def _limits(parameter: Parameter) -> str:
    if parameter.type == "choice":
        return one_of(parameter)
    least, most = parameter.minimum, parameter.maximum
    unit = f" {parameter.unit}" if parameter.unit else ""
    if least is not None and most is not None:
        return f"{form_text(least)} to {form_text(most)}{unit}"
    if least is not None:
        return f"at least {form_text(least)}{unit}"
    if most is not None:
        return f"at most {form_text(most)}{unit}"
    return parameter.unit


def parameters_document(parameters: Iterable[Parameter]) -> str:
    """``PARAMETERS_FILE``: every field of every parameter, one parameter a line."""
    lines = ",\n".join(f"  {json.dumps(_fields(parameter), ensure_ascii=False)}" for parameter in parameters)
    return f'{{"schema": 1, "parameters": [\n{lines}\n]}}\n'


def _fields(parameter: Parameter) -> dict[str, Any]:
    return {name: getattr(parameter, name) for name in parameter.__struct_fields__}


class _Document(Struct, frozen=True):
    schema: int
    parameters: tuple[Parameter, ...]


def read_parameters(text: bytes) -> tuple[Parameter, ...]:
    """The parameters that ``PARAMETERS_FILE`` declares, whoever wrote it.

    Raises:
        UsageError: it is not of the kind known here, or a declaration is not sound.
    """
    if len(text) > _MOST_BYTES:
        raise UsageError(f"{PARAMETERS_FILE} has {len(text)} bytes; at most {_MOST_BYTES} are read")
    try:
        document = msgspec.json.decode(text, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{PARAMETERS_FILE} cannot be read: {error}") from error
    if document.schema != 1:
        raise UsageError(
            f"{PARAMETERS_FILE} has schema {document.schema}; this layerwright reads schema 1",
            hint="use the layerwright that made the image, or a newer one",
        )
    if len(document.parameters) > _MOST_PARAMETERS:
        count = len(document.parameters)
        raise UsageError(f"{PARAMETERS_FILE} has {count} parameters; at most {_MOST_PARAMETERS} are read")
    seen = set[tuple[str, str]]()
    for parameter in document.parameters:
        for fault in faults(parameter):
            name = visible(parameter.name[:MOST_NAME])
            raise UsageError(f"{PARAMETERS_FILE}: {name}: {fault.what}", hint=fault.hint)
        for task in parameter.tasks:
            if (parameter.name, task) in seen:
                raise UsageError(f"{PARAMETERS_FILE} declares {parameter.name} twice for {task}")
            seen.add((parameter.name, task))
    # JSON's writers may write 1.0 as 1: the default is of exactly its type here.
    return tuple(
        replace(parameter, default=typed(parameter, parameter.default)) for parameter in document.parameters
    )

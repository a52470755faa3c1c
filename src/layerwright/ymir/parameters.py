"""Hyper-parameters with types: to the platform's flat templates, to forms, and back from what arrives. Pure.

The platform knows names and defaults only; an edited boolean comes back as text, an edited number perhaps as text, and
falsy values may not come back at all (YMIR 2.x, the web's training, mining and inference pages). Images therefore carry
their parameters a second time, with types, as ``PARAMETERS_FILE``; the platform does not look at it.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct, field

from layerwright.core.errors import UsageError
from layerwright.core.text import visible

__all__ = [
    "MOST_NAME",
    "MOST_TEXT",
    "PARAMETERS_FILE",
    "TASKS",
    "Parameter",
    "ParameterError",
    "ParameterType",
    "Task",
    "Value",
    "coerce",
    "coerce_all",
    "faults",
    "form_text",
    "parameters_document",
    "parse_form",
    "parse_text",
    "read_parameters",
    "scalar_text",
    "template_text",
    "with_defaults",
]

Task = Literal["training", "mining", "infer"]
TASKS: Final[tuple[Task, ...]] = get_args(Task)

ParameterType = Literal["int", "float", "bool", "str", "choice"]
Value = bool | int | float | str

PARAMETERS_FILE: Final = "/img-man/parameters.json"

MOST_NAME: Final = 50
"""Characters of a name. Source: YMIR 2.5, the web's forms."""

MOST_TEXT: Final = 100
"""Characters of a text. Source: YMIR 2.5, the web's forms."""

_MOST_WHOLE: Final = 2**53 - 1
"""The largest whole number that survives a browser (ECMAScript, ``Number.MAX_SAFE_INTEGER``)."""

_MOST_PARAMETERS: Final = 1000
_MOST_BYTES: Final = 1_000_000
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:+-]*[A-Za-z0-9_/.+-]|[A-Za-z_/]")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
"""What some YAML reads as something else than text, in lower case."""

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})


class ParameterError(UsageError):
    """A value does not fit its parameter.

    Attributes:
        name: the parameter's.
    """

    def __init__(self, name: str, what: str, *, hint: str = "") -> None:
        super().__init__(f"{visible(name)}: {what}", hint=hint)
        self.name = name


class Parameter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One hyper-parameter of an executor.

    Attributes:
        name: the key in templates and in ``config.yaml``.
        type: ``choice`` is one of ``choices``.
        default: of that type.
        minimum, maximum: of numbers, both included; None for no limit.
        choices: texts or numbers, for ``choice`` only.
        unit: such as ``pixels``; empty for none.
        help: one line for people.
        tasks: that have it.
    """

    name: str
    type: ParameterType
    default: Value
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: tuple[str | int | float, ...] = ()
    unit: str = ""
    help: str = ""
    tasks: tuple[Task, ...] = TASKS


class _Document(Struct, frozen=True):
    schema: int
    parameters: tuple[Parameter, ...] = field(default=())


def faults(parameter: Parameter) -> tuple[tuple[str, str, str], ...]:
    """What is wrong with a declaration.

    Returns:
        For each fault the field, what is wrong, and how to mend it; nothing when the parameter is sound.
    """
    found = list[tuple[str, str, str]]()
    name, type_ = parameter.name, parameter.type
    if not _NAME.fullmatch(name):
        found.append(
            (
                "name",
                f"{visible(name)!r} is no name of a parameter",
                "begin with a letter or '_'; then letters, digits, '_', '.' and '-'",
            )
        )
    if len(name) > MOST_NAME:
        found.append(
            (
                "name",
                f"{name[:20]!r}… has {len(name)} characters; YMIR's forms take {MOST_NAME}",
                "shorten it",
            )
        )
    numeric = type_ in {"int", "float"}
    for limit in ("minimum", "maximum"):
        value = getattr(parameter, limit)
        if value is None:
            continue
        if not numeric:
            found.append((limit, f"a parameter of type {type_} has no {limit}", "remove it"))
        elif not math.isfinite(value) or (type_ == "int" and value != int(value)):
            found.append(
                (limit, f"{limit} {value} is no {_KINDS[type_]}", f"give a {_KINDS[type_]}, or remove it")
            )
    least, most = parameter.minimum, parameter.maximum
    if numeric and least is not None and most is not None and least > most:
        found.append(("minimum", f"minimum {least} is above maximum {most}", "exchange them"))
    found.extend(_choice_faults(parameter))
    if parameter.unit and not numeric and type_ != "choice":
        found.append(
            ("unit", f"a parameter of type {type_} has no unit", "remove it, or write it into `help`")
        )
    for text in ("unit", "help"):
        if not getattr(parameter, text).isprintable():
            found.append((text, f"`{text}` is not one line of text", "write one line"))
    if not parameter.tasks or len(set(parameter.tasks)) != len(parameter.tasks):
        found.append(
            ("tasks", "tasks are none, or twice the same", f"name some of {', '.join(TASKS)}, once each")
        )
    if not found:
        try:
            value = _typed(parameter, parameter.default)
        except ParameterError as error:
            found.append(("default", error.what.partition(": ")[2], error.hint))
        else:
            if value != parameter.default:  # pragma: no cover - _typed converts whole floats and ints only
                found.append(("default", f"{parameter.default!r} is no {_KINDS[type_]}", ""))
    return tuple(found)


_KINDS: Final[Mapping[str, str]] = {
    "int": "whole number",
    "float": "number",
    "bool": "truth value",
    "str": "text",
    "choice": "choice",
}


def _choice_faults(parameter: Parameter) -> Iterable[tuple[str, str, str]]:
    choices = parameter.choices
    if parameter.type != "choice":
        if choices:
            yield "choices", f"a parameter of type {parameter.type} has no choices", 'give it type = "choice"'
        return
    if not choices:
        yield "choices", "a choice needs something to choose from", "list what may be chosen: choices = [...]"
        return
    # What a form sends is text: 1 and "1" could not be told apart.
    seen = set[str]()
    for choice in choices:
        text = form_text(choice)
        if text in seen:
            yield "choices", f"{text!r} stands twice among the choices", "keep one"
        seen.add(text)
        fault = _value_fault(choice)
        if fault:
            yield "choices", f"{text[:40]!r} {fault}", "choose something else"


def _value_fault(value: Value) -> str:
    """Why no parameter can have the value; empty when one can."""
    if isinstance(value, str):
        if len(value) > MOST_TEXT:
            return f"has {len(value)} characters; YMIR's forms take {MOST_TEXT}"
        if not value.isprintable():
            return "is not one line of text"
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return "is not a finite number: JSON, by which YMIR keeps it, has no word for it"
    if isinstance(value, int) and abs(value) > _MOST_WHOLE:
        return f"is beyond {_MOST_WHOLE}, the largest whole number that a browser's form keeps exactly"
    return ""


def _typed(parameter: Parameter, value: object) -> Value:
    """The value when it is of the parameter's type and in its range; whole floats and ints stand for each other."""
    name, type_ = parameter.name, parameter.type
    if type_ == "choice":
        for choice in parameter.choices:
            if type(choice) is type(value) and choice == value:
                return choice
        if isinstance(value, int | float) and not isinstance(value, bool):
            for choice in parameter.choices:
                if isinstance(choice, int | float) and choice == value:
                    return choice
        raise ParameterError(name, f"{_shown(value)} is none of its choices", hint=_one_of(parameter))
    typed: Value
    match type_, value:
        case "bool", bool() as typed:
            return typed
        case "str", str() as typed:
            pass
        case "int", int() as typed if not isinstance(value, bool):
            pass
        case "int", float() as number if math.isfinite(number) and number == int(number):
            typed = int(number)
        case "float", (int() | float()) as number if not isinstance(value, bool) and abs(number) <= 1.8e308:
            typed = float(number)
        case _:
            raise ParameterError(name, f"{_shown(value)} is no {_KINDS[type_]}", hint=_wanted(parameter))
    fault = _value_fault(typed)
    if fault:
        raise ParameterError(name, f"{_shown(typed)} {fault}", hint=_wanted(parameter))
    if not isinstance(typed, str):
        if parameter.minimum is not None and typed < parameter.minimum:
            raise ParameterError(
                name,
                f"{form_text(typed)} is below the minimum {form_text(parameter.minimum)}",
                hint=_wanted(parameter),
            )
        if parameter.maximum is not None and typed > parameter.maximum:
            raise ParameterError(
                name,
                f"{form_text(typed)} is above the maximum {form_text(parameter.maximum)}",
                hint=_wanted(parameter),
            )
    return typed


def _shown(value: object) -> str:
    text = (
        repr(value)
        if isinstance(value, str)
        else form_text(value)
        if isinstance(value, bool | int | float)
        else ""
    )
    if not text:
        names = {dict: "a mapping", list: "a list", type(None): "nothing"}
        return names.get(type(value), f"a value of type {type(value).__name__}")
    most = 60
    text = visible(text)
    return text if len(text) <= most else f"{text[:most]}…"


def _one_of(parameter: Parameter) -> str:
    most = 12
    names = [form_text(choice) for choice in parameter.choices]
    more = f" … ({len(names)} choices)" if len(names) > most else ""
    return f"one of {', '.join(names[:most])}{more}"


def _wanted(parameter: Parameter) -> str:
    """What would do, as a hint."""
    least, most = parameter.minimum, parameter.maximum
    unit = f" {parameter.unit}" if parameter.unit else ""
    match parameter.type:
        case "choice":
            return _one_of(parameter)
        case "bool":
            return "give true or false"
        case "str":
            return f"give one line of at most {MOST_TEXT} characters"
        case _:
            kind = f"give a {_KINDS[parameter.type]}"
    if least is not None and most is not None:
        return f"{kind} from {form_text(least)} to {form_text(most)}{unit}"
    if least is not None:
        return f"{kind} of at least {form_text(least)}{unit}"
    if most is not None:
        return f"{kind} of at most {form_text(most)}{unit}"
    return f"{kind}, such as {form_text(parameter.default)}{unit}"


def form_text(value: Value) -> str:
    """The value as a form shows it; ``parse_form`` reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def parse_form(parameter: Parameter, text: str) -> Value:
    """What somebody typed into a form.

    Raises:
        ParameterError: it is no value of the parameter; the message and the hint are for the one who typed.
    """
    name, type_ = parameter.name, parameter.type
    if type_ == "str":
        return _typed(parameter, text)
    bare = text.strip()
    if type_ == "choice":
        for choice in parameter.choices:
            if bare == form_text(choice) or text == choice:
                return choice
        if _NUMBER.fullmatch(bare):
            return _typed(parameter, float(bare))
        raise ParameterError(name, f"{_shown(text)} is none of its choices", hint=_one_of(parameter))
    if not bare:
        raise ParameterError(name, "nothing is given", hint=_wanted(parameter))
    if type_ == "bool":
        if bare.lower() in _TRUE | _FALSE:
            return bare.lower() in _TRUE
        raise ParameterError(name, f"{_shown(text)} is neither true nor false", hint=_wanted(parameter))
    if type_ == "int" and _WHOLE.fullmatch(bare):
        return _typed(parameter, int(bare))
    if not _NUMBER.fullmatch(bare):
        hint = _wanted(parameter)
        if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", bare):
            hint += "; the decimal mark is a point"
        raise ParameterError(name, f"{_shown(text)} is no {_KINDS[type_]}", hint=hint)
    return _typed(parameter, float(bare))


def parse_text(
    parameters: Iterable[Parameter], texts: Mapping[str, str]
) -> tuple[dict[str, Value], dict[str, ParameterError]]:
    """A whole form: values by name where the text is good, errors by name where it is not.

    A parameter that the form does not have keeps its default; what the form has beyond the parameters is an error.
    """
    values = dict[str, Value]()
    wrong = dict[str, ParameterError]()
    for parameter in parameters:
        if parameter.name not in texts:
            values[parameter.name] = parameter.default
            continue
        try:
            values[parameter.name] = parse_form(parameter, texts[parameter.name])
        except ParameterError as error:
            wrong[parameter.name] = error
    for name in texts:
        if name not in values and name not in wrong:
            wrong[name] = ParameterError(name, "is no parameter of this task")
    return values, wrong


def coerce(parameter: Parameter, value: object) -> Value:
    """What ``config.yaml`` has for the parameter, as the type it was declared with.

    The platform sends edited booleans as text, and may send numbers so. None, which a template cannot hold but a form
    may send, gives the default.

    Raises:
        ParameterError: it is no value of the parameter.
    """
    if value is None:
        return parameter.default
    if isinstance(value, str) and parameter.type != "str":
        # An emptied box is no wish for nothing: training's form does not send it, others' might.
        if not value.strip() and not (parameter.type == "choice" and value in parameter.choices):
            return parameter.default
        return parse_form(parameter, value)
    if parameter.type == "bool" and isinstance(value, int | float) and value in {0, 1}:
        return bool(value)
    if parameter.type == "str" and isinstance(value, bool | int | float):
        # A text such as 5 that was edited in a number's box.
        return _typed(parameter, form_text(value))
    return _typed(parameter, value)


def coerce_all(parameters: Iterable[Parameter], config: Mapping[str, object]) -> dict[str, Value]:
    """Every parameter's value; the default where ``config`` has none, because falsy values are dropped on the way.

    Raises:
        ParameterError: a value is none of its parameter.
    """
    return {
        parameter.name: coerce(parameter, config[parameter.name])
        if parameter.name in config
        else parameter.default
        for parameter in parameters
    }


def with_defaults(parameters: Iterable[Parameter], task: Task) -> dict[str, Value]:
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
        if "e" in text and "." not in text:
            text = text.replace("e", ".0e")
        return text
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(one: str) -> str:
    if one in '"\\':
        return f"\\{one}"
    if one.isprintable():
        return one
    number = ord(one)
    return (
        f"\\x{number:02x}"
        if number <= 0xFF
        else f"\\u{number:04x}"
        if number <= 0xFFFF
        else f"\\U{number:08x}"
    )


def template_text(parameters: Iterable[Parameter], task: Task) -> str:
    """``/img-man/<task>-template.yaml``: one flat mapping, with what the platform cannot hold as comments."""
    lines = [f"# Defaults of the {task} task."]
    empty = True
    for parameter in parameters:
        if task not in parameter.tasks:
            continue
        empty = False
        said = [visible(part) for part in (parameter.help, _limits(parameter)) if part]
        if said:
            lines.append(f"# {'; '.join(said)}")
        lines.append(f"{scalar_text(parameter.name)}: {scalar_text(parameter.default)}")
    if empty:
        # Nothing but comments would be no mapping, and the platform would say that the image does not have the task.
        lines.append("{}")
    return "\n".join(lines) + "\n"


def _limits(parameter: Parameter) -> str:
    if parameter.type == "choice":
        return _one_of(parameter)
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
    return f'{{"schema": 1, "parameters": [\n{lines}\n]}}\n' if lines else '{"schema": 1, "parameters": []}\n'


def _fields(parameter: Parameter) -> dict[str, Any]:
    return {name: getattr(parameter, name) for name in parameter.__struct_fields__}


def read_parameters(text: bytes) -> tuple[Parameter, ...]:
    """The parameters that ``PARAMETERS_FILE`` declares, whoever wrote it.

    Raises:
        UsageError: it is not of the kind known here, or a declaration is not sound.
    """
    if len(text) > _MOST_BYTES:
        raise UsageError(f"{PARAMETERS_FILE} has {len(text)} bytes; {_MOST_BYTES} are read")
    try:
        document = msgspec.json.decode(text, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{PARAMETERS_FILE} cannot be read: {error or 'it is nested too deep'}") from error
    if document.schema != 1:
        raise UsageError(
            f"{PARAMETERS_FILE} has schema {document.schema}; this layerwright reads schema 1",
            hint="use the layerwright that made the image, or a newer one",
        )
    if len(document.parameters) > _MOST_PARAMETERS:
        raise UsageError(
            f"{PARAMETERS_FILE} has {len(document.parameters)} parameters; {_MOST_PARAMETERS} are read"
        )
    seen = set[tuple[str, str]]()
    for parameter in document.parameters:
        for _, what, hint in faults(parameter):
            raise UsageError(f"{PARAMETERS_FILE}: {visible(parameter.name)[:MOST_NAME]}: {what}", hint=hint)
        for task in parameter.tasks:
            if (parameter.name, task) in seen:
                raise UsageError(f"{PARAMETERS_FILE} declares {parameter.name} twice for {task}")
            seen.add((parameter.name, task))
    return tuple(_normal(parameter) for parameter in document.parameters)


def _normal(parameter: Parameter) -> Parameter:
    """The parameter with a default of exactly its type: JSON writers write 1.0 as 1."""
    return msgspec.structs.replace(parameter, default=_typed(parameter, parameter.default))

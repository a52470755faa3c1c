"""One hyper-parameter with its type, and its values: as a form's text, as what the platform sends back. Pure."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.core.text import visible

__all__ = [
    "KIND_NAMES",
    "MOST_TEXT",
    "TASKS",
    "Parameter",
    "ParameterError",
    "ParameterType",
    "Task",
    "Value",
    "coerce",
    "coerce_all",
    "form_text",
    "one_of",
    "parse_form",
    "parse_text",
    "typed",
    "value_fault",
]

Task = Literal["training", "mining", "infer"]
TASKS: Final[tuple[Task, ...]] = get_args(Task)

ParameterType = Literal["int", "float", "bool", "str", "choice"]
Value = bool | int | float | str

MOST_TEXT: Final = 100
"""Characters of a text. Source: YMIR 2.5, the web's forms."""

_MOST_WHOLE: Final = 2**53 - 1
"""The largest whole number that survives a browser (ECMAScript, ``Number.MAX_SAFE_INTEGER``)."""

KIND_NAMES: Final[Mapping[str, str]] = {
    "int": "whole number",
    "float": "number",
    "bool": "truth value",
    "str": "text",
    "choice": "choice",
}
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?")
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
        self.reason = what


class Parameter(Struct, frozen=True, kw_only=True):
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


def form_text(value: Value) -> str:
    """The value as a form shows it; ``parse_form`` reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def value_fault(value: Value) -> str:
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


def typed(parameter: Parameter, value: object) -> Value:
    """The value as the parameter's own type; whole floats and ints stand for each other, text never for a number.

    Raises:
        ParameterError: it is of another type, out of range, or none of the choices.
    """
    if parameter.type == "choice":
        return _chosen(parameter, value)
    found = _of_type(parameter.type, value)
    if found is None:
        kind = KIND_NAMES[parameter.type]
        raise ParameterError(parameter.name, f"{_shown(value)} is no {kind}", hint=_wanted(parameter))
    fault = value_fault(found)
    if fault:
        raise ParameterError(parameter.name, f"{_shown(found)} {fault}", hint=_wanted(parameter))
    if not isinstance(found, str):
        if parameter.minimum is not None and found < parameter.minimum:
            what = f"{form_text(found)} is below the minimum {form_text(parameter.minimum)}"
            raise ParameterError(parameter.name, what, hint=_wanted(parameter))
        if parameter.maximum is not None and found > parameter.maximum:
            what = f"{form_text(found)} is above the maximum {form_text(parameter.maximum)}"
            raise ParameterError(parameter.name, what, hint=_wanted(parameter))
    return found


def _of_type(type_: str, value: object) -> Value | None:
    if isinstance(value, bool):
        return value if type_ == "bool" else None
    match type_, value:
        case "str", str():
            return value
        case "int", int():
            return value
        case "int", float() if math.isfinite(value) and value == int(value):
            return int(value)
        case "float", int() | float():
            try:
                return float(value)
            except OverflowError:  # a whole number of more than 308 digits
                return math.inf
        case _:
            return None


def _chosen(parameter: Parameter, value: object) -> Value:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    for choice in parameter.choices:
        if choice == value and (isinstance(value, str) if isinstance(choice, str) else numeric):
            return choice
    raise ParameterError(parameter.name, f"{_shown(value)} is none of its choices", hint=one_of(parameter))


def _shown(value: object) -> str:
    if not isinstance(value, bool | int | float | str):
        names = {dict: "a mapping", list: "a list", type(None): "nothing"}
        return names.get(type(value), f"a value of type {type(value).__name__}")
    most = 60
    if isinstance(value, int) and abs(value) >= 10**most:
        return "a number of that many digits"
    text = visible(repr(value) if isinstance(value, str) else form_text(value))
    return text if len(text) <= most else f"{text[:most]}…"


def one_of(parameter: Parameter) -> str:
    """The choices in words."""
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
            return one_of(parameter)
        case "bool":
            return "give true or false"
        case "str":
            return f"give one line of at most {MOST_TEXT} characters"
        case "int" | "float":
            pass
    kind = f"give a {KIND_NAMES[parameter.type]}"
    if least is not None and most is not None:
        return f"{kind} from {form_text(least)} to {form_text(most)}{unit}"
    if least is not None:
        return f"{kind} of at least {form_text(least)}{unit}"
    if most is not None:
        return f"{kind} of at most {form_text(most)}{unit}"
    return f"{kind}, such as {form_text(parameter.default)}{unit}"


def parse_form(parameter: Parameter, text: str) -> Value:
    """What somebody typed into a form.

    Raises:
        ParameterError: it is no value of the parameter; the message and the hint are for the one who typed.
    """
    if parameter.type == "str":
        return typed(parameter, text)
    bare = text.strip()
    if parameter.type == "choice":
        return _parse_choice(parameter, text)
    if not bare:
        raise ParameterError(parameter.name, "nothing is given", hint=_wanted(parameter))
    if parameter.type == "bool":
        if bare.lower() in _TRUE | _FALSE:
            return bare.lower() in _TRUE
        raise ParameterError(
            parameter.name, f"{_shown(text)} is neither true nor false", hint=_wanted(parameter)
        )
    if parameter.type == "int" and _WHOLE.fullmatch(bare):
        return typed(parameter, int(bare))
    if not _NUMBER.fullmatch(bare):
        hint = _wanted(parameter)
        if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", bare):
            hint += "; the decimal mark is a point"
        raise ParameterError(parameter.name, f"{_shown(text)} is no {KIND_NAMES[parameter.type]}", hint=hint)
    return typed(parameter, float(bare))


def _parse_choice(parameter: Parameter, text: str) -> Value:
    bare = text.strip()
    for choice in parameter.choices:
        if text == choice or bare == form_text(choice):
            return choice
    if _NUMBER.fullmatch(bare):
        return _chosen(parameter, float(bare))
    raise ParameterError(parameter.name, f"{_shown(text)} is none of its choices", hint=one_of(parameter))


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

    The platform sends edited booleans as text, and may send numbers so. Nothing, as None or as a box that was emptied,
    gives the default.

    Raises:
        ParameterError: it is no value of the parameter.
    """
    if value is None:
        return parameter.default
    if isinstance(value, str) and parameter.type != "str":
        if not value.strip() and value not in parameter.choices:
            return parameter.default
        return parse_form(parameter, value)
    if parameter.type == "bool" and isinstance(value, int | float) and value in {0, 1}:
        return bool(value)
    if parameter.type == "str" and isinstance(value, bool | int | float):
        # A template of another hand may have given the text 5 as a number.
        return typed(parameter, form_text(value))
    return typed(parameter, value)


def coerce_all(parameters: Iterable[Parameter], config: Mapping[str, object]) -> dict[str, Value]:
    """Every parameter's value; the default where ``config`` has none, because falsy values are dropped on the way.

    Raises:
        ParameterError: a value is none of its parameter.
    """
    return {parameter.name: coerce(parameter, config.get(parameter.name)) for parameter in parameters}

"""What is wrong with the keys and values of one template, as the platform reads it. Pure."""

import math
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from msgspec import Struct

from layerwright.core.findings import Kind, Level
from layerwright.core.text import visible
from layerwright.ymir import image_kinds as kinds
from layerwright.ymir.parameter import MOST_TEXT, Parameter, Task, form_text
from layerwright.ymir.parameters import MOST_NAME
from layerwright.ymir.reading import MOST_JSON, Document, Entry
from layerwright.ymir.reserved import platform_key, shape_fault

__all__ = ["Remark", "check_template"]

_MOST_DIGITS: Final = 20
"""Digits that a box for numbers takes. Source: YMIR 2.5, the web's forms."""

_WORDS: Final = frozenset({"yes", "no", "on", "off", "y", "n"})
_LOOKS_LIKE_NUMBER: Final = re.compile(
    r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+|0o[0-7]+|[-+]?[0-9]+[eE][-+]?[0-9]+"
)
_ODD_NUMBER: Final = re.compile(
    r"[-+]?(?:0[0-7]+|0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9.]*(?::[0-9.]+)+|[0-9.]*_[0-9._]*)"
)


class Remark(Struct, frozen=True, kw_only=True):
    """One thing about a file: like a finding, with its place as key and line."""

    kind: Kind
    level: Level
    message: str
    fix: str = ""
    edit: str = ""
    key: str = ""
    line: int = 0


def check_template(
    document: Document, task: Task, parameters: tuple[Parameter, ...] | None
) -> Iterator[Remark]:
    """Look at a template that is a mapping, or at one whose values JSON cannot hold.

    Args:
        document: the template.
        task: whose it is.
        parameters: of ``parameters.json``; None when the image has none that can be read.
    """
    for entry in document.entries:
        yield from _key_remarks(entry)
        yield from _value_remarks(entry)
    if document.json_size > MOST_JSON:
        yield Remark(
            kind=kinds.SIZE,
            level="error",
            message=f"the template has {document.json_size:,} characters as JSON; the platform keeps {MOST_JSON:,}",
            fix="move what nobody edits into the code or a file of the image",
        )
    if task != "training":
        yield from _falsy(document, task)
    if parameters is not None:
        yield from _against_parameters(document, task, parameters)


def _key_remarks(entry: Entry) -> Iterator[Remark]:
    name = visible(entry.key[:MOST_NAME])
    if not entry.key_is_text:
        yield Remark(
            kind=kinds.KEY,
            level="warning",
            message=f"the key on line {entry.line} is no text in YAML 1.1: the platform calls it {name}",
            fix="put the key into quotes, or name it otherwise",
            key=entry.key,
            line=entry.line,
        )
    if len(entry.key) > MOST_NAME:
        yield Remark(
            kind=kinds.KEY,
            level="warning",
            message=f"the key {name}… has {len(entry.key)} characters; the platform's forms take {MOST_NAME}",
            fix="shorten it",
            key=entry.key,
            line=entry.line,
        )
    if entry.again:
        yield Remark(
            kind=kinds.DUPLICATE,
            level="warning",
            message=f"{name} stands twice; the last one counts",
            fix="keep one of them",
            key=entry.key,
            line=entry.line,
        )
    owner = platform_key(entry.key)
    if owner:
        yield Remark(
            kind=kinds.RESERVED,
            level="warning",
            message=f"{name} is the platform's own: {owner}, so the template's value never arrives",
            fix=f"leave {name} out, or give what it means to the program another name",
            key=entry.key,
            line=entry.line,
        )
    what, mend = shape_fault(entry.key, entry.value)
    if what:
        yield Remark(
            kind=kinds.SHAPE,
            level="error",
            message=f"{name}: {visible(what)}",
            fix=mend,
            key=entry.key,
            line=entry.line,
        )


def _value_remarks(entry: Entry) -> Iterator[Remark]:  # noqa: C901 - one branch a type of YAML's
    name = visible(entry.key[:MOST_NAME])
    value, written = entry.value, entry.written
    shown = visible(written[:40])

    def remark(kind: Kind, level: Level, message: str, fix: str, edit: str = "") -> Remark:
        return Remark(
            kind=kind,
            level=level,
            message=message,
            fix=fix,
            edit=edit,
            key=entry.key,
            line=entry.line,
        )

    match value:
        case date():
            message = f"{name}: {shown} is a date in YAML, which JSON cannot hold: the platform fails on it"
            yield remark(kinds.DATE, "error", message, "put it into quotes", f'{name}: "{shown}"')
        case dict() | list() | tuple() | set() if not platform_key(entry.key):
            kind = "a mapping" if isinstance(value, dict) else "a list"
            message = f"{name} is {kind}: the form shows text for it, and gives text back once it was edited"
            yield remark(
                kinds.FLAT, "warning", message, "give each value a key of its own, or write one text"
            )
        case None if not platform_key(entry.key):
            message = f"{name} is nothing: the form gives text back, whatever type is meant"
            yield remark(kinds.NULL, "note", message, "give a default of the type that is meant")
        case bool() if entry.plain and written.lower() in _WORDS:
            truth = "true" if value else "false"
            message = f"{name}: {shown} is {truth} in YAML 1.1"
            edit = f"{name}: {truth}"
            yield remark(kinds.WORD, "note", message, f'write {truth}, or "{shown}" for the word', edit)
        case float() if not math.isfinite(value):
            message = f"{name}: {shown} is stored as {value}, which is no JSON"
            yield remark(kinds.NAN, "error", message, "give a number, or leave the key out")
        case bool():
            pass
        case int() | float() if entry.plain and _ODD_NUMBER.fullmatch(written):
            message = f"{name}: {shown} is {value} in YAML 1.1"
            yield remark(kinds.NUMBER, "warning", message, f"write {value}", f"{name}: {value}")
        case int() | float() if len(written) > _MOST_DIGITS:
            message = f"{name} has {len(written)} digits; the form's box takes {_MOST_DIGITS}"
            yield remark(kinds.LONG, "warning", message, "shorten it")
        case str() if entry.plain and _LOOKS_LIKE_NUMBER.fullmatch(written):
            message = f"{name}: {shown} is text in YAML 1.1, not a number"
            better = _better(written)
            yield remark(
                kinds.NUMBER, "warning", message, f"write {better} for the number", f"{name}: {better}"
            )
        case str() if len(value) > MOST_TEXT:
            message = f"{name} has {len(value)} characters; the form's box takes {MOST_TEXT}"
            yield remark(kinds.LONG, "warning", message, "shorten it, or let it name a file")
        case str() if "\n" in value:
            message = f"{name} has several lines; the form's box takes one"
            yield remark(kinds.LONG, "warning", message, "write one line, or let it name a file")
        case _:
            pass


def _better(written: str) -> str:
    """The number as YAML 1.1 takes it."""
    if written.lower().startswith("0o"):
        return str(int(written, 8))
    text = repr(float(written))
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _falsy(document: Document, task: Task) -> Iterator[Remark]:
    names = [
        visible(entry.key[:MOST_NAME])
        for entry in document.entries
        if not entry.value and not isinstance(entry.value, dict | list) and not platform_key(entry.key)
    ]
    if names:
        many = len(names) > 1
        yield Remark(
            kind=kinds.FALSY,
            level="note",
            message=f"{_joined(names)} {'are' if many else 'is'} false or empty by default: the page for "
            f"{'mining' if task == 'mining' else 'inference'} does not send {'them' if many else 'it'}, and "
            f"config.yaml will lack the key{'s' if many else ''}",
            fix="use the same default in the program when the key is missing",
            key=names[0],
        )


def _against_parameters(
    document: Document, task: Task, parameters: tuple[Parameter, ...]
) -> Iterator[Remark]:
    own = {parameter.name: parameter for parameter in parameters if task in parameter.tasks}
    lines = {entry.key: entry.line for entry in document.entries}
    for key, value in document.values.items():
        parameter = own.get(key) if isinstance(key, str) else None
        if parameter is None:
            if not platform_key(str(key)):
                yield Remark(
                    kind=kinds.PARAMETERS,
                    level="warning",
                    message=f"{visible(str(key)[:MOST_NAME])} stands in the template and not in parameters.json",
                    fix="write both from one source",
                    key=str(key),
                    line=lines.get(str(key), 0),
                )
        elif parameter.default != value or isinstance(value, bool) != (parameter.type == "bool"):
            yield Remark(
                kind=kinds.PARAMETERS,
                level="warning",
                message=f"{key} is {visible(repr(value)[:60])} in the template and "
                f"{visible(repr(parameter.default)[:60])} in parameters.json",
                fix="write both from one source",
                key=str(key),
                line=lines.get(str(key), 0),
            )
    for name in own:
        if name not in document.values:
            yield Remark(
                kind=kinds.PARAMETERS,
                level="warning",
                message=f"{name} stands in parameters.json and not in the template: the form does not show it",
                fix="write both from one source",
                key=name,
            )
    if task != "training":
        yield from _zeros(own.values())


def _zeros(parameters: Iterable[Parameter]) -> Iterator[Remark]:
    for parameter in parameters:
        default, least, most = parameter.default, parameter.minimum, parameter.maximum
        if isinstance(default, bool | str) or parameter.type == "choice" or default == 0:
            continue
        # Only where somebody said that 0 is meant: with no limits it most often is not.
        if least is not None and least <= 0 and (most is None or most >= 0):
            yield Remark(
                kind=kinds.ZERO,
                level="note",
                message=f"{parameter.name} may be 0, and whoever chooses 0 gets {form_text(default)}: mining and "
                "inference do not send a 0",
                fix="let another value mean none, or make 0 the default",
                key=parameter.name,
            )


def _joined(names: list[str]) -> str:
    most = 6
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]

"""All structural faults of a spec, in the user's words. Loaded only when ``msgspec`` has refused the file."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft7Validator, ValidationError

from layerwright.spec.faults import Fault, KeyPath, nearest
from layerwright.spec.schema import json_schema

__all__ = ["structural_faults"]

_WORDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a table",
}
_OTHERS_WORDS = {
    "base": "from",
    "image": "from",
    "pip": "packages",
    "requirements": "packages",
    "dependencies": "packages",
    "environment": "env",
    "volumes": "mounts",
    "cmd": "command",
    "architecture": "platforms",
    "run-options": "run",
    "revision": "rev",
    "branch": "rev",
    "tag": "rev",
    "commit": "rev",
    "digest": "sha256",
    "source": "from",
    "target": "to",
    "destination": "to",
    "find-links": "flat",
}
"""What other tools call a key or a value."""
_MOST_KNOWN = 12
"""How many known keys a hint lists when none is near."""


def structural_faults(data: Any) -> list[Fault]:  # noqa: ANN401 - any TOML value
    """Unknown and missing keys, wrong types, values outside their choices; each once.

    Args:
        data: the spec's table as the TOML parser gave it.
    """
    faults: dict[Fault, None] = {}
    for error in Draft7Validator(json_schema()).iter_errors(data):
        faults.update(dict.fromkeys(_explain(error)))
    return list(faults)


def _explain(error: ValidationError) -> Iterator[Fault]:
    path: KeyPath = tuple(error.absolute_path)
    wanted: Any = error.validator_value
    table: Any = error.instance
    if "propertyNames" in error.relative_schema_path:
        yield Fault((*path, str(error.instance)), f"{error.instance!r} {_pattern_words(error)}", at_key=True)
        return
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(error, path)
        case "required":
            missing = [key for key in wanted if key not in table]
            for key in missing:
                where = f"[{path[-1]}]" if path and isinstance(path[-1], str) else "this table"
                yield Fault(
                    path, f"missing key {key!r}", _missing_hint(error, key) or f"add {key!r} to {where}"
                )
        case "type":
            yield _wrong_type(path, error.instance, [str(wanted)], error.schema)
        case "enum":
            yield _not_a_choice(path, error.instance, wanted)
        case "pattern":
            yield Fault(path, f"{error.instance!r} {_pattern_words(error)}")
        case "minLength" | "minItems" | "minProperties":
            yield Fault(path, f"{_name(path)} must not be empty")
        case "anyOf":
            yield from _explain_choice(error, path)
        case _:
            yield Fault(path, error.message)


def _unknown_keys(error: ValidationError, path: KeyPath) -> Iterator[Fault]:
    schema: Any = error.schema
    table: Any = error.instance
    known = list(schema["properties"])
    for key in table:
        if key in schema["properties"]:
            continue
        near = _nearest(key, known)
        if near:
            hint = f"did you mean {near!r}?"
        else:
            more = ", …" if len(known) > _MOST_KNOWN else ""
            hint = f"known keys here: {', '.join(known[:_MOST_KNOWN])}{more}"
        yield Fault((*path, key), f"unknown key {key!r}", hint, at_key=True)


def _nearest(word: str, known: list[str]) -> str:
    """The known word that is meant, by its likeness to it or to what other tools call it."""
    meant = {other: ours for other, ours in _OTHERS_WORDS.items() if ours in known}
    near = nearest(word.lower(), [*known, *meant])
    return meant.get(near, near)


def _explain_choice(error: ValidationError, path: KeyPath) -> Iterator[Fault]:
    """Faults of a value that may be of several types: those of the branch whose type it has."""
    branches: dict[int, list[ValidationError]] = {}
    for child in error.context or ():
        branches.setdefault(int(child.relative_schema_path[0]), []).append(child)
    for children in branches.values():
        if not any(child.validator == "type" and not child.relative_path for child in children):
            for child in children:
                yield from _explain(child)
            return
    kinds = [
        str(child.validator_value)
        for children in branches.values()
        for child in children
        if child.validator == "type" and not child.relative_path
    ]
    yield _wrong_type(path, error.instance, kinds)


def _wrong_type(
    path: KeyPath,
    value: Any,  # noqa: ANN401 - any TOML value
    kinds: list[str],
    schema: Any = None,  # noqa: ANN401 - as jsonschema has it
) -> Fault:
    wanted = " or ".join(_WORDS.get(kind, kind) for kind in kinds)
    what = f"{_name(path)} must be {wanted}, not {_words_for(value)}"
    scalar = not isinstance(value, list | dict)
    if isinstance(value, bool) and schema and "errorMessage" in schema:
        return Fault(path, what, f"it {schema['errorMessage']}")
    if "string" in kinds and scalar:
        return Fault(path, what, "write it in quotes", quote=True)
    if "array" in kinds and isinstance(value, str):
        return Fault(path, what, f'write it as a list: ["{value}"]')
    if kinds == ["boolean"] and isinstance(value, str) and value.lower() in {"true", "false"}:
        return Fault(path, what, f"write {value.lower()} without quotes")
    return Fault(path, what)


def _words_for(value: Any) -> str:  # noqa: ANN401 - any TOML value
    match value:
        case bool():
            return str(value).lower()
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def _not_a_choice(path: KeyPath, value: Any, choices: list[str]) -> Fault:  # noqa: ANN401 - any TOML value
    if not isinstance(value, str):
        return Fault(
            path, f"{_name(path)} must be text, not {_words_for(value)}", f"one of {', '.join(choices)}"
        )
    near = _nearest(value, choices)
    hint = f"did you mean {near!r}?" if near else ""
    return Fault(path, f"{value!r} is not one of {', '.join(choices)}", hint)


def _pattern_words(error: ValidationError) -> str:
    schema: Any = error.schema
    return str(schema.get("errorMessage") or f"does not match {schema.get('pattern')}")


def _missing_hint(error: ValidationError, key: str) -> str:
    """The schema's own example of the key, as TOML, where there is a plain one."""
    schema: Any = error.schema
    examples = schema["properties"][key].get("examples") or []
    return f'such as: {key} = "{examples[0]}"' if examples and isinstance(examples[0], str) else ""


def _name(path: KeyPath) -> str:
    """What to call a value in a sentence: its key, or ``entry N of KEY``."""
    if not path:
        return "the spec"
    last = path[-1]
    if isinstance(last, str):
        return repr(last)
    return f"entry {last + 1} of {_name(path[:-1])}"

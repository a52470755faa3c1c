"""What the platform makes of one file of ``/img-man``: the answer of ``docker run --rm IMAGE cat FILE``. Pure.

Behaviour as seen of YMIR 2.5 (``invoker_cmd_inspect_image.py``): standard output is parsed as safe YAML when the exit
code is 0, else standard error; a document counts only when it is a mapping; it is kept as JSON text.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, Literal

import yaml
from msgspec import Struct

__all__ = ["MOST_JSON", "Answer", "Document", "Entry", "read_answer"]

MOST_JSON: Final = 20_000
"""Characters of JSON text that the platform keeps of a template."""

_MOST_BYTES: Final = 1_000_000
_MOST_NODES: Final = 100_000


class Answer(Struct, frozen=True, kw_only=True):
    """How ``cat FILE`` in the image ended."""

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""


class Entry(Struct, frozen=True, kw_only=True):
    """One key of a template and its value, as written and as read.

    Attributes:
        key: as the platform keeps it, which is text in JSON.
        key_is_text: it is written as text; not so for ``on``, ``1`` or ``null``.
        line: of the key, from 1.
        written: a scalar's text as it stands in the file; empty for lists and mappings.
        plain: the scalar stands without quotes.
        value: as read.
        again: the key stood there before.
    """

    key: str
    key_is_text: bool
    line: int
    written: str
    plain: bool
    value: Any
    again: bool = False


class Document(Struct, frozen=True, kw_only=True):
    """What the platform has after reading.

    Attributes:
        state: ``mapping``; ``absent`` when it goes on as if there were no file; ``failed`` when the request fails.
        why: why it is not a mapping; empty for one.
        line: where that is, 0 when there is no one line.
        values: of a mapping.
        entries: of a mapping, in the file's order.
        from_error: it was read from standard error.
        json_size: characters of the JSON text.
        json_path: the key whose value JSON cannot hold, when that is why it failed.
    """

    state: Literal["mapping", "absent", "failed"]
    why: str = ""
    line: int = 0
    values: Mapping[Any, Any] = {}
    entries: tuple[Entry, ...] = ()
    from_error: bool = False
    json_size: int = 0
    json_path: str = ""


def read_answer(answer: Answer) -> Document:
    """Read an answer as the platform does."""
    from_error = answer.exit_code != 0
    data = answer.stderr if from_error else answer.stdout
    if len(data) > _MOST_BYTES:
        return Document(state="failed", why=f"it has {len(data)} bytes", from_error=from_error)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Document(state="failed", why="it is not UTF-8", line=line, from_error=from_error)
    return _read(text, from_error=from_error)


def _read(text: str, *, from_error: bool) -> Document:
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        values = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = f"it is no YAML: {error.problem or error.context}"
        return Document(state="absent", why=why, line=mark.line + 1 if mark else 0, from_error=from_error)
    except yaml.YAMLError as error:
        return Document(state="absent", why=f"it is no YAML: {_first_line(error)}", from_error=from_error)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        # PyYAML lets these through, such as for the date 2020-13-45; the platform catches YAMLError alone.
        why = f"its YAML cannot be made values: {_first_line(error)}"
        return Document(state="failed", why=why, from_error=from_error)
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        return Document(state="absent", why=f"it is {_kind(values)}, not a mapping", from_error=from_error)
    entries = _entries(node, values)
    why, path, size = _json(values)
    if why:
        line = next((one.line for one in entries if one.key == path), 0)
        return Document(
            state="failed",
            why=why,
            line=line,
            values=values,
            entries=entries,
            from_error=from_error,
            json_path=path,
        )
    return Document(state="mapping", values=values, entries=entries, from_error=from_error, json_size=size)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    names = {list: "a list", str: "text", bool: "a truth value"}
    return names.get(type(value), "a single value")


def _entries(node: yaml.MappingNode, values: Mapping[Any, Any]) -> tuple[Entry, ...]:
    """The keys of the mapping; those of merged mappings (``<<``) are not listed one by one."""
    found = list[Entry]()
    seen = set[str]()
    by_text = {_json_key(key): value for key, value in values.items()}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
            continue
        is_text = key_node.tag == "tag:yaml.org,2002:str"
        key = key_node.value if is_text else _converted(key_node)
        scalar = value_node.value if isinstance(value_node, yaml.ScalarNode) else ""
        found.append(
            Entry(
                key=key,
                key_is_text=is_text,
                line=key_node.start_mark.line + 1,
                written=scalar,
                plain=isinstance(value_node, yaml.ScalarNode) and value_node.style is None,
                value=by_text.get(key),
                again=key in seen,
            )
        )
        seen.add(key)
    return tuple(found)


def _converted(node: yaml.ScalarNode) -> str:
    """The key as JSON would write it: ``on`` becomes ``true``."""
    try:
        loader = yaml.SafeLoader("")
        try:
            value = loader.construct_object(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError):
        return str(node.value)
    return _json_key(value)


def _json_key(key: object) -> str:
    match key:
        case bool():
            return "true" if key else "false"
        case None:
            return "null"
        case _:
            return str(key)


def _json(values: Mapping[Any, Any]) -> tuple[str, str, int]:
    """Why the mapping is no JSON and the first key at fault, or its size in characters."""
    if _is_large(values):
        return "it holds more values than the platform keeps, or refers to itself", "", 0
    for key, value in values.items():
        why = _not_json(value)
        if why:
            return f"{_json_key(key)} {why}", _json_key(key), 0
        if not isinstance(key, str | int | float | bool | None):
            return f"a key is {_class(key)}, which JSON cannot have", "", 0
    try:
        return "", "", len(json.dumps(values))
    except (TypeError, ValueError, RecursionError) as error:
        return f"it cannot be written as JSON: {_first_line(error)}", "", 0


def _is_large(values: object) -> bool:
    """Whether there are more values than can be: aliases multiply what a few lines say."""
    stack, count = [values], 0
    while stack:
        one = stack.pop()
        count += 1
        if count > _MOST_NODES:
            return True
        if isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list | tuple | set):
            stack.extend(one)
    return False


def _not_json(value: object) -> str:
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            for key in one:
                if not isinstance(key, str | int | float | bool | None):
                    return f"has a key that is {_class(key)}, which JSON cannot have"
            stack.extend(one.values())
        elif isinstance(one, list | tuple):
            stack.extend(one)
        elif not isinstance(one, str | int | float | bool | None):
            return f"is {_class(one)}, which JSON cannot hold"
    return ""


def _class(value: object) -> str:
    if isinstance(value, date):
        return "a date"
    name = type(value).__name__
    return {"bytes": "binary data", "tuple": "a list"}.get(name, f"a {name}")

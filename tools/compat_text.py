"""A record file as text: records come to it and lines change, and all else stays as it stands."""

import json
import re
from typing import Any, Final

import tomli

Record = dict[str, Any]

_BOUNDARIES: Final = re.compile(r"^\[\[(\w+)\]\]$", re.MULTILINE)


class RecordText:
    """A record file as text: records are added and lines changed, all else stays as it stands."""

    def __init__(self, text: str) -> None:
        starts = [match.start() for match in _BOUNDARIES.finditer(text)]
        self.head = text[: starts[0]] if starts else text
        self.blocks = [
            text[a:b].rstrip("\n") + "\n" for a, b in zip(starts, [*starts[1:], len(text)], strict=True)
        ]

    def positions(self, table: str) -> list[int]:
        """Places of a table's blocks, in order."""
        return [place for place, block in enumerate(self.blocks) if block.startswith(f"[[{table}]]\n")]

    def records(self, table: str) -> list[Record]:
        """A table's records."""
        found: list[Record] = tomli.loads(str(self)).get(table, [])
        return found

    def insert(self, place: int, table: str, record: Record) -> None:
        """Put a record before the block at ``place``; empty values are left out."""
        lines = [
            f"{toml_key(key)} = {toml_value(value)}" for key, value in record.items() if not is_empty(value)
        ]
        self.blocks.insert(place, "\n".join([f"[[{table}]]", *lines]) + "\n")

    def change(self, place: int, key: str, value: object) -> None:
        """Give a key of one block another value; an empty one takes its line away."""
        lines = self.blocks[place].splitlines()
        at = next((number for number, line in enumerate(lines) if line.startswith(f"{key} = ")), None)
        new = [] if is_empty(value) else [f"{key} = {toml_value(value)}"]
        if at is None:
            at = next(number for number, line in enumerate(lines) if line.startswith("source = "))
            lines[at:at] = new
        else:
            lines[at : at + 1] = new
        self.blocks[place] = "\n".join(lines) + "\n"

    def date(self, day: str) -> None:
        """Say when the file was last compared."""
        self.head = re.sub(r'^as_of = ".*"$', f'as_of = "{day}"', self.head, count=1, flags=re.MULTILINE)

    def __str__(self) -> str:
        return self.head + "\n".join(self.blocks)


def toml_key(key: str) -> str:
    """A key as TOML writes it."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def toml_value(value: object) -> str:
    """A value on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return "[" + ", ".join(map(toml_value, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{toml_key(key)} = {toml_value(one)}" for key, one in value.items()) + "}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def is_empty(value: object) -> bool:
    """Whether a value says nothing, so that its key is left out."""
    return value is False or value in ("", [], {}, None)

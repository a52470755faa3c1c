"""Where each key of a TOML text stands. Loaded only when something has to be pointed at.

The TOML parser of the hot path keeps no positions; the syntax tree of tree-sitter has them, and recovers from
what it cannot read, so that a place can be named even then.
"""

import contextlib
from collections.abc import Iterator

import tomli
import tree_sitter
import tree_sitter_toml
from msgspec.structs import replace

from layerwright.core.source import Location
from layerwright.spec.faults import KeyPath, hide_credentials, parse_key

__all__ = ["Positions", "locate"]

_NO_VALUES = ("comment", "ERROR")
_KEYS = ("bare_key", "quoted_key", "dotted_key")


class Positions:
    """Positions of the keys and values of one TOML text.

    Args:
        text: the file's content, without a byte order mark.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._keys: dict[KeyPath, tree_sitter.Node] = {}
        self._values: dict[KeyPath, tree_sitter.Node] = {}
        self._lengths: dict[KeyPath, int] = {}
        parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
        # What is nested deeper than Python's stack is pointed at by the nearest parent that was reached.
        with contextlib.suppress(RecursionError):
            self._read_document(parser.parse(text.encode()).root_node)

    def key(self, path: KeyPath) -> tuple[int, int]:
        """Line and column (both from 1, in characters) where the key is named; its nearest parent's when unknown."""
        return self._find(path, self._keys, self._values)

    def value(self, path: KeyPath) -> tuple[int, int]:
        """Line and column of the key's value; of a ``[table]``, its name in the header."""
        return self._find(path, self._values, self._keys)

    def written(self, path: KeyPath) -> str:
        """The value as it is written; empty when unknown, a table or of several lines."""
        node = self._values.get(path)
        if node is None or node.text is None or node.type in {*_KEYS, "array", "inline_table"}:
            return ""
        text = node.text.decode(errors="replace")
        return "" if "\n" in text else text

    def line(self, number: int) -> str:
        """The line's text without its line end; empty for line 0."""
        return self._lines[number - 1].removesuffix("\r") if 0 < number <= len(self._lines) else ""

    def paths(self) -> Iterator[KeyPath]:
        """Every key that is named in the text."""
        return iter(self._keys)

    def _find(self, path: KeyPath, *tables: dict[KeyPath, tree_sitter.Node]) -> tuple[int, int]:
        for length in range(len(path), 0, -1):
            for table in tables:
                if node := table.get(path[:length]):
                    return self._point(node)
        return (1, 1)

    def _point(self, node: tree_sitter.Node) -> tuple[int, int]:
        row, column = node.start_point
        before = self._lines[row].encode()[:column].decode(errors="replace")
        return (row + 1, len(before) + 1)

    def _read_document(self, root: tree_sitter.Node) -> None:
        here: KeyPath = ()
        for node in root.children:
            if node.type == "pair":
                self._read_pair(node, ())
            elif node.type in {"table", "table_array_element"}:
                here = self._read_header(node)
                for child in node.children:
                    if child.type == "pair":
                        self._read_pair(child, here)

    def _read_header(self, node: tree_sitter.Node) -> KeyPath:
        """Path of a ``[table]`` or ``[[array of tables]]``; inside an array of tables, its last element's."""
        parts = next((list(_key_parts(child)) for child in node.children if child.type in _KEYS), [])
        here: KeyPath = ()
        for position, (name, key) in enumerate(parts):
            here = (*here, name)
            self._keys.setdefault(here, key)
            self._values.setdefault(here, key)
            last = position == len(parts) - 1
            if last and node.type == "table_array_element":
                self._lengths[here] = self._lengths.get(here, 0) + 1
            if here in self._lengths:
                here = (*here, self._lengths[here] - 1)
                self._values.setdefault(here, key)
        return here

    def _read_pair(self, node: tree_sitter.Node, here: KeyPath) -> None:
        key = next((child for child in node.children if child.type in _KEYS), None)
        if key is None:
            return
        for name, part in _key_parts(key):
            here = (*here, name)
            self._keys.setdefault(here, part)
            self._values.setdefault(here, part)
        for value in node.named_children[1:]:
            if value.type not in _NO_VALUES:
                self._read_value(value, here)
                return

    def _read_value(self, node: tree_sitter.Node, here: KeyPath) -> None:
        self._values[here] = node
        if node.type == "array":
            items = (child for child in node.named_children if child.type not in _NO_VALUES)
            for position, item in enumerate(items):
                self._read_value(item, (*here, position))
        elif node.type == "inline_table":
            for child in node.children:
                if child.type == "pair":
                    self._read_pair(child, here)


def locate(location: Location, text: str) -> Location:
    """The location with line, column and line text filled in from its key.

    Args:
        location: as a ``Spec`` carries it: file and key only.
        text: the content of ``location.file``.
    """
    if location.line or not location.key:
        return location
    positions = Positions(text.removeprefix("\ufeff"))
    line, column = positions.value(parse_key(location.key))
    return replace(location, line=line, column=column, text=hide_credentials(positions.line(line)))


def _key_parts(node: tree_sitter.Node) -> Iterator[tuple[str, tree_sitter.Node]]:
    """Names of a bare, quoted or dotted key, each with its node."""
    if node.type == "dotted_key":
        for child in node.children:
            if child.type in _KEYS:
                yield from _key_parts(child)
        return
    text = (node.text or b"").decode(errors="replace")
    if node.type == "quoted_key":
        try:
            text = tomli.loads(f"key = {text}")["key"]
        except tomli.TOMLDecodeError:
            text = text.strip("\"'")
    yield text, node

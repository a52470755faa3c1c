"""Words of shell text: quotes taken away, variables found."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from layerwright.lint.shell.model import Expansion, Word
from layerwright.lint.source import Piece

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["WordReader"]

_DEEPEST = 150
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "e": "\x1b", "0": "\0"}
_EXPANDING = (":-", ":?", ":+", ":=", "-", "?", "+", "=", "#", "%", "/")


class WordReader:
    """Reads words of one piece of text from the grammar's nodes."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece

    def start(self, node: "Node") -> int:
        """Where a node begins; the grammar is given a byte for each character."""
        return node.start_byte

    def stop(self, node: "Node") -> int:
        """Where a node ends."""
        return node.end_byte

    def raw(self, node: "Node") -> str:
        """A node's text as it was written."""
        return self.piece.text[self.start(node) : self.stop(node)]

    def plain(self, node: "Node") -> Word:
        """A node taken as it is."""
        start, text = self.start(node), self.raw(node)
        return Word(text=text, raw=text, start=start, stop=self.stop(node), parts=((start, text),))

    def word(self, node: "Node") -> Word:
        """A word with its parts and variables."""
        parts: list[tuple[int, str]] = []
        expansions: list[Expansion] = []
        substituted = self._fill(node, parts, expansions, quoted=False, depth=0)
        return Word(
            text="".join(text for _, text in parts),
            raw=self.raw(node),
            start=self.start(node),
            stop=self.stop(node),
            parts=tuple(parts),
            expansions=tuple(expansions),
            substituted=substituted,
            quoted=node.type in {"string", "raw_string", "ansi_c_string", "translated_string"},
        )

    def _fill(
        self,
        node: "Node",
        parts: list[tuple[int, str]],
        expansions: list[Expansion],
        *,
        quoted: bool,
        depth: int,
    ) -> bool:
        """Texts and variables of a word's node; True when a command's output is put in."""
        start, raw = self.start(node), self.raw(node)
        match node.type:
            case "raw_string":
                parts.append((start + 1, raw[1:-1]))
            case "ansi_c_string":
                parts += _unescaped(raw[2:-1], start + 2, _ANSI)
            case "simple_expansion" | "expansion":
                parts.append((start, raw))
                expansions.append(self._expansion(node, quoted=quoted))
                return any(child.type == "command_substitution" for child in node.children)
            case "command_substitution" | "process_substitution" | "arithmetic_expansion":
                parts.append((start, raw))
                return True
            case "string":
                return self._string(node, parts, expansions, depth)
            case "concatenation" | "translated_string" | "variable_assignment" | "command_name" if (
                depth < _DEEPEST
            ):
                substituted, at = False, start
                for child in node.children:
                    if self.start(child) > at:
                        parts.append((at, self.piece.text[at : self.start(child)]))
                    substituted |= self._fill(child, parts, expansions, quoted=quoted, depth=depth + 1)
                    at = self.stop(child)
                return substituted
            case _:
                parts += _unescaped(raw, start, None)
        return False

    def _string(
        self, node: "Node", parts: list[tuple[int, str]], expansions: list[Expansion], depth: int
    ) -> bool:
        """Double quotes: text between the variables stays as it stands, but for escapes."""
        substituted = False
        at, end = self.start(node) + 1, self.stop(node) - 1
        for child in node.children:
            if child.type in {
                "simple_expansion",
                "expansion",
                "command_substitution",
                "arithmetic_expansion",
            }:
                parts += _unescaped(self.piece.text[at : self.start(child)], at, {})
                substituted |= self._fill(child, parts, expansions, quoted=True, depth=depth + 1)
                at = self.stop(child)
        parts += _unescaped(self.piece.text[at:end], at, {})
        return substituted

    def _expansion(self, node: "Node", *, quoted: bool) -> Expansion:
        raw = self.raw(node)
        name = next(
            (
                self.raw(child)
                for child in node.children
                if child.type in {"variable_name", "special_variable_name", "subscript"}
            ),
            raw.strip("${}"),
        )
        inside = raw[2:-1] if raw.startswith("${") else raw[1:]
        rest = inside.partition(name)[2] if name else ""
        operator = next((sign for sign in _EXPANDING if rest.startswith(sign)), "")
        return Expansion(
            name=name,
            quoted=quoted,
            operator=operator,
            default=rest[len(operator) :] if operator else "",
            start=self.start(node),
            stop=self.stop(node),
        )


def _unescaped(text: str, start: int, escapes: "dict[str, str] | None") -> Iterator[tuple[int, str]]:
    r"""Parts of a text with its backslashes obeyed.

    Args:
        text: as written.
        start: its place.
        escapes: None outside quotes (any character can be escaped), empty in double quotes (only ``$ ` " \``),
            else what stands for what.
    """
    at = 0
    index = text.find("\\")
    while 0 <= index < len(text) - 1:
        following = text[index + 1]
        if following == "\n":
            made: str | None = ""
        elif escapes is None:
            made = following
        elif not escapes:
            made = following if following in '$`"\\' else None
        else:
            made = escapes.get(following)
        if made is not None:
            yield start + at, text[at:index]
            yield start + index + (1 if made == following else 0), made
            at = index + 2
        index = text.find("\\", index + 2)
    yield start + at, text[at:]

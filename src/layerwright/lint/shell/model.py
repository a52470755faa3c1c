"""What stands in shell text. Places count characters of the script's piece."""

import re
from functools import cached_property

from msgspec import Struct

from layerwright.core.source import Location
from layerwright.lint.source import Piece

__all__ = ["Chain", "Command", "Element", "Expansion", "Redirect", "Script", "Word"]


class Expansion(Struct, frozen=True, kw_only=True):
    """A variable that is put in.

    Attributes:
        name: of the variable.
        quoted: it stands in double quotes, so it stays one word.
        operator: ``:-``, ``:?`` and so on; empty for none.
        default: what stands after the operator.
        start, stop: its place.
    """

    name: str
    quoted: bool
    operator: str = ""
    default: str = ""
    start: int
    stop: int


class Word(Struct, frozen=True, kw_only=True):
    """A word of a command.

    Attributes:
        text: without quotes; variables and substitutions as they were written.
        raw: as it was written.
        start, stop: its place.
        parts: the pieces of ``text`` with their places.
        expansions: its variables.
        substituted: the output of a command is put in.
        quoted: the whole word stands in quotes.
    """

    text: str
    raw: str
    start: int
    stop: int
    parts: tuple[tuple[int, str], ...] = ()
    expansions: tuple[Expansion, ...] = ()
    substituted: bool = False
    quoted: bool = False

    @property
    def literal(self) -> bool:
        """Its value stands in the file."""
        return not self.expansions and not self.substituted


class Redirect(Struct, frozen=True, kw_only=True):
    """A redirection; ``body`` is the text of a here-document, ``target`` then the word that ends it."""

    operator: str
    target: str
    start: int
    stop: int
    target_start: int
    body: Piece | None = None
    expand: bool = True


class Command(Struct, frozen=True, kw_only=True):
    """A simple command, or assignments alone.

    Attributes:
        piece: the text that it stands in.
        words: all words.
        program: name of the program without its folder, behind ``sudo``, ``env`` and the like; empty for
            assignments alone.
        arguments: words after the program.
        wrappers: ``sudo``, ``env`` and the like, in order.
        assignments: before the command, or of ``export``.
        redirects: in order.
        start, stop: its place.
        before, after: what joins it to its neighbours: ``&&``, ``||``, ``|``, ``;``, ``&``, a line feed, or nothing.
        tested: its status is looked at: it stands in a condition, or after ``!``.
        function: name of the function that it belongs to; empty outside.
        substitution: it stands in ``$(…)``.
        index: its place among the script's commands.
    """

    piece: Piece
    words: tuple[Word, ...]
    program: str
    arguments: tuple[Word, ...]
    wrappers: tuple[str, ...] = ()
    assignments: tuple[tuple[str, Word], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    start: int
    stop: int
    before: str = ""
    after: str = ""
    tested: bool = False
    function: str = ""
    substitution: bool = False
    index: int = 0

    @property
    def texts(self) -> tuple[str, ...]:
        """Texts of the arguments."""
        return tuple(word.text for word in self.arguments)

    def location(self, word: Word | None = None) -> Location:
        """Where it stands, or one of its words."""
        return self.piece.location(self.start if word is None else word.start)


class Element(Struct, frozen=True, kw_only=True):
    """A pipeline or compound command of a chain: ``commands[first:last]`` of the script."""

    kind: str
    first: int
    last: int
    start: int
    stop: int


class Chain(Struct, frozen=True, kw_only=True):
    """Elements joined by ``&&`` and ``||``.

    Attributes:
        elements: at least one.
        operators: between them.
        terminator: ``;``, ``&``, a line feed, or nothing at the end.
        tested: its status is looked at by a condition.
        function: that it belongs to.
        depth: 0 at the top of the script.
    """

    elements: tuple[Element, ...]
    operators: tuple[str, ...] = ()
    terminator: str = ""
    tested: bool = False
    function: str = ""
    depth: int = 0


class Script(Struct, frozen=True, kw_only=True, dict=True):
    """A whole script.

    Attributes:
        piece: its text.
        commands: all simple commands, in the order in which they stand; those of ``sh -c '…'`` after it.
        chains: all chains.
        functions: names of functions that it defines.
        patterns: patterns of its ``case`` items, with their places.
        cases: for each ``case``: the word it looks at, and its patterns with what each runs, as text.
        broken: place of the first thing that could not be read; -1 when all could.
    """

    piece: Piece
    commands: tuple[Command, ...]
    chains: tuple[Chain, ...]
    functions: tuple[str, ...] = ()
    patterns: tuple[tuple[str, int], ...] = ()
    cases: tuple[tuple[str, int, tuple[tuple[str, str], ...]], ...] = ()
    broken: int = -1

    @property
    def text(self) -> str:
        """The script's text."""
        return self.piece.text

    @cached_property
    def _searched(self) -> dict[str, bool]:
        return {}

    def mentions(self, pattern: str) -> bool:
        """The pattern is found in the text; each is looked for once."""
        if pattern not in self._searched:
            self._searched[pattern] = re.search(pattern, self.text) is not None
        return self._searched[pattern]

    def next_to(self, command: Command, step: int = 1) -> Command | None:
        """The command behind one, or before it."""
        index = command.index + step
        return self.commands[index] if 0 <= index < len(self.commands) else None

    def behind_pipe(self, command: Command) -> list[Command]:
        """Commands that a command's output goes through."""
        found = []
        last: Command | None = command
        while last is not None and last.after == "|":
            last = self.next_to(last)
            if last is not None:
                found.append(last)
        return found

"""What stands in a Dockerfile."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from layerwright.lint.source import Piece, Source

__all__ = ["Dockerfile", "Fault", "FaultKind", "Flag", "Heredoc", "Instruction"]

FaultKind = Literal["heredoc", "instruction", "empty", "comment", "end", "first", "nothing"]
"""``heredoc``: it never ends. ``instruction``: no such word. ``empty``: an empty line after a continuation.
``comment``: something stands after the backslash. ``end``: the file ends after a continuation. ``first``: something
stands before FROM. ``nothing``: no instruction at all."""


class Heredoc(Struct, frozen=True, kw_only=True):
    """A here-document of RUN, COPY or ADD.

    Attributes:
        name: word that ends it.
        expand: variables are put in (its word was not quoted).
        body: its lines; leading tabs are gone after ``<<-``.
    """

    name: str
    expand: bool
    body: Piece


class Flag(Struct, frozen=True, kw_only=True):
    """``--name=value`` before an instruction's arguments; places count in the instruction's ``piece``."""

    name: str
    value: str
    start: int
    stop: int


class Instruction(Struct, frozen=True, kw_only=True):
    """One instruction, its lines joined.

    Attributes:
        keyword: in capitals.
        start: where it begins in the file.
        line, end_line: its lines, 1-based; with its here-documents.
        piece: what follows the keyword.
        flags: of ``piece``.
        rest: what follows the flags.
        words: its JSON form; None for the other.
        heredocs: in order.
        comments: texts of the comment lines above it, without an empty line between.
        inner: what ONBUILD puts off.
    """

    keyword: str
    start: int
    line: int
    end_line: int
    piece: Piece
    flags: tuple[Flag, ...] = ()
    rest: Piece
    words: tuple[str, ...] | None = None
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[str, ...] = ()
    inner: "Instruction | None" = None

    def flag(self, name: str) -> Flag | None:
        """The flag of that name; the last one counts."""
        return next((flag for flag in reversed(self.flags) if flag.name == name), None)

    def value(self, name: str) -> str:
        """Value of a flag, empty without it."""
        flag = self.flag(name)
        return flag.value if flag else ""


class Fault(Struct, frozen=True, kw_only=True):
    """Something that Docker refuses or will refuse."""

    kind: FaultKind
    start: int
    text: str


class Dockerfile(Struct, frozen=True, kw_only=True):
    r"""A whole file.

    Attributes:
        source: its text.
        instructions: in order.
        directives: value and place of ``# syntax=``, ``# escape=``, ``# check=``.
        escape: ``\`` or a backtick.
        faults: what Docker stumbles over.
    """

    source: Source
    instructions: tuple[Instruction, ...]
    directives: Mapping[str, tuple[str, int]]
    escape: str
    faults: tuple[Fault, ...]

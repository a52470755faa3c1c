"""Reads a Dockerfile by the rules of BuildKit's own reader.

Source: github.com/moby/buildkit, ``frontend/dockerfile/parser`` (``parser.go``, ``line_parsers.go``,
``split_command.go``). It refuses nothing: what Docker would refuse becomes a ``Fault``, and reading goes on.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

from layerwright.lint.dockerfile.model import Dockerfile, Fault, Flag, Heredoc, Instruction
from layerwright.lint.dockerfile.words import split_words, unquoted
from layerwright.lint.source import Piece, Source

__all__ = ["KEYWORDS", "read_dockerfile"]

KEYWORDS: Final = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_JSON = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"})
_WITH_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})
_HEREDOC = re.compile(r"(\d*)<<(-?)([^<]*)")
_FLAG = re.compile(r"--(?:\S*=\"[^\"]*\"|\S)\S*")
_SPACE = " \t\v\f\r"


class _Reader:
    """Goes through the lines once."""

    def __init__(self, source: Source, first: int, last: int) -> None:
        self.source = source
        self.escape = "\\"
        self.directives: dict[str, tuple[str, int]] = {}
        self.faults: list[Fault] = []
        self._line = first
        self._last = last
        self._head = True

    def read(self) -> Iterator[Instruction]:
        comments: list[str] = []
        while self._line <= self._last:
            start, text = self._take()
            stripped = text.lstrip()
            if stripped.startswith("#"):
                self._directive(stripped, start)
                comments.append(stripped[1:].strip())
                continue
            self._head = False
            if not stripped:
                comments = []
                continue
            first = self._line - 1
            piece = self._joined(start + len(text) - len(stripped), stripped)
            if piece.text.strip():
                yield self._instruction(piece, first, tuple(comments))
            comments = []

    def _take(self) -> tuple[int, str]:
        """The next line and where it begins."""
        line, self._line = self._line, self._line + 1
        start, text = self.source.line_start(line), self.source.line_text(line)
        if line == 1 and text.startswith("\ufeff"):
            return start + 1, text[1:]
        return start, text

    def _directive(self, text: str, start: int) -> None:
        found = _DIRECTIVE.fullmatch(text) if self._head else None
        name = found[1].lower() if found else ""
        if found is None or name not in _DIRECTIVES or name in self.directives:
            self._head = False
            return
        self.directives[name] = (found[2], start)
        if name == "escape" and found[2] in {"\\", "`"}:
            self.escape = found[2]

    def _continued(self, text: str) -> str | None:
        """The line without its continuation; None when it has none."""
        bare = text.rstrip(" \t")
        if not bare.endswith(self.escape) or bare.endswith(self.escape * 2):
            return None
        return bare[:-1]

    def _joined(self, start: int, text: str) -> Piece:
        """A line with those that continue it; comments and empty lines among them are left out."""
        parts = []
        while True:
            self._comment_behind(start, text)
            bare = self._continued(text)
            parts.append((start, text if bare is None else bare))
            if bare is None:
                break
            following = self._following()
            if following is None:
                self.faults.append(Fault(kind="end", start=start + len(bare), text=text))
                break
            start, text = following
        return Piece.joined(self.source, parts)

    def _following(self) -> tuple[int, str] | None:
        empty = None
        while self._line <= self._last:
            start, text = self._take()
            stripped = text.lstrip()
            if stripped.startswith("#"):
                continue
            if not stripped:
                empty = start if empty is None else empty
                continue
            if empty is not None:
                self.faults.append(Fault(kind="empty", start=empty, text=text))
            return start, text
        return None

    def _comment_behind(self, start: int, text: str) -> None:
        found = re.search(re.escape(self.escape) + r"[ \t]+#.*$", text)
        if found:
            self.faults.append(Fault(kind="comment", start=start + found.start(), text=text))

    def _instruction(self, line: Piece, first: int, comments: tuple[str, ...]) -> Instruction:
        word = re.match(r"\S+", line.text)
        keyword = word[0].upper() if word else ""
        piece = line.part(len(keyword)).stripped()
        if keyword not in KEYWORDS:
            self.faults.append(Fault(kind="instruction", start=line.at(0), text=line.text))
        flags, rest = _flags(piece)
        inner = None
        words = _json(rest.text) if keyword in _JSON else None
        heredocs: tuple[Heredoc, ...] = ()
        if keyword == "ONBUILD":
            inner = self._instruction(rest, first, comments) if rest.text else None
            heredocs = inner.heredocs if inner else ()
        elif keyword in _WITH_HEREDOCS and words is None and "<<" in rest.text:
            heredocs = self._heredocs(rest)
        return Instruction(
            keyword=keyword,
            start=line.at(0),
            line=first,
            end_line=self._line - 1,
            piece=piece,
            flags=flags,
            rest=rest,
            words=words,
            heredocs=heredocs,
            comments=comments,
            inner=inner,
        )

    def _heredocs(self, rest: Piece) -> tuple[Heredoc, ...]:
        found = []
        for start, stop in split_words(rest.text, self.escape):
            match = _HEREDOC.fullmatch(rest.text[start:stop])
            if match is None or not match[3]:
                continue
            name = unquoted(match[3], self.escape)
            body = self._body(name, tabs=bool(match[2]), start=rest.at(start))
            found.append(Heredoc(name=name, expand=name == match[3], body=body))
        return tuple(found)

    def _body(self, name: str, *, tabs: bool, start: int) -> Piece:
        parts = []
        while self._line <= self._last:
            begin, text = self._take()
            shown = text.lstrip("\t") if tabs else text
            if shown == name:
                break
            begin += len(text) - len(shown)
            parts.append((begin, shown))
            # The line feed stands behind the line, and behind the carriage return of a file from Windows.
            parts.append(
                (self.source.line_start(self._line) - 1 if self._line <= self._last else begin, "\n")
            )
        else:
            self.faults.append(Fault(kind="heredoc", start=start, text=name))
        return Piece.joined(self.source, parts)


def read_dockerfile(source: Source, block: Piece | None = None) -> Dockerfile:
    """Read a Dockerfile: the whole file, or whole lines of it."""
    first, last = 1, source.line_count
    if block is not None:
        first = source.line_of(block.at(0))
        last = min(last, source.line_of(block.at(len(block.text) - 1))) if block.text else first - 1
    reader = _Reader(source, first, last)
    instructions = tuple(reader.read())
    faults = reader.faults
    if not instructions:
        faults.append(Fault(kind="nothing", start=0, text=""))
    for instruction in instructions:
        if instruction.keyword in KEYWORDS:
            if instruction.keyword not in {"FROM", "ARG"}:
                faults.append(Fault(kind="first", start=instruction.start, text=instruction.keyword))
            if instruction.keyword != "ARG":
                break
    return Dockerfile(
        source=source,
        instructions=instructions,
        directives=reader.directives,
        escape=reader.escape,
        faults=tuple(faults),
    )


def _flags(piece: Piece) -> tuple[tuple[Flag, ...], Piece]:
    """Flags before the arguments, and the arguments."""
    flags = []
    position = 0
    while found := _FLAG.match(piece.text, position):
        name, _, value = found[0][2:].partition("=")
        if not name:  # "--" alone ends the flags
            position = found.end()
            break
        flags.append(
            Flag(name=name.lower(), value=unquoted(value, ""), start=found.start(), stop=found.end())
        )
        position = found.end()
        while position < len(piece.text) and piece.text[position] in _SPACE:
            position += 1
    return tuple(flags), piece.part(position)


def _json(text: str) -> tuple[str, ...] | None:
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, list) and all(isinstance(item, str) for item in found):
        return tuple(found)
    return None

"""Blocks of shell and Dockerfile text in Markdown pages."""

import re
from collections.abc import Iterator
from typing import Literal

from layerwright.lint.source import Piece

__all__ = ["page_blocks"]

_FENCE = re.compile(r"(?m)^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w.+-]*)[^\n]*\n")
_SHELLS = frozenset({"sh", "bash", "shell", "zsh"})
_SESSIONS = frozenset({"console", "shell-session", "shellsession", "terminal"})
_DOCKERFILES = frozenset({"dockerfile", "docker", "containerfile"})


def page_blocks(page: Piece) -> Iterator[tuple[Literal["dockerfile", "shell"], Piece]]:
    """Fenced blocks by their language; of console sessions only what was typed."""
    position = 0
    while found := _FENCE.search(page.text, position):
        fence = found["fence"]
        end = re.compile(rf"(?m)^[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$").search(
            page.text, found.end()
        )
        stop = end.start() if end else len(page.text)
        position = end.end() if end else len(page.text)
        language = found["language"].lower()
        block = page.part(found.end(), stop)
        if language in _DOCKERFILES:
            yield "dockerfile", block
        elif language in _SESSIONS or (language in _SHELLS and block.text.lstrip().startswith("$ ")):
            yield "shell", _typed(block)
        elif language in _SHELLS:
            yield "shell", block


def _typed(block: Piece) -> Piece:
    """Lines behind a prompt, with those that continue them."""
    parts: list[tuple[int, str]] = []
    begin, continued = 0, False
    for line in block.text.splitlines(keepends=True):
        prompt = re.match(r"\s*[$#%>] ", line)
        if prompt or continued:
            skip = prompt.end() if prompt and not continued else 0
            parts.append((block.at(begin + skip), line[skip:]))
            continued = line.rstrip("\n").endswith("\\")
        else:
            continued = False
        begin += len(line)
    return Piece.joined(block.source, parts)

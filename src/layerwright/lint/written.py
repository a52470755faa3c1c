"""Files that a RUN writes with text of its own: ``printf … > FILE``, ``echo``, ``cat > FILE <<EOF``, ``tee``."""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from layerwright.lint.dockerfile.words import expand
from layerwright.lint.shell import Command, Script, Word
from layerwright.lint.source import Piece

__all__ = ["Written", "written_files"]

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "0": "\0", "a": "\a"}
_VERB = re.compile(r"%%|%[sb]")


class Written(Struct, frozen=True, kw_only=True):
    """A file of the image and its text."""

    path: str
    piece: Piece


def written_files(script: Script, variables: Mapping[str, str | None]) -> Iterator[Written]:
    """Files that the script writes; appended parts of one file make one text."""
    texts: dict[str, list[tuple[int, str]]] = {}
    for command in script.commands:
        target = next((one for one in command.redirects if one.operator in {">", ">>", ">|"}), None)
        path = target.target if target else ""
        if command.program == "tee" and command.texts:
            path = next((text for text in command.texts if not text.startswith("-")), "")
        path = expand(path, variables).text
        parts = list(_parts(command))
        if not path or path.startswith("/dev/") or not parts:
            continue
        if target is None or target.operator != ">>":
            texts[path] = []
        texts.setdefault(path, []).extend(parts)
    for path, parts in texts.items():
        yield Written(path=path, piece=Piece.joined(script.piece.source, parts))


def _parts(command: Command) -> Iterator[tuple[int, str]]:
    body = next((one.body for one in command.redirects if one.body is not None), None)
    if body is not None and command.program in {"cat", "tee"}:
        for index, (here, there) in enumerate(body.origins):
            stop = body.origins[index + 1][0] if index + 1 < len(body.origins) else len(body.text)
            yield there, body.text[here:stop]
    elif command.program == "echo":
        yield from _echo(command)
    elif command.program == "printf" and command.arguments:
        yield from _printf(command)


def _echo(command: Command) -> Iterator[tuple[int, str]]:
    words = list(command.arguments)
    escapes = False
    newline = True
    while words and words[0].text in {"-e", "-n", "-ne", "-en", "-E"}:
        escapes = escapes or "e" in words[0].text
        newline = newline and "n" not in words[0].text
        words.pop(0)
    for index, word in enumerate(words):
        if index:
            yield command.piece.at(word.start) - 1, " "
        # dash's echo obeys backslashes without -e, and that is the /bin/sh of Debian and Ubuntu.
        yield from _placed(command, word, escapes=escapes or "\\n" in word.text)
    if newline:
        yield command.piece.at(max(command.stop - 1, 0)), "\n"


def _printf(command: Command) -> Iterator[tuple[int, str]]:
    form, *values = command.arguments
    verbs = len([one for one in _VERB.findall(form.text) if one != "%%"])
    if not verbs or not values:
        yield from _placed(command, form, escapes=True)
        return
    line_feed = form.text.endswith("\\n")
    for word in values:
        yield from _placed(command, word, escapes="%b" in form.text)
        if line_feed:
            yield command.piece.at(max(word.stop - 1, 0)), "\n"


def _placed(command: Command, word: Word, *, escapes: bool) -> Iterator[tuple[int, str]]:
    """Parts of a word with their places in the file."""
    for start, text in word.parts:
        place = command.piece.at(start)
        if not escapes or "\\" not in text:
            yield from _runs(command.piece, start, text)
            continue
        at = 0
        for found in re.finditer(r"\\(.)", text, re.DOTALL):
            made = _ESCAPES.get(found[1], found[0])
            yield from _runs(command.piece, start + at, text[at : found.start()])
            yield place if not start else command.piece.at(start + found.start()), made
            at = found.end()
        yield from _runs(command.piece, start + at, text[at:])


def _runs(piece: Piece, start: int, text: str) -> Iterator[tuple[int, str]]:
    """A stretch of the piece, cut where the file has something between."""
    if not text:
        return
    part = piece.part(start, start + len(text))
    if part.text != text:  # an escape's value: one place for all
        yield piece.at(start), text
        return
    for index, (here, there) in enumerate(part.origins):
        stop = part.origins[index + 1][0] if index + 1 < len(part.origins) else len(text)
        yield there, text[here:stop]

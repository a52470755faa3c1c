"""A Dockerfile as BuildKit reads it: instructions, words, JSON forms; written from its sources, not from ours.

``frontend/dockerfile/parser/{parser,line_parsers}.go`` and ``frontend/dockerfile/shell/lex.go``.
"""

import json
import re
from collections.abc import Iterator, Mapping

_CONTINUED = re.compile(r"\\[ \t]*$")
_FLAG = re.compile(r"--\S+\s+")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Name and rest of each instruction, continued lines joined, comments left out."""
    pending = ""
    for raw in text.split("\n"):
        line = raw.removesuffix("\r")
        if re.match(r"[ \t]*#", line) or (pending and not line.strip()):
            continue
        line = line if pending else line.lstrip()
        if _CONTINUED.search(line):
            pending += _CONTINUED.sub("", line)
            continue
        whole, pending = pending + line, ""
        if whole.strip():
            name, _, rest = whole.partition(" ")
            yield name.upper(), rest.strip(" \t")
    assert not pending


def without_flags(rest: str) -> str:
    """What follows the ``--flags`` of an instruction."""
    while found := _FLAG.match(rest):
        rest = rest[found.end() :]
    return rest


def list_of(rest: str) -> list[str]:
    """The JSON form of an instruction."""
    found = json.loads(without_flags(rest))
    assert isinstance(found, list)
    assert all(isinstance(item, str) for item in found)
    return found


def pairs(rest: str, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """``name=value`` words of ENV and LABEL, expanded."""
    for word in _words(rest):
        name, sign, value = word.partition("=")
        assert sign, word
        yield expanded(name, variables), expanded(value, variables)


def _words(rest: str) -> Iterator[str]:
    """``parseWords``: blanks part words unless they are quoted or escaped."""
    word, quote, index = "", "", 0
    while index < len(rest):
        sign = rest[index]
        if not quote and sign in " \t":
            if word:
                yield word
            word = ""
        elif sign == "\\" and quote != "'":
            word += rest[index : index + 2]
            index += 1
        else:
            if quote == sign:
                quote = ""
            elif not quote and sign in "\"'":
                quote = sign
            word += sign
        index += 1
    assert not quote
    if word:
        yield word


def expanded(word: str, variables: Mapping[str, str]) -> str:
    """``ProcessWord``: quotes taken away, variables put in."""
    made, quote, index = "", "", 0
    while index < len(word):
        sign = word[index]
        if sign == quote:
            quote = ""
        elif not quote and sign in "\"'":
            quote = sign
        elif sign == "\\" and quote != "'":
            index += 1
            following = word[index] if index < len(word) else ""
            # In double quotes a backslash escapes only these.
            made += following if not quote or following in '"$\\' else sign + following
        elif sign == "$" and quote != "'":
            found = re.match(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})", word[index:])
            assert found, word
            name = found[1] or found[2]
            made += variables.get(name) or found[3] or ""
            index += found.end() - 1
        else:
            made += sign
        index += 1
    assert not quote
    return made


def pattern_text(pattern: str) -> str:
    """The one text that a pattern of ``filepath.Match`` stands for; fails when there are several."""
    text, index = "", 0
    while index < len(pattern):
        sign = pattern[index]
        assert sign not in "*?\\", (
            pattern
        )  # a bare backslash is kept by BuildKit where nothing else is a pattern
        if sign == "[":
            inside = re.match(r"\[(?:\\(.)|([^\\\]]))\]", pattern[index:], re.DOTALL)
            assert inside, pattern
            text += inside[1] or inside[2]
            index += inside.end() - 1
        else:
            text += sign
        index += 1
    return text

"""Words of ENV, ARG, LABEL and COPY, and the variables in them.

Source: github.com/moby/buildkit, ``frontend/dockerfile/parser/line_parsers.go`` (words) and
``frontend/dockerfile/shell/lex.go`` (variables).
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

__all__ = ["Expanded", "NameValue", "expand", "name_values", "split_words", "unquoted"]

_VARIABLE = re.compile(
    r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*|\d)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<rest>[^}]*)\})"
)


class Expanded(Struct, frozen=True, kw_only=True):
    """A word with its variables put in; those in ``unknown`` stand there as they were written."""

    text: str
    unknown: tuple[str, ...] = ()


class NameValue(Struct, frozen=True, kw_only=True):
    """``name=value``, raw, with its place; ``value`` is None for an ARG without one."""

    name: str
    value: str | None
    start: int
    stop: int
    value_start: int


def split_words(text: str, escape: str = "\\") -> Iterator[tuple[int, int]]:
    """Begin and end of each word: blanks part words unless they are quoted or escaped."""
    quote, begin, index = "", -1, 0
    while index < len(text):
        sign = text[index]
        if not quote and sign.isspace():
            if begin >= 0:
                yield begin, index
            begin = -1
        else:
            begin = index if begin < 0 else begin
            if sign == escape and quote != "'":
                index += 1
            elif sign == quote:
                quote = ""
            elif not quote and sign in "\"'":
                quote = sign
        index += 1
    if begin >= 0:
        yield begin, len(text)


def name_values(keyword: str, text: str, escape: str = "\\") -> tuple[NameValue, ...]:
    """What ENV, LABEL and ARG set; ENV and LABEL have an old form, ``NAME everything else``."""
    words = list(split_words(text, escape))
    if not words:
        return ()
    first = text[words[0][0] : words[0][1]]
    if keyword != "ARG" and "=" not in first:
        start = words[1][0] if len(words) > 1 else len(text)
        return (
            NameValue(
                name=unquoted(first, escape), value=text[start:], start=0, stop=len(text), value_start=start
            ),
        )
    found = []
    for start, stop in words:
        name, sign, value = text[start:stop].partition("=")
        found.append(
            NameValue(
                name=unquoted(name, escape),
                value=value if sign else None,
                start=start,
                stop=stop,
                value_start=start + len(name) + len(sign),
            )
        )
    return tuple(found)


def unquoted(word: str, escape: str = "\\") -> str:
    """The word without its quotes; variables stay as they stand."""
    return expand(word, None, escape).text


def expand(word: str, variables: Mapping[str, str | None] | None, escape: str = "\\") -> Expanded:
    """Take quotes away and put variables in.

    Args:
        word: as it stands in the file.
        variables: values by name; None for a value that nobody knows here. Absent ones are empty, as in BuildKit.
            None in place of the mapping leaves all variables as they stand.
        escape: the file's escape character; empty for none.
    """
    made: list[str] = []
    unknown: list[str] = []
    quote, index = "", 0
    while index < len(word):
        sign = word[index]
        if sign == quote:
            quote = ""
        elif not quote and sign in "\"'":
            quote = sign
        elif escape and sign == escape and quote != "'":
            index += 1
            following = word[index : index + 1]
            # In double quotes only these can be escaped.
            made.append(following if not quote or following in ('"', "$", escape) else sign + following)
        elif (
            sign == "$" and quote != "'" and variables is not None and (found := _VARIABLE.match(word, index))
        ):
            value, missing = _value(found, variables, escape)
            made.append(found[0] if value is None else value)
            unknown += missing
            index = found.end() - 1
        else:
            made.append(sign)
        index += 1
    return Expanded(text="".join(made), unknown=tuple(unknown))


def _value(
    found: re.Match[str], variables: Mapping[str, str | None], escape: str
) -> tuple[str | None, tuple[str, ...]]:
    """Value of one variable, None when it cannot be told, and the names that are to blame."""
    name = found["bare"] or found["name"]
    rest = found["rest"] or ""
    value = variables.get(name, "")
    if not rest:
        return (value, () if value is not None else (name,))
    operator = re.match(r":?[-+?]", rest)
    if operator is None or value is None:
        # Cutting patterns off (#, %, /) is rare; what is unknown stays unknown.
        return None, (name,)
    word = expand(rest[operator.end() :], variables, escape)
    there = bool(value) if operator[0].startswith(":") else name in variables
    if operator[0].endswith("+"):
        return (word.text if there else "", word.unknown if there else ())
    if there or operator[0].endswith("?"):
        return value, ()
    return word.text, word.unknown

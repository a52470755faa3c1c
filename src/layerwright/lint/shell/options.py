"""Options and operands of a command line."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from layerwright.lint.shell.model import Word

__all__ = ["Option", "Parsed", "parse_options"]


class Option(Struct, frozen=True, kw_only=True):
    """An option.

    Attributes:
        name: with its hyphens.
        word: the word it stands in.
        value: empty for none.
        value_word: the word that holds the value; ``word`` itself for ``--name=value``; None for none.
    """

    name: str
    word: Word
    value: str = ""
    value_word: Word | None = None


class Parsed(Struct, frozen=True, kw_only=True):
    """A command line taken apart."""

    options: tuple[Option, ...]
    operands: tuple[Word, ...]

    def first(self, *names: str) -> Option | None:
        """The first option that has one of these names."""
        return next((option for option in self.options if option.name in names), None)

    def every(self, *names: str) -> Iterator[Option]:
        """All options that have one of these names."""
        return (option for option in self.options if option.name in names)

    def has(self, *names: str) -> bool:
        """One of these is given."""
        return self.first(*names) is not None


def parse_options(words: Sequence[Word], with_value: frozenset[str], *, operand_ends: bool = False) -> Parsed:
    """Take a command line apart as getopt does.

    Args:
        words: what follows the program, or its verb.
        with_value: options that take a value, ``-o`` and ``--output``.
        operand_ends: the first operand ends the options, as in ``docker run``.
    """
    options: list[Option] = []
    operands: list[Word] = []
    index = 0
    while index < len(words):
        word = words[index]
        text = word.text
        index += 1
        if text == "--":
            operands += words[index:]
            break
        if not text.startswith("-") or text == "-":
            operands.append(word)
            if operand_ends:
                operands += words[index:]
                break
            continue
        taken = _long(word) if text.startswith("--") else _short(word, with_value)
        *rest, last = taken
        if last.value_word is None and last.name in with_value and index < len(words):
            last = Option(name=last.name, word=word, value=words[index].text, value_word=words[index])
            index += 1
        options += [*rest, last]
    return Parsed(options=tuple(options), operands=tuple(operands))


def _long(word: Word) -> list[Option]:
    name, sign, value = word.text.partition("=")
    return [Option(name=name, word=word, value=value, value_word=word if sign else None)]


def _short(word: Word, with_value: frozenset[str]) -> list[Option]:
    """``-abc`` is three options, unless one of them takes a value: that is then the rest."""
    found = []
    text = word.text
    for index, sign in enumerate(text[1:], 1):
        name = f"-{sign}"
        rest = text[index + 1 :]
        if name in with_value and rest:
            found.append(Option(name=name, word=word, value=rest.removeprefix("="), value_word=word))
            break
        found.append(Option(name=name, word=word))
    return found

"""Command lines of the container scripts: words → values, as getopt reads them, but for what it takes in silence.

getopt (util-linux) takes ``--mccl_url --torch_whl_url ADDRESS``, what a variable that was not set leaves, for a value
called ``--torch_whl_url``. Here a value that looks like an option is none.
"""

from collections.abc import Mapping, Sequence

from layerwright.core.errors import Problem
from layerwright.core.source import Location
from layerwright.spec.faults import nearest
from layerwright.spec.musa.options import MISSPELT, Option
from layerwright.spec.musa.said import COMMAND_LINE, Value

__all__ = ["WrongWordError", "read_arguments"]


class WrongWordError(Exception):
    """A word of the command line that cannot be; ``problem`` tells which and how to mend it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def read_arguments(table: Sequence[Option], words: Sequence[str]) -> dict[str, Value]:
    """What a command line gives, by field.

    Args:
        table: the options that there are.
        words: the command line after the command's name.

    Raises:
        WrongWordError: the first word that is wrong.
    """
    known = {name: option for option in table for name in (option.short, option.long) if name}
    values: dict[str, Value] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--" and not left:
            break
        if not word.startswith("-") or word in {"-", "--"}:
            raise _wrong(
                word,
                f"nothing takes the word {ascii(word) if not _is_text(word) else repr(word)}",
                "quote values that hold blanks; every value has an option",
            )
        name, equals, attached = _split(word)
        option = known.get(name)
        if option is None:
            raise _unknown(name, known)
        if not option.metavar:
            if equals and name == option.long:
                raise _wrong(option.long, f"{option.name} takes no value", f"write {name}")
            if equals and attached:
                left.insert(0, f"-{attached}")  # -rn NAME
            values[option.field] = True
            continue
        if not equals:
            attached = _next(option, left)
        _put(values, option, attached)
    return values


def _split(word: str) -> tuple[str, str, str]:
    """An option, a sign that a value is attached to it, and the value: ``--name=x``, ``-nx``."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, equals, value
    return word[:2], word[2:3], word[2:]


def _next(option: Option, left: list[str]) -> str:
    hint = "a variable that is not set, without quotes, leaves nothing"
    if option.long == "--mccl_url":
        hint += "; for S80 and S3000, which have no MCCL, say so: --without mccl"
    if not left:
        raise _wrong(option.long, f"{option.name} has no value", hint)
    if left[0].startswith("-") and len(left[0]) > 1:
        raise _wrong(option.long, f"{option.name} has no value: {left[0].partition('=')[0]} follows it", hint)
    return left.pop(0)


def _put(values: dict[str, Value], option: Option, value: str) -> None:
    if not _is_text(value):
        raise _wrong(option.long, f"{option.name} is no UTF-8 text: {value!a}", "a spec is; rename the file")
    before = values.get(option.field)
    if option.many:
        values[option.field] = (*(before if isinstance(before, tuple) else ()), value)
        return
    if before is not None and before != value:
        raise _wrong(
            option.long,
            f"{option.name} is given twice, as {before!r} and as {value!r}",
            "leave one of the two out",
        )
    values[option.field] = value


def _is_text(value: str) -> bool:
    """Whether it can be written down: bytes of the command line that are no UTF-8 come as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unknown(name: str, known: Mapping[str, Option]) -> WrongWordError:
    if name in MISSPELT:
        right = known.get(MISSPELT[name])
        if right is not None:
            return _wrong(
                name,
                f"{name} is a slip of the scripts' parsers, which no document names",
                f"write {right.name}",
            )
    near = nearest(name.replace("-", "_").replace("__", "--", 1) if name.startswith("--") else name, known)
    return _wrong(
        name,
        f"there is no option {name}",
        f"did you mean {near}?" if near else "-h lists the options that there are",
    )


def _wrong(name: str, what: str, hint: str) -> WrongWordError:
    return WrongWordError(Problem(what=what, where=Location(file=COMMAND_LINE, key=name), hint=hint))

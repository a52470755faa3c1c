"""Faults found while a spec is read, and the error they become: all at once, in file order, with positions."""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from layerwright.core.addresses import MASK, mask_credentials
from layerwright.core.errors import Problem, SpecError
from layerwright.core.source import Location

__all__ = ["Fault", "KeyPath", "format_key", "hide_credentials", "nearest", "parse_key", "spec_error"]

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of the file."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PART = re.compile(r'\.?(?:(?P<bare>[A-Za-z0-9_-]+)|"(?P<quoted>(?:[^"\\]|\\.)*)"|\[(?P<position>[0-9]+)\])')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# The user part of an address up to its last @, greedy: in a faulty file a password may hold characters that no
# address can, and must not show either.
_USER_AND_PASSWORD = re.compile(r"""://[^"'\n@]*:[^"'\n]*@""")


class Fault(Struct, frozen=True):
    """One fault, before its place in the file is known.

    Attributes:
        path: the key or list entry at fault, from the top of the spec.
        what: what is wrong, a sentence without a full stop.
        hint: how to mend it.
        at_key: True points at the key, False at its value.
        quote: the value should have been text: the hint shows it as written, in quotes.
    """

    path: KeyPath
    what: str
    hint: str = ""
    at_key: bool = False
    quote: bool = False


def format_key(path: KeyPath) -> str:
    """Dotted key of a path, such as ``images.infer.packages[2]``; ``parse_key`` reads it back."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        if not _BARE.fullmatch(part):
            part = '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'  # noqa: PLW2901 - quoted form
        text += f".{part}" if text else part
    return text


def parse_key(text: str) -> KeyPath:
    """Path of a dotted key that ``format_key`` wrote."""
    parts: list[str | int] = []
    for match in _PART.finditer(text):
        if match["position"] is not None:
            parts.append(int(match["position"]))
        elif match["bare"] is not None:
            parts.append(match["bare"])
        else:
            parts.append(_ESCAPED.sub(r"\1", match["quoted"]))
    return tuple(parts)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like this one; empty when none is near."""
    import difflib  # noqa: PLC0415 - start-up

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")


def hide_credentials(text: str) -> str:
    """The text of a faulty line with what is, or may be, a credential in an address masked."""
    return _USER_AND_PASSWORD.sub(f"://{MASK}@", mask_credentials(text))


def spec_error(
    faults: list[Fault],
    *,
    file: str,
    text: str,
    prefix: KeyPath = (),
    said: Sequence[tuple[KeyPath, str]] = (),
) -> SpecError:
    """The error that reports the faults.

    Args:
        faults: at least one.
        file: path as the user gave it.
        text: the file's content, without a byte order mark.
        prefix: where in the file the spec begins: ``("tool", "layerwright")`` in pyproject.toml.
        said: keys that were set on the command line, with what was said there: their faults do not lie in the file.
    """
    from layerwright.spec.positions import Positions  # noqa: PLC0415 - start-up: only a faulty file needs it

    positions = Positions(text)
    problems = []
    for fault in dict.fromkeys(faults):
        path = prefix + fault.path
        given = next((words for key, words in said if fault.path[: len(key)] == key), "")
        if given:
            where = Location(file=hide_credentials(given), key=format_key(path))
            problems.append(
                Problem(what=hide_credentials(fault.what), where=where, hint=hide_credentials(fault.hint))
            )
            continue
        line, column = positions.key(path) if fault.at_key else positions.value(path)
        hint = fault.hint
        if fault.quote and (written := positions.written(path)):
            hint = f'write it in quotes: "{written}"'
        where = Location(
            file=file,
            line=line,
            column=column,
            key=format_key(path),
            text=hide_credentials(positions.line(line)),
        )
        problems.append(Problem(what=hide_credentials(fault.what), where=where, hint=hide_credentials(hint)))
    problems.sort(key=lambda problem: (problem.where.line, problem.where.column))
    return SpecError(problems)

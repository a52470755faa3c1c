"""Any text into a Dockerfile, so that it comes out as it went in.

Rules: BuildKit's ``frontend/dockerfile/parser`` (lines, the backslash as escape) and ``shell/lex.go`` (words: quotes
and ``$`` are expanded in ENV, LABEL, WORKDIR, COPY; not in RUN, CMD, ENTRYPOINT).
"""

import json
from collections.abc import Sequence

from layerwright.core.errors import BuildError

__all__ = ["argv", "paths", "word"]

_SPECIAL = str.maketrans({character: "\\" + character for character in '\\"$'})
_BARE_SPECIAL = str.maketrans({character: "\\" + character for character in "\\\"'$"})


def word(text: str, *, what: str) -> str:
    """A value for ENV, LABEL or WORKDIR, in double quotes.

    Raises:
        BuildError: it holds a line end or NUL, which a Dockerfile without heredocs (before 1.4) cannot hold.
    """
    _refuse(text, what, "\n\r\0")
    return '"' + text.translate(_SPECIAL) + '"'


def paths(*texts: str, what: str) -> str:
    """Sources and destination of COPY or ADD, in the JSON form; unlike argv these are expanded.

    Raises:
        BuildError: as for ``word``.
    """
    for text in texts:
        _refuse(text, what, "\n\r\0")
    return json.dumps([text.translate(_BARE_SPECIAL) for text in texts], ensure_ascii=False)


def argv(arguments: Sequence[str], *, what: str) -> str:
    """Arguments of RUN, CMD or ENTRYPOINT in the JSON form, which nothing expands.

    Raises:
        BuildError: one holds NUL.
    """
    for text in arguments:
        _refuse(text, what, "\0")
    # ASCII keeps separators such as U+2028 out of the lines; a backslash before the last line end would join lines.
    return json.dumps(list(arguments))


def _refuse(text: str, what: str, characters: str) -> None:
    for character in characters:
        if character in text:
            raise BuildError(
                f"{what} holds {character!a}, which a Dockerfile cannot express: {text[:80]!r}",
                hint="build natively, or set it in the program that starts",
            )

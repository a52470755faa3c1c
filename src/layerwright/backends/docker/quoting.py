"""Any text into a Dockerfile, so that it comes out as it went in.

Rules: BuildKit's ``frontend/dockerfile/parser`` (lines, the backslash as escape) and ``shell/lex.go`` (words: quotes
and ``$`` are expanded in ENV, LABEL, WORKDIR, COPY; not in RUN, CMD, ENTRYPOINT).
"""

import json
import re
import shlex
from collections.abc import Sequence

from layerwright.core.errors import BuildError
from layerwright.oci.config import HEALTH_INTERVAL, HEALTH_RETRIES, HEALTH_TIMEOUT

__all__ = ["argv", "comment", "health_check", "label", "paths", "shell_word", "sources", "word"]

_SPECIAL = str.maketrans({character: "\\" + character for character in '\\"$'})
_PATTERN = re.compile(r"[*?\[\\]")
_CLASSES = {"*": "[*]", "?": "[?]", "[": "[[]", "\\": "[\\\\]"}
_BARE_SPECIAL = str.maketrans({character: "\\" + character for character in "\\\"'$"})


def word(text: str, *, what: str) -> str:
    """A value for ENV, LABEL or WORKDIR, in double quotes.

    Raises:
        BuildError: it holds a line end or NUL, which a Dockerfile without heredocs (before 1.4) cannot hold.
    """
    _refuse(text, what, "\n\r\0")
    return '"' + text.translate(_SPECIAL) + '"'


def label(name: str, value: str) -> str:
    """``NAME=VALUE`` of LABEL.

    Raises:
        BuildError: as for ``word``, and when the name holds ``=``, at which the parser cuts before it looks for quotes.
    """
    _refuse(name, "a label", "=")
    return f"{word(name, what='a label')}={word(value, what=f'the label {name}')}"


def paths(*texts: str, what: str) -> str:
    """Sources and destination of COPY or ADD, in the JSON form; unlike argv these are expanded.

    Raises:
        BuildError: as for ``word``.
    """
    for text in texts:
        _refuse(text, what, "\n\r\0")
    return json.dumps([text.translate(_BARE_SPECIAL) for text in texts], ensure_ascii=False)


def sources(*texts: str, what: str) -> tuple[str, ...]:
    """Sources of COPY as ``paths`` takes them, so that they mean themselves: COPY reads them as patterns.

    Go's ``filepath.Match`` gives ``*``, ``?``, ``[`` and the backslash a meaning. A class of one takes it away; a
    backslash does not, since without a pattern BuildKit keeps it (fsutil, ``copy.containsWildcards``).

    Raises:
        BuildError: as for ``word``.
    """
    for text in texts:
        _refuse(text, what, "\n\r\0")
    return tuple(_PATTERN.sub(lambda found: _CLASSES[found[0]], text) for text in texts)


def shell_word(text: str, *, what: str) -> str:
    """A word of a command in RUN's shell form, which only the shell expands.

    Raises:
        BuildError: as for ``word``.
    """
    _refuse(text, what, "\n\r\0")
    return shlex.quote(text)


def comment(text: str) -> list[str]:
    """Comment lines, one for each line of the text; whatever would end a line elsewhere becomes a blank."""
    lines = re.sub(r"[\r\0\v\f\x1c-\x1e\x85\u2028\u2029]", " ", text).split("\n")
    # Nothing may look like a continued line.
    return [f"# {line.rstrip(' ' + chr(92))}".rstrip() for line in lines]


def argv(arguments: Sequence[str], *, what: str) -> str:
    """Arguments of RUN, CMD or ENTRYPOINT in the JSON form, which nothing expands.

    Raises:
        BuildError: one holds NUL.
    """
    for text in arguments:
        _refuse(text, what, "\0")
    # ASCII keeps separators such as U+2028 out of the lines; a backslash before the last line end would join lines.
    return json.dumps(list(arguments))


def health_check(command: Sequence[str]) -> list[str]:
    """The line of HEALTHCHECK, as native builds have it; none for no command.

    Raises:
        BuildError: as for ``argv``.
    """
    if not command:
        return []
    times = f"--interval={HEALTH_INTERVAL}s --timeout={HEALTH_TIMEOUT}s --retries={HEALTH_RETRIES}"
    return [f"HEALTHCHECK {times} CMD {argv(command, what='the health check')}"]


def _refuse(text: str, what: str, characters: str) -> None:
    for character in characters:
        if character in text:
            raise BuildError(
                f"{what} holds {character!a}, which a Dockerfile cannot express: {text[:80]!r}",
                hint="build natively, or set it in the program that starts",
            )

"""Secrets that the caller names on the command line."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from layerwright.core.errors import UsageError

__all__ = ["read_secret_files"]

_LIMIT: Final = 1 << 20


def read_secret_files(arguments: Iterable[str]) -> dict[str, bytes]:
    """The values of ``--secret-file`` options.

    Args:
        arguments: each ``NAME=FILE``, or ``FILE``, whose name then stands for it.

    Returns:
        Name to value, without the blanks and line ends around it.

    Raises:
        UsageError: a file cannot be read, is empty or too large, or a name is given twice.
    """
    found: dict[str, bytes] = {}
    for argument in arguments:
        path = Path(argument)
        name = path.name
        if not path.is_file() and "=" in argument:
            name, _, rest = argument.partition("=")
            path = Path(rest)
        try:
            with path.open("rb") as file:
                value = file.read(_LIMIT + 1).strip()
        except OSError as error:
            raise UsageError(
                f"cannot read the secret file {path}: {error.strerror}",
                hint="give --secret-file NAME=FILE; the file holds the secret and nothing else",
            ) from error
        if not value:
            raise UsageError(f"the secret file {path} is empty")
        if len(value) > _LIMIT:
            raise UsageError(f"the secret file {path} is larger than 1 MiB, which is no secret")
        if name in found:
            raise UsageError(f"the secret {name!r} is given twice", hint="give them names: NAME=FILE")
        found[name] = value
    return found

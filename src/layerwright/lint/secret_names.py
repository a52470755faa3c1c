"""Which names and words hold secrets, and the values that must not be repeated."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from layerwright.lint.dockerfile import name_values
from layerwright.lint.documents import Document
from layerwright.lint.shell import Command, Word

__all__ = ["LOGIN", "PASSWORD_OPTIONS", "PASSWORD_SWITCHES", "is_secret_name", "secret_values"]

_WHOLE: Final = frozenset({
    "PASSWORD", "PASSWD", "PASSPHRASE", "PASSWORT", "PWD", "PW", "TOKEN", "SECRET", "SECRETS", "CREDENTIAL",
    "CREDENTIALS", "APIKEY",
})  # fmt: skip

_KEYS: Final = frozenset({"API", "ACCESS", "PRIVATE", "SECRET", "SSH", "SIGNING", "ENCRYPTION", "AUTH"})

_PLACES: Final = frozenset({"FILE", "PATH", "DIR", "NAME", "ID", "URL", "HELPER", "STORE", "LENGTH", "LIMIT"})

LOGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^\s/:@'\"]+):(?P<password>[^\s/@'\"]+)@")

PASSWORD_OPTIONS: Final = frozenset({"--password", "--passwd", "--pwd", "--passphrase"})

PASSWORD_SWITCHES: Final = frozenset({"twine", "sshpass", "mysql"})
"""Programs whose ``-p`` is a password."""


def is_secret_name(name: str) -> bool:
    """The name of a variable says that it holds a secret, not where one is."""
    parts = [part for part in re.split(r"[_\W]+", name.upper()) if part]
    if not parts or parts[-1] in _PLACES or name.upper() == "PWD":
        return False
    if _WHOLE & set(parts[-2:]):
        return True
    return (
        len(parts) > 1 and parts[-1] in {"KEY", "PASS"} and (parts[-1] == "PASS" or bool(_KEYS & set(parts)))
    )


def secret_values(document: Document) -> Iterator[str]:
    """Values that must not be repeated in what is reported."""
    for found in LOGIN.finditer(document.text.text):
        if "$" not in found["password"]:
            yield found["password"]
    if document.dockerfile is not None:
        for instruction in document.dockerfile.instructions:
            if instruction.keyword in {"ARG", "ENV"}:
                for pair in name_values(
                    instruction.keyword, instruction.rest.text, document.dockerfile.escape
                ):
                    if pair.value and is_secret_name(pair.name) and "$" not in pair.value:
                        yield pair.value.strip("\"'")
    for _, command in document.commands():
        yield from _values_of(command)


def _values_of(command: Command) -> Iterator[str]:
    short = {"-p"} if command.program in PASSWORD_SWITCHES | {"docker", "podman"} else set[str]()
    words: list[Word | None] = [*command.arguments, None]
    for word, following in pairwise(words):
        if word is None:
            continue
        name, sign, value = word.text.partition("=")
        after = following.text if following is not None and not following.text.startswith("-") else ""
        if (
            name in PASSWORD_OPTIONS
            or name in short
            or (name.startswith("-") and is_secret_name(name.lstrip("-")))
        ):
            value = value if sign else after
        elif command.program == "curl" and word.text in {"-u", "--user"}:
            value = after.partition(":")[2]
        elif not (sign and is_secret_name(name)):
            continue
        if value and "$" not in value:
            yield value
    for name, value_word in command.assignments:
        if is_secret_name(name) and value_word.literal:
            yield value_word.text

"""Known values: what they are made of, whether they can be looked for, and the search for them."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from layerwright.core.addresses import split_userinfo
from layerwright.core.errors import UsageError
from layerwright.core.findings import Level
from layerwright.verify.secrets.forms import Form, forms_of
from layerwright.verify.secrets.literals import Literals

__all__ = ["LEAST", "Found", "KnownValues", "fault_of_secret"]

LEAST: Final = 6
"""Bytes of the shortest secret that is looked for: 4 of them stand by chance in every 4 GB."""

_VARIETY: Final = 4
_USER: Final = 8
_WORDS: Final = frozenset({
    b"password", b"passwd", b"secret", b"changeme", b"username", b"example", b"default", b"localhost", b"anonymous",
    b"public", b"private", b"__token__", b"oauth2", b"x-access-token", b"x-token-auth", b"gitlab-ci-token", b"nobody",
})  # fmt: skip
_URL: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+@[^\s\"'<>]*")
_ASSIGNED: Final = re.compile(
    rb"(?im)\b[\w.-]*(?:password|passwd|secret|token|api[_-]?key|_auth)[\w.-]*[\"']?[ \t]*(?:[:=]|[ \t])[ \t]*"
    rb"(?:\"([^\"\n]+)\"|'([^'\n]+)'|(\S+))"
)
_AUTH: Final = re.compile(rb"\"auth\"\s*:\s*\"([A-Za-z0-9+/=_-]+)\"")


class _Value(Struct, frozen=True, kw_only=True):
    """A byte string to be found: of which secret, what part of it, how bad."""

    name: str
    part: str
    level: Level
    value: bytes


class Found(Struct, frozen=True, kw_only=True):
    """One occurrence.

    Attributes:
        name: of the secret.
        part: which part of it, such as ``the password``; empty for the whole.
        level: how bad; a user name alone is a warning.
        encoding: how it is written.
        start: in the searched bytes.
        end: one past the last.
    """

    name: str
    part: str
    level: Level
    encoding: str
    start: int
    end: int


def fault_of_secret(value: bytes) -> str:
    """Why a value cannot be looked for, as the rest of a sentence that begins with its name; empty when it can."""
    kept = value.strip()
    if len(kept) < LEAST:
        return f"has fewer than {LEAST} characters, which stand by chance in every image"
    if len(set(kept)) < _VARIETY:
        return f"has fewer than {_VARIETY} different characters, which stand by chance in every image"
    if kept.lower() in _WORDS:
        return "is a common word, which stands in every image"
    return ""


class KnownValues:
    """The search for values that are known to be secret.

    Args:
        known: name → value; a value may also be a URL with an account, or a file such as ``.netrc``, ``pip.conf`` or
            Docker's ``config.json``, whose passwords are then looked for by themselves too.

    Raises:
        UsageError: a value that stands by chance in every image.
    """

    def __init__(self, known: Mapping[str, bytes]) -> None:
        self._values: list[_Value] = []
        for name, value in known.items():
            fault = fault_of_secret(value)
            if fault:
                raise UsageError(
                    f"the secret {name!r} {fault}",
                    hint="leave it out, or change it to a longer one: it would be guessed as easily",
                )
            self._values += _parts(name, value.strip())
        self._owners: dict[bytes, list[tuple[_Value, Form]]] = {}
        for one in self._values:
            for form in forms_of(one.value):
                for anchor in form.anchors:
                    self._owners.setdefault(anchor, []).append((one, form))
        self._literals = Literals(self._owners)

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._literals)

    def search(self, data: bytes, low: int = 0, high: int | None = None) -> Iterator[Found]:
        """Occurrences of which an anchor begins at ``low`` or later, and before ``high``; each once.

        Args:
            data: what to search; ``REACH`` bytes before ``low`` and after ``high`` decide about what lies on a border.
            low: place in the data.
            high: place in the data; its end when not given.
        """
        seen: set[tuple[str, int, int]] = set()
        stop = len(data) if high is None else high
        for place, anchor in self._literals.find(data):
            if not low <= place < stop:
                continue
            for value, form in self._owners[anchor]:
                match = form.find(data, place, place + len(anchor))
                key = match and (value.name, match.start(), match.end())
                if match is None or key is None or key in seen:
                    continue
                seen.add(key)
                yield Found(
                    name=value.name,
                    part=value.part,
                    level=value.level,
                    encoding=form.name_of(match[0]),
                    start=match.start(),
                    end=match.end(),
                )

    def stands_in(self, data: bytes) -> bool:
        """Whether any piece of a secret that the search starts from stands in the data."""
        return any(True for _ in self._literals.find(data))


def _parts(name: str, value: bytes) -> Iterator[_Value]:
    """What in the value is secret by itself, such as the password of a URL; the whole when there is no such thing."""
    seen: set[bytes] = set()
    whole = True
    for part, level, text in _inner(value):
        if text not in seen and not fault_of_secret(text):
            seen.add(text)
            whole = whole and level != "error"
            yield _Value(name=name, part=part, level=level, value=text)
    if whole:
        yield _Value(name=name, part="", level="error", value=value)


def _inner(value: bytes) -> Iterator[tuple[str, Level, bytes]]:
    for match in _URL.finditer(value):
        _, user, password = split_userinfo(match[0].decode("utf-8", "replace"))
        if password:
            yield "the password", "error", password.encode()
            if len(user) >= _USER:
                yield "the user name", "warning", user.encode()
        elif user:
            yield "the token", "error", user.encode()
    for match in _ASSIGNED.finditer(value):
        yield "a value in it", "error", next(group for group in match.groups() if group)
    for match in _AUTH.finditer(value):
        try:
            account = base64.b64decode(match[1], validate=True)
        except binascii.Error:
            continue
        yield "the password", "error", account.partition(b":")[2]

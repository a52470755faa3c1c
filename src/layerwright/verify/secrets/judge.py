"""Whether what a rule matched is a secret, or a placeholder, a reference or an example."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import log2
from typing import Final

from msgspec import Struct

from layerwright.core.findings import Level
from layerwright.verify.secrets.rules import Rule, RuleSet

__all__ = ["Matched", "entropy", "is_example_path", "matches"]

_BEFORE: Final = 512
_AFTER: Final = 4096
_NEAR: Final = 400
_SHORT: Final = 120  # in long random text every short word stands somewhere

_WORDS: Final = frozenset({
    b"access_token", b"admin", b"api_key", b"apikey", b"auth", b"bar", b"basic", b"baz", b"changeit", b"changeme",
    b"credentials", b"default", b"demo", b"dummy", b"empty", b"fake", b"false", b"foo", b"foobar", b"guest",
    b"hidden", b"hunter2", b"key", b"letmein", b"minioadmin", b"mypass", b"mypasswd", b"mypassword", b"my-password",
    b"my_password", b"mysecret", b"my-secret", b"my_secret", b"mytoken", b"my-token", b"my_token", b"mysql",
    b"nobody", b"none", b"null", b"optional", b"pa55word", b"pass", b"pass123", b"passphrase", b"passw0rd", b"passwd",
    b"password", b"password1", b"password123", b"postgres", b"prompt", b"pswd", b"pw", b"pwd", b"redacted", b"redis",
    b"required", b"root", b"s3cret", b"s3cr3t", b"scott", b"sample", b"secret", b"secretpassword", b"secretkey",
    b"secret_key", b"secret-key", b"some-token", b"some_token", b"string", b"supersecret", b"swordfish", b"test",
    b"test123", b"tester", b"testing", b"testpass", b"testpassword", b"tiger", b"token", b"true", b"undefined",
    b"unset", b"user", b"user_password", b"username", b"value", b"vncpassword", b"word", b"xxx", b"xyz", b"yes",
    b"123456", b"12345678", b"123456789",
})  # fmt: skip
_MARKS: Final = re.compile(
    rb"(?i)example|placeholder|change.?me|redacted|x{4}|\*{3}|\.{3}|your|insert|fixme|notreal|not.a.real|dummy|fake"
    rb"|123456789|abcdefgh|[<>{}]|\$\(|%\(|%s\b"
)
_REFERENCE: Final = re.compile(
    rb"[$%{<\[(]|@@|env:|file:|vault:|secret://|op://|arn:|None\b|self\.|os\.|getenv"
)
_NO_VALUE: Final = re.compile(
    rb"(?:\.{0,2}|~)/|\w+://|(?i:true|false|yes|no|on|off|none|null|auto)$|\d{1,8}$"
)
_WORD_NAMES: Final = frozenset({
    "pass", "password", "passwd", "passphrase", "passwort", "pwd", "secret", "secrets", "token", "apikey",
    "accesskey", "secretkey", "authtoken", "credential", "credentials", "pat",
})  # fmt: skip
_KEY_OWNERS: Final = frozenset({
    "access", "account", "api", "app", "auth", "client", "encryption", "host", "master", "private", "secret",
    "service", "shared", "signing", "storage",
})  # fmt: skip
_ABOUT: Final = frozenset({
    "algorithm", "class", "count", "dir", "endpoint", "expires", "expiry", "field", "file", "folder", "format",
    "header", "id", "len", "length", "limit", "lifetime", "max", "min", "mode", "name", "path", "policy", "prefix",
    "provider", "required", "size", "source", "ttl", "type", "uri", "url", "user", "username",
})  # fmt: skip
_EXAMPLE_HOST: Final = re.compile(
    r"(?i)(?:.*\.)?example(?:\.(?:com|org|net|edu))?|.*\.(?:example|invalid|test|localhost)|localhost|127\.[\d.]+|0\.0\.0\.0"
    r"|(?:my|your|some)?-?_?(?:host|hostname|server|domain|proxy|proxyhost|site|address|ip|registry)(?:\.(?:com|org|net|tld))?"
    r"|(?:foo|bar|baz)(?:\..*)?|\[::1\]|(?:www\.)?google\.com|httpbin\.org"
)
_EXAMPLE_PATH: Final = re.compile(
    # below what a package installs, or in an archive
    r"(?i)(?:.*/)?(?:(?:site|dist)-packages|lib|lib64|share|src|vendor|node_modules|conda|go|[^/]+\.(?:whl|jar|egg|zip|tar))/"
    r"(?:.*/)?(?:(?:self_?)?tests?|testing|test_?suite|test[_-]?data|fixtures?|examples?|samples?|docs?|man|certdata"
    r"|__tests__|mock_?data|dummyserver)/.*"
    r"|(?:.*/)?(?:(?:site|dist)-packages|[^/]+\.(?:whl|egg))/(?:.*/)?(?:tests?|test_[^/]*|[^/]*_test|conftest)\.pyc?"
)
_EXAMPLE_USERS: Final = frozenset({"s6BhdRkqt3", "Aladdin"})
# Of RFC 6749 and RFC 7617; they stand in the documentation of all that implements these.


class Matched(Struct, frozen=True, kw_only=True):
    """Where a rule's secret stands in the searched bytes."""

    rule: Rule
    level: Level
    start: int
    end: int


def entropy(value: bytes) -> float:
    """Shannon's entropy, bits per byte."""
    total = len(value)
    return -sum(count / total * log2(count / total) for count in Counter(value).values()) if total else 0.0


def is_example_path(path: str) -> bool:
    """Whether a file belongs to the tests or the documentation of an installed program.

    Args:
        path: without a slash in front.
    """
    return _EXAMPLE_PATH.fullmatch(path) is not None


def matches(rules: RuleSet, data: bytes, low: int, high: int, *, example: bool = False) -> Iterator[Matched]:
    """Secrets by rule, whose keyword begins at ``low`` or later, and before ``high``.

    Where several rules match, the first of the library speaks.

    Args:
        rules: what to look for.
        data: what to search.
        low: place in the data.
        high: place in the data.
        example: what is found here is a note.
    """
    found: dict[tuple[int, int], tuple[int, Rule]] = {}
    for place, keyword in rules.literals.find(data):
        if not low <= place < high:
            continue
        for rank, rule in rules.by_keyword[keyword]:
            if rule.after and data.find(rule.after, place, place + _NEAR) < 0:
                continue
            span = _span(rule, data, place, place + len(keyword))
            if span is not None and (span not in found or rank < found[span][0]):
                found[span] = (rank, rule)
    taken: list[tuple[int, int]] = []
    for span, _ in sorted(found.items(), key=lambda one: (one[1][0], one[0])):
        if not any(begin < span[1] and span[0] < end for begin, end in taken):
            taken.append(span)
    for span in sorted(taken):
        rule = found[span][1]
        level: Level = "note" if example else rule.level
        yield Matched(rule=rule, level=level, start=span[0], end=span[1])


def _span(rule: Rule, data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Where the secret is that the rule matches around its keyword."""
    at, limit = max(data.rfind(b"\n", max(0, start - _BEFORE), start) + 1, start - _BEFORE, 0), end + _AFTER
    while True:
        match = rule.compiled.search(data, at, limit)
        if match is None or match.start() > start:
            return None
        if match.end() >= end:
            group = next(
                name for name in ("secret", "secret_2", "secret_3") if match.groupdict().get(name) is not None
            )
            if _is_secret(rule, match, match[group]):
                return match.span(group)
        at = match.start() + 1


def _is_secret(rule: Rule, match: re.Match[bytes], value: bytes) -> bool:
    if rule.check == "hash":
        return True
    if entropy(value) < rule.entropy or _is_placeholder(value):
        return False
    if rule.check == "basic-auth":
        return _is_account(value)
    if rule.check == "assignment":
        return _means_secret(match["name"].decode("ascii", "replace")) and not _NO_VALUE.match(value)
    if rule.check == "url":
        return _EXAMPLE_HOST.fullmatch(match["host"].partition(b":")[0].decode("ascii", "replace")) is None
    return True


def _is_placeholder(value: bytes) -> bool:
    return (
        value.lower() in _WORDS
        or (len(value) <= _SHORT and _MARKS.search(value) is not None)
        or _REFERENCE.match(value) is not None
        or len(set(value)) < 3  # noqa: PLR2004 - such as xxxxx or ******
    )


def _is_account(value: bytes) -> bool:
    """Whether base64 of ``user:password``."""
    plain = value.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(value) % 4)
    try:
        user, colon, password = base64.b64decode(plain).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    if not (colon and password and (user + password).isprintable()):
        return False
    return user not in _EXAMPLE_USERS and not _is_placeholder(password.encode())


def _means_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret: ``DB_PASSWORD`` does, ``TOKENIZERS_PARALLELISM`` does not."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    parts = re.split(r"[-_.]", words)
    if parts[-1] in _ABOUT:
        return False
    if any(part in _WORD_NAMES for part in parts):
        return True
    return any(owner in _KEY_OWNERS and key == "key" for owner, key in pairwise(parts))

"""How a secret may be written in a file: the forms that tools give it, each as byte strings to look for and a pattern.

A form has *anchors*, pieces that the fast search looks for, and a pattern that decides around an anchor. Each anchor is
at most half of the secret, so that a line break inside the secret spoils one of them and not all.
"""

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import accumulate
from typing import Final
from urllib.parse import quote, quote_plus

from msgspec import Struct

__all__ = ["ANCHOR", "LONGEST", "REACH", "Form", "forms_of"]

ANCHOR: Final = 4
"""Least length of an anchor, bytes: shorter ones stand everywhere."""

LONGEST: Final = 64
"""Bytes of a secret that are looked for; whoever finds 64 bytes of one has found it."""

REACH: Final = 4096
"""No form of a secret is longer than this, bytes."""

_BESIDE: Final = 128

_BREAK: Final = rb"(?:(?:\\?\r?\n|\\?\\r\\n|\\?\\n)[ \t]{0,16})?"
# A line break, with the backslash of shells, Dockerfiles and spec files, or written as an escape in JSON.

_URLLIB3: Final = "!$&'()*+,;=:-._~"  # left as they are in user names and passwords (RFC 3986, userinfo)
_REQUESTS: Final = "!#$%&'()*+,/:;=?@[]~"  # requests.utils.requote_uri
_CONTROLS: Final[dict[str, list[bytes]]] = {
    "\n": [rb"\\{1,2}n", rb"\r\n", rb"\\{1,2}r\\{1,2}n"],
    "\r": [rb"\\{1,2}r"],
    "\t": [rb"\\{1,2}t"],
    " ": [rb"\+"],
}
_PLAIN: Final = re.compile(rb"[A-Za-z0-9._-]{4,}")  # what no encoding changes


class Form(Struct, frozen=True, kw_only=True, dict=True):
    """One way of writing one secret.

    Attributes:
        label: its name for people; empty when the found text tells which of several it is.
        anchors: what to look for first.
        source: a pattern for the whole.
        plain: the secret as it is.
    """

    label: str
    anchors: tuple[bytes, ...]
    source: bytes
    plain: bytes

    @cached_property
    def _neighbours(self) -> dict[bytes, tuple[tuple[re.Pattern[bytes], re.Pattern[bytes]], ...]]:
        return {}

    def find(self, data: bytes, start: int, end: int) -> re.Match[bytes] | None:
        """The occurrence that covers an anchor.

        Args:
            data: what is searched.
            start: where the anchor begins.
            end: one past its last byte.
        """
        if not self.label and not self._is_plausible(data, start, end):
            return None
        at, limit = max(0, start - REACH), min(len(data), end + REACH)
        while True:
            match = self.pattern.search(data, at, limit)
            if match is None or match.start() > start:
                return None
            if match.end() >= end:
                return match
            at = match.start() + 1

    def _is_plausible(self, data: bytes, start: int, end: int) -> bool:
        """Whether what stands right beside an anchor belongs to the secret: parts of secrets are often plain words."""
        anchor = data[start:end]
        if anchor not in self.plain:
            return True
        known = self._neighbours.get(anchor)
        if known is None:
            known = self._neighbours[anchor] = tuple(_neighbours(self.plain, anchor))
        return any(
            after.match(data, end) and before.search(data, max(0, start - _BESIDE), start)
            for before, after in known
        )

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """Compiled when the first anchor is found, which for most secrets is never."""
        return re.compile(self.source)

    def name_of(self, found: bytes) -> str:
        """What to call the encoding of this occurrence."""
        if self.label:
            return self.label
        if found == self.plain:
            return "as it is"
        joined = re.sub(_BREAK, b"", found)
        broken = ", over a line break" if joined != found and b"\n" not in self.plain else ""
        if joined == self.plain:
            return f"as it is{broken}"
        kinds = (
            (rb"%[0-9A-Fa-f]{2}", "percent-encoded"),
            (rb"\\", "escaped"),
            (rb"&#?\w+;", "escaped for HTML"),
        )
        for sign, label in kinds:
            if len(re.findall(sign, joined)) > len(re.findall(sign, self.plain)):
                return f"{label}{broken}"
        return f"quoted{broken}"


def forms_of(value: bytes) -> Iterator[Form]:
    """Every form of a secret that is looked for.

    Args:
        value: at least 6 bytes; of a longer one than ``LONGEST`` the part with most variety stands for the whole.
    """
    plain = _part(value)
    yield Form(label="", anchors=_text_anchors(plain), source=_text_pattern(plain), plain=plain)
    for interior in _base64_interiors(plain):
        yield _base64_form("base64", interior, plain)
        for outer in _base64_interiors(interior):
            yield _base64_form("base64 of base64", outer, plain)
    digits = plain.hex().encode()
    yield Form(
        label="hexadecimal",
        anchors=_anchors([digits, digits.upper()]),
        source=_BREAK.join(b"(?i:%s)" % digits[at : at + 2] for at in range(0, len(digits), 2)),
        plain=plain,
    )
    text = _text(plain)
    for codec in ("utf-16-le", "utf-16-be") if text else ():
        wide = text.encode(codec)
        yield Form(label="UTF-16", anchors=_anchors([wide]), source=re.escape(wide), plain=plain)
    if text and not text.isascii():
        with_marks = _latin(text)
        if with_marks:
            yield Form(
                label="Latin-1", anchors=_anchors([with_marks]), source=re.escape(with_marks), plain=plain
            )


def _part(value: bytes) -> bytes:
    """The whole value, or the 64 bytes of it with most different signs; lines are kept whole where they fit."""
    if len(value) <= LONGEST:
        return value
    starts = {0, len(value) - LONGEST, *range(0, len(value) - LONGEST, 16)}
    parts = (value[at : at + LONGEST] for at in sorted(starts))
    best = max(parts, key=lambda part: (len(set(part)), -part.count(b"\n")))
    return best.decode(errors="ignore").encode() if _text(value) else best  # no sign is cut


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return ""


def _latin(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return b""


def _anchors(texts: Iterable[bytes]) -> tuple[bytes, ...]:
    """The halves of each text, or the whole where half of it would be too short."""
    found: set[bytes] = set()
    for text in texts:
        half = len(text) // 2
        found |= {text[:half], text[half:]} if half >= ANCHOR else {text}
    return tuple(sorted(found))


def _text_anchors(plain: bytes) -> tuple[bytes, ...]:
    found = {*_anchors(_spellings(plain))}
    for run in _PLAIN.findall(plain):
        found |= set(_anchors([run]))
    return tuple(sorted(found))


def _spellings(plain: bytes) -> Iterator[bytes]:
    """The whole secret as common tools write it; mixtures are found by its unchanged parts."""
    yield plain
    for safe in ("", "/", _URLLIB3, _REQUESTS):
        once = quote(plain, safe=safe)
        yield once.encode()
        yield re.sub("%..", lambda match: match[0].lower(), once).encode()
        yield quote(once, safe=safe).encode()
    yield quote_plus(plain).encode()
    for sign in (b"%%%02X", b"%%%02x", b"\\x%02x", b"\\x%02X"):
        yield b"".join(sign % byte for byte in plain)
    text = _text(plain)
    if text:
        for ascii_only in (True, False):
            written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            yield written.encode()
            yield written.replace("/", "\\/").encode()
        yield html.escape(text).encode()
        yield shlex.quote(text).strip("'").encode()
        yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", text).encode()


def _text_pattern(plain: bytes) -> bytes:
    return _BREAK.join(unit for _, unit in _units(plain))


def _units(plain: bytes) -> list[tuple[int, bytes]]:
    """Each sign of the secret: how many bytes it has, and a pattern for its spellings."""
    text = _text(plain)
    if text:
        return [(len(sign.encode()), _unit(sign)) for sign in text]
    return [(1, _byte(bytes([one]))) for one in plain]


def _neighbours(plain: bytes, anchor: bytes) -> Iterator[tuple[re.Pattern[bytes], re.Pattern[bytes]]]:
    """For each place of a piece in the secret: what may stand before it, and after it, as far as three signs."""
    units = _units(plain)
    ends = list(accumulate(length for length, _ in units))
    at = plain.find(anchor)
    starts = {0, *ends}
    while at >= 0:
        if not starts >= {at, at + len(anchor)}:  # begins or ends inside a sign of several bytes
            yield re.compile(b""), re.compile(b"")
            return
        first = next(number for number, end in enumerate(ends) if end > at)
        last = next(number for number, end in enumerate(ends) if end >= at + len(anchor)) + 1
        before = b"".join(unit + _BREAK for _, unit in units[max(0, first - 2) : first])
        after = b"".join(_BREAK + unit for _, unit in units[last : last + 3])
        yield re.compile(before + rb"\Z"), re.compile(after)
        at = plain.find(anchor, at + 1)


def _byte(raw: bytes) -> bytes:
    return b"(?:%s|%s)" % (re.escape(raw), b"|".join(_numbers(raw)))


def _numbers(raw: bytes) -> Iterator[bytes]:
    """The bytes as numbers: percent-encoded once or twice, and as escapes of shells and languages."""
    digits = [f"{one:02x}" for one in raw]
    for lead in (b"%", b"%25", rb"\\{1,2}x"):
        yield b"".join(b"%s(?i:%s)" % (lead, pair.encode()) for pair in digits)


def _unit(sign: str) -> bytes:
    """One sign of the secret in every spelling."""
    raw = sign.encode()
    ways = [re.escape(raw), *_numbers(raw)]
    wide = sign.encode("utf-16-be")
    ways.append(
        b"".join(rb"\\{1,2}u(?i:%s)" % wide[at : at + 2].hex().encode() for at in range(0, len(wide), 2))
    )
    if not sign.isalnum():
        ways.append(rb"\\{1,3}" + re.escape(raw))
        escaped = html.escape(sign)
        if escaped != sign:
            ways.append(re.escape(escaped.encode()))
        ways.append(b"&#(?:0{0,3}%d|(?i:x0{0,2}%x));" % (ord(sign), ord(sign)))
    if sign == "'":
        ways += [rb"'\\''", rb"'\"'\"'"]
    ways += _CONTROLS.get(sign, [])
    latin = _latin(sign) if not sign.isascii() else b""
    if latin:
        ways.append(b"%%(?i:%02x)" % latin[0])
    return b"(?:%s)" % b"|".join(ways)


def _base64_interiors(value: bytes) -> Iterator[bytes]:
    """For each of the three alignments the base64 signs that the value alone decides, whatever stands around it."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + value).rstrip(b"=")
        first = -(-8 * before // 6)
        last = 8 * (before + len(value)) // 6
        yield whole[first:last]


def _base64_form(label: str, interior: bytes, plain: bytes) -> Form:
    safe = interior.translate(bytes.maketrans(b"+/", b"-_"))
    special = {ord("+"): rb"(?:[+-]|%2[Bb])", ord("/"): rb"(?:\\?/|_|%2[Ff])"}
    return Form(
        label=label,
        anchors=_anchors([interior, safe]),
        source=_BREAK.join(special.get(one, bytes([one])) for one in interior),
        plain=plain,
    )

"""Searching one piece of data, and wording what was found without saying it."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.addresses import MASK
from layerwright.verify.secrets.judge import matches
from layerwright.verify.secrets.known import Found, KnownValues
from layerwright.verify.secrets.model import KNOWN, RULE, Hit
from layerwright.verify.secrets.rules import RuleSet

__all__ = ["Hits", "Piece", "search"]

_LISTED: Final = 3
_BEFORE: Final = 300
_LEAD: Final = re.compile(
    rb"(?:(?<![\w.-])[A-Za-z_][\w.-]{0,39}[\"']?[ \t]{0,3}[=: ][ \t]{0,3}[\"']?)?"  # a name
    rb"(?:[A-Za-z][A-Za-z0-9+.-]{1,10}://(?P<user>[^\s/@:]{0,200}:)?)?\Z"  # a scheme; the user is not shown
)
_RANDOM_LETTERS: Final = 20
_FEW: Final = 3


class Piece(Struct, frozen=True, kw_only=True):
    """Data to be searched, and what it is a part of.

    Attributes:
        data: with what surrounds the part that is searched.
        low, high: the part.
        where, layer, member: as in ``Hit``.
        offset: of the data's first byte in the file.
        line: of the data's first byte; 0 when it is no text.
        example: what rules find here is a note.
    """

    data: bytes
    low: int
    high: int
    where: str
    layer: str = ""
    member: str = ""
    offset: int = 0
    line: int = 0
    example: bool = False


class Hits:
    """What was found in one file; of many alike, the first few."""

    def __init__(self) -> None:
        self._found: list[Hit] = []
        self._count: Counter[tuple[str, str, str]] = Counter()

    def add(self, hit: Hit) -> None:
        """One more."""
        key = _alike(hit)
        if self._count[key] < _LISTED:
            self._found.append(hit)
        self._count[key] += 1 + hit.more

    def listed(self, *, without: Iterable[Hit] = ()) -> tuple[Hit, ...]:
        """The hits; the last of those alike says how many more there are.

        Args:
            without: hits like these are left out.
        """
        unwanted = {_alike(hit) for hit in without}
        kept = [hit for hit in self._found if _alike(hit) not in unwanted]
        last = {_alike(hit): number for number, hit in enumerate(kept)}
        shown = Counter(_alike(hit) for hit in kept)
        return tuple(
            replace(
                hit, more=self._count[_alike(hit)] - shown[_alike(hit)] if last[_alike(hit)] == number else 0
            )
            for number, hit in enumerate(kept)
        )


def _alike(hit: Hit) -> tuple[str, str, str]:
    return hit.kind, hit.name, hit.title


def search(piece: Piece, known: KnownValues, rules: RuleSet | None, hits: Hits) -> None:
    """Look for known values and by rules; what a known value covers is no matter for rules.

    Args:
        piece: what to search.
        known: values.
        rules: None to look for known values only.
        hits: is added to.
    """
    data = piece.data
    found = _outermost(known.search(data, piece.low, piece.high)) if known else []
    for one in found:
        whose = f"the secret {one.name!r}"
        hit = Hit(
            kind=KNOWN,
            name=one.name,
            title=f"{one.part} of {whose}" if one.part else whose,
            level=one.level,
            where=piece.where,
            encoding=one.encoding,
        )
        hits.add(_placed(hit, piece, one.start, known))
    for match in matches(rules, data, piece.low, piece.high, example=piece.example) if rules else ():
        if any(one.start < match.end and match.start < one.end for one in found):
            continue
        hit = Hit(
            kind=RULE,
            name=match.rule.id,
            title=match.rule.title,
            level=match.level,
            where=piece.where,
            repair=match.rule.repair,
            source=match.rule.source,
        )
        hits.add(_placed(hit, piece, match.start, known))


def _outermost(found: Iterable[Found]) -> list[Found]:
    """Without those that lie inside another of the same secret, such as the password inside its URL."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not any(
            one.name == other.name and one.end <= other.end for other in kept if other.start <= one.start
        ):
            kept.append(one)
    return kept


def _placed(hit: Hit, piece: Piece, start: int, known: KnownValues) -> Hit:
    return replace(
        hit,
        layer=piece.layer,
        member=piece.member,
        offset=piece.offset + start,
        line=piece.line + piece.data.count(b"\n", 0, start) if piece.line else 0,
        excerpt=_excerpt(piece.data[max(0, start - _BEFORE) : start], known),
    )


def _excerpt(before: bytes, known: KnownValues) -> str:
    """The name and scheme that stand just before a secret, and a mask in its place.

    Nothing else is shown: what stands around a secret is often another one, or the rest of it.
    """
    match = _LEAD.search(before)
    lead = before[match.start() : match.start("user") if match["user"] else match.end()] if match else b""
    if known.stands_in(lead) or _looks_random(lead):
        lead = b""
    return lead.decode("ascii", "replace").replace("\t", " ") + MASK


def _looks_random(lead: bytes) -> bool:
    letters = re.sub(rb"[^A-Za-z0-9]", b"", lead.partition(b"://")[0])
    digits = sum(48 <= one < 58 for one in letters)  # noqa: PLR2004 - 0 to 9
    upper = sum(one < 91 for one in letters) - digits  # noqa: PLR2004 - A to Z
    lower = len(letters) - digits - upper
    return digits > _FEW or (len(letters) >= _RANDOM_LETTERS and min(upper, lower) > _FEW)

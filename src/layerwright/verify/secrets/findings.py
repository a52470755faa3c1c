"""Hits as findings."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Place
from layerwright.verify.secrets.model import KNOWN, UNREAD, Hit

__all__ = ["secret_findings"]

_PLACES: Final = 20
_SHORT: Final = len("sha256:") + 12


def secret_findings(
    hits: Iterable[Hit], *, image: str = "", deleted: Mapping[tuple[str, str], str] | None = None
) -> Iterator[Finding]:
    """A finding for each hit; of one thing that stands in very many places, the first twenty.

    Args:
        hits: from the config and from all files.
        image: reference of the judged image.
        deleted: (layer, path) of files that a later layer deletes or replaces → that layer.
    """
    gone = deleted or {}
    count: dict[tuple[str, str, str], int] = {}
    for hit in hits:
        key = (hit.kind, hit.name, hit.title)
        count[key] = count.get(key, 0) + 1
        if count[key] <= _PLACES:
            yield _finding(hit, image, gone.get((hit.layer, hit.where), ""))
    for (kind, name, title), total in count.items():
        if total > _PLACES:
            yield Finding(
                code=kind,
                level="note",
                message=f"{title} {name if kind == UNREAD else ''}: {total - _PLACES} more places are not listed",
                where=Place(image=image),
            )


def _finding(hit: Hit, image: str, deleted_by: str) -> Finding:
    return Finding(
        code=hit.kind,
        level=hit.level,
        message=_message(hit, deleted_by),
        where=Place(image=image, layer=hit.layer, path=hit.where if hit.layer else ""),
        evidence=tuple(_evidence(hit)),
        fix=() if hit.level == "note" else tuple(_fixes(hit)),
    )


def _message(hit: Hit, deleted_by: str) -> str:
    inside = f"{hit.member} inside {hit.where}" if hit.member else hit.where
    place = f"{inside}, line {hit.line}" if hit.line else inside
    if hit.kind == UNREAD:
        return f"{inside} {hit.name}, so nobody knows whether a secret is in it"
    how = "" if hit.encoding in ("", "as it is") else f", {hit.encoding}"
    in_layer = f" of layer {hit.layer[:_SHORT]}" if hit.layer else ""
    verb = "is in" if hit.kind == KNOWN else "seems to be in"
    more = f", and {hit.more} more times" if hit.more else ""
    gone = (
        f"; layer {deleted_by[:_SHORT]} deletes or replaces the file, but whoever has the image can read it"
        if deleted_by
        else ""
    )
    return f"{hit.title} {verb} {place}{in_layer}{how}{more}{gone}"


def _evidence(hit: Hit) -> Iterator[Evidence]:
    place = f"{hit.where}!{hit.member}" if hit.member else hit.where
    at = f"line {hit.line}" if hit.line else f"byte {hit.offset:,}"
    if hit.kind == UNREAD:
        yield Evidence(text=hit.name, source=place, confidence="binary")
        return
    yield Evidence(text=hit.excerpt, source=f"{place}, {at}", confidence="binary")
    if hit.source:
        yield Evidence(text=f"this is how a {hit.title} is written", source=hit.source, confidence="docs")


def _fixes(hit: Hit) -> Iterator[Fix]:
    if hit.kind == UNREAD:
        yield Fix(text="delete the archive in the step that brings it, or unpack it there", cost=10)
        return
    if hit.repair:
        yield Fix(text=hit.repair, cost=5)
    else:
        yield Fix(text="change the secret: the image may have been copied already", cost=5)
    if "://" in hit.excerpt:
        yield Fix(
            text="let the index's account be fetched on the host",
            edit='[indexes.NAME]\ncredentials = "netrc"',
            cost=10,
        )
    else:
        yield Fix(
            text="hand it to the step that needs it as a secret, which leaves nothing in the image",
            edit='run = [{ script = "…", secrets = ["NAME"] }]',
            cost=10,
        )

"""Lint of one file."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from layerwright.core.findings import Finding, Fix
from layerwright.core.source import Location
from layerwright.lint.allow import without_allowed
from layerwright.lint.documents import Document, FileKind, read_document
from layerwright.lint.rules import RULES
from layerwright.lint.secret_names import secret_values
from layerwright.lint.source import Source

__all__ = ["lint_source"]

_SHORTEST_SECRET: Final = 3
_MASK: Final = "***"


def lint_source(
    source: Source, kind: FileKind, *, has_ignore_file: bool | None = None
) -> tuple[Finding, ...]:
    """Everything the rules find in one file.

    Args:
        source: the file.
        kind: what it is.
        has_ignore_file: a ``.dockerignore`` keeps things out of the build's context; None when nobody knows.

    Returns:
        Findings by place. Values that are secrets are not repeated in them.
    """
    found: dict[tuple[str, int, int, str], Finding] = {}
    secrets: set[str] = set()
    for document in read_document(source, kind, has_ignore_file=has_ignore_file):
        secrets |= {value for value in secret_values(document) if len(value) >= _SHORTEST_SECRET}
        for finding in _of(document):
            place = finding.where.location
            key = (finding.code, place.line if place else 0, place.column if place else 0, finding.message)
            found.setdefault(key, finding)
    kept = without_allowed(source, found.values())
    masked = [_masked(finding, secrets) for finding in kept] if secrets else list(kept)
    return tuple(sorted(masked, key=_order))


def _of(document: Document) -> Iterable[Finding]:
    for rule in RULES:
        yield from rule.find(document)


def _order(finding: Finding) -> tuple[int, int, str]:
    place = finding.where.location
    return (place.line if place else 0, place.column if place else 0, finding.code)


def _masked(finding: Finding, secrets: Iterable[str]) -> Finding:
    ordered = sorted(secrets, key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in ordered:
            text = text.replace(secret, _MASK)
        return text

    def hide_in(place: Location | None) -> Location | None:
        return replace(place, text=hide(place.text)) if place is not None else None

    def hide_fix(fix: Fix) -> Fix:
        return replace(
            fix,
            text=hide(fix.text),
            edit=hide(fix.edit),
            command=hide(fix.command),
            replaces=hide_in(fix.replaces),
        )

    return replace(
        finding,
        message=hide(finding.message),
        where=replace(finding.where, location=hide_in(finding.where.location)),
        fix=tuple(hide_fix(fix) for fix in finding.fix),
    )

"""Findings that the file itself allows: ``# layerwright: allow CODE reason`` above the line, or behind it."""

import re
from collections.abc import Iterable, Iterator

from layerwright.core.findings import Finding
from layerwright.lint.source import Source

__all__ = ["without_allowed"]

_ALLOW = re.compile(r"#\s*layerwright:\s*allow\s+(?P<codes>[A-Z0-9-]+(?:\s*,\s*[A-Z0-9-]+)*)", re.IGNORECASE)


def without_allowed(source: Source, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings but those that a comment allows.

    The comment stands behind the line, or in the comment lines directly above it.
    """
    if "layerwright:" not in source.text:
        yield from findings
        return
    for finding in findings:
        place = finding.where.location
        if place is None or finding.code not in _codes(source, place.line):
            yield finding


def _codes(source: Source, line: int) -> set[str]:
    codes = set(_of(source.line_text(line)))
    above = line - 1
    while above > 0 and source.line_text(above).lstrip().startswith("#"):
        codes |= _of(source.line_text(above))
        above -= 1
    return codes


def _of(text: str) -> set[str]:
    found = _ALLOW.search(text)
    return {code.strip().upper() for code in found["codes"].split(",")} if found else set()

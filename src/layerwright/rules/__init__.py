"""Checks of an image that is described but not built: facts → findings, one module per rule.

Every module has ``KINDS`` (what it may find, for the reference pages) and ``check`` (a subject → its findings), and
is listed in ``RULES``.
"""

from collections.abc import Iterator
from typing import Protocol

from layerwright.core.findings import Finding, Kind
from layerwright.facts.model import Subject

__all__ = ["RULES", "Rule"]


class Rule(Protocol):
    """What a module of this room offers."""

    KINDS: tuple[Kind, ...]

    def check(self, subject: Subject) -> Iterator[Finding]:
        """Judge one cell; pure: no network, no file but the package's own data."""
        ...


RULES: tuple[Rule, ...] = ()
"""All rules, in the order of reports."""

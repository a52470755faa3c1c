"""Rules by family: each module has ``KINDS`` and ``find`` (a document → its findings)."""

from collections.abc import Iterator
from typing import Protocol

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document
from layerwright.lint.rules import (
    apt,
    deletion,
    environment,
    failures,
    guesses,
    layers,
    packages,
    permissions,
    pins,
    privileges,
    python,
    secrets,
    start,
    texts,
    transport,
    typed,
)

__all__ = ["KINDS", "RULES", "Rule"]


class Rule(Protocol):
    """What a module of this room offers."""

    @property
    def KINDS(self) -> tuple[Kind, ...]:  # noqa: N802 - a module's constant
        """What it may find."""
        ...

    def find(self, document: Document, /) -> Iterator[Finding]:
        """Faults of one document."""
        ...


RULES: tuple[Rule, ...] = (
    secrets,
    transport,
    permissions,
    start,
    pins,
    apt,
    python,
    failures,
    privileges,
    deletion,
    layers,
    environment,
    typed,
    packages,
    guesses,
    texts,
)
"""All families, in the order of the reference page."""

KINDS: tuple[Kind, ...] = tuple(kind for rule in RULES for kind in rule.KINDS)
"""Every kind of finding."""

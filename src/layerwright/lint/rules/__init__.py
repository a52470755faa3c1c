"""Rules by family: each module has ``KINDS`` and ``find`` (a document → its findings)."""

from collections.abc import Iterator
from typing import Protocol

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document
from layerwright.lint.rules import (
    apt,
    checks,
    continuations,
    deletion,
    downloads,
    environment,
    failures,
    guesses,
    layers,
    options,
    packages,
    permissions,
    pins,
    privileges,
    python,
    secrets,
    shells,
    start,
    syntax,
    texts,
    transport,
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
    downloads,
    permissions,
    start,
    pins,
    apt,
    python,
    failures,
    checks,
    shells,
    privileges,
    deletion,
    layers,
    environment,
    continuations,
    options,
    syntax,
    packages,
    guesses,
    texts,
)
"""All families, in the order of the reference page."""

KINDS: tuple[Kind, ...] = tuple(kind for rule in RULES for kind in rule.KINDS)
"""Every kind of finding."""

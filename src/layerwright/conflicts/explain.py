"""Errors with the smallest set that clashes and repairs that were tried."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from layerwright.conflicts.minimal import minimal_set
from layerwright.conflicts.parts import as_member
from layerwright.conflicts.repairs import repairs
from layerwright.core.findings import Finding
from layerwright.facts.model import Subject
from layerwright.rules import RULES, Rule

__all__ = ["explain_findings"]


def explain_findings(
    subject: Subject, findings: Iterable[Finding], rules: Sequence[Rule] = RULES
) -> tuple[Finding, ...]:
    """The findings, errors with their minimal set as members and with repairs that were tried.

    Others stay as they are. Costs nothing without an error.

    Args:
        subject: the cell in which the rules found them. Places that have their lines give repairs as whole lines.
        findings: all that the rules found in it.
        rules: the rules.
    """
    found = tuple(findings)
    return tuple(_explained(subject, one, found, rules) if one.level == "error" else one for one in found)


def _explained(
    subject: Subject, finding: Finding, found: Sequence[Finding], rules: Sequence[Rule]
) -> Finding:
    parts = minimal_set(subject, finding, rules)
    if not parts:
        return finding
    # what is wrong by itself clashes with nothing
    members = tuple(as_member(part, subject, finding.members) for part in parts) if len(parts) > 1 else ()
    return replace(finding, members=members, fix=repairs(subject, finding, parts, found, rules))

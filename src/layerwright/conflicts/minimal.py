"""The smallest set of things that clash: taking any one of them out mends it.

A set is found by taking parts out for as long as the finding stays (deletion, as for minimal unsatisfiable cores of
formulas: Liffiton and Sakallah, J. Automated Reasoning 40(1), 2008), first in large pieces. Findings are not monotone:
a part may mend what another one breaks. So small sets are then searched for a still smaller one, which makes sure that
*every* proper subset is free of the finding.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Final

from layerwright.conflicts.parts import Part, claimed, parts_of, with_only
from layerwright.core.findings import Finding
from layerwright.facts.model import Subject
from layerwright.rules import Rule
from layerwright.rules.case import Case

__all__ = ["minimal_set", "responsible", "same"]

_EXHAUSTIVE: Final = 7
"""Parts up to which every subset is tried: at most 126 of them."""


def same(one: Finding, other: Finding) -> bool:
    """Whether two findings are the same one, found in two subjects: one code, about one thing."""
    return one.code == other.code and _about(one) == _about(other)


def _about(finding: Finding) -> tuple[str, str]:
    for member in finding.members:
        if member.kind in ("wheel", "apt"):
            return member.kind, member.name
    first = next(iter(finding.members), None)
    return (first.kind, "") if first else ("", "")


def responsible(finding: Finding, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that can find it."""
    return tuple(rule for rule in rules if any(kind.code == finding.code for kind in rule.KINDS))


def minimal_set(subject: Subject, finding: Finding, rules: Sequence[Rule]) -> tuple[Part, ...]:
    """Parts that bring the finding about by themselves, none of which could be spared.

    The order is that of the finding's own members, then that of the subject.

    Args:
        subject: where it was found.
        finding: of level error.
        rules: all or some; those that can find it are asked.

    Returns:
        The set; empty when the rules do not find it in the subject any more.
    """
    asked = responsible(finding, rules)

    def clashes(parts: Sequence[Part]) -> bool:
        case = Case(with_only(subject, frozenset(parts)))
        return any(
            found.level == "error" and same(found, finding) for rule in asked for found in rule.check(case)
        )

    everything = parts_of(subject)
    said = claimed(finding, everything)
    if said and clashes(said):
        start = said
    elif clashes(everything):
        start = (*said, *(part for part in everything if part not in said))
    else:
        return ()
    found = _without_idle(start, clashes)
    smaller = _smallest(found, clashes) if len(found) <= _EXHAUSTIVE else found
    return tuple(part for part in start if part in smaller)


def _without_idle(parts: Sequence[Part], clashes: Callable[[Sequence[Part]], bool]) -> tuple[Part, ...]:
    """Take out what can be taken out, pieces of half the size at first, then single parts, from the end."""
    kept = list(parts)
    size = max(1, len(kept) // 2)
    while True:
        before, position = len(kept), len(kept)
        while position > 0:
            rest = kept[: max(0, position - size)] + kept[position:]
            if len(rest) < len(kept) and clashes(rest):
                kept = rest
                position = min(position - size, len(kept))
            else:
                position -= size
        if size == 1 and len(kept) == before:
            return tuple(kept)
        size = max(1, size // 2)


def _smallest(parts: Sequence[Part], clashes: Callable[[Sequence[Part]], bool]) -> Sequence[Part]:
    for count in range(len(parts)):
        for subset in combinations(parts, count):
            if clashes(subset):
                return subset
    return parts

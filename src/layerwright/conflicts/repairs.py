"""Repairs that were tried: each change is made to the facts, and all rules judge the outcome, before it is offered."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from layerwright.conflicts.candidates import candidates
from layerwright.conflicts.changes import AddApt, Change, Require, SetBase, SetRole, Swap, apply
from layerwright.conflicts.debian import without_implied
from layerwright.conflicts.edits import as_fix, cost
from layerwright.conflicts.minimal import responsible, same
from layerwright.conflicts.parts import Part
from layerwright.conflicts.proposals import changes_of
from layerwright.core.findings import Finding, Fix
from layerwright.facts.model import Subject
from layerwright.rules import Rule, judge

__all__ = ["repairs"]

_MOST: Final = 5
"""Repairs that are offered."""

_TRIED: Final = 120
"""Changes that are tried for one finding; the cheapest first."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]*")
_STEPS: Final = 2
"""Changes that may be needed together: another NumPy together with another ONNX Runtime, but not more."""


_AFTER_PROPOSALS: Final = 3


class _Try(Struct, frozen=True, kw_only=True):
    """Changes, what they cost together, and the rule's words when a rule proposed them."""

    changes: tuple[Change, ...]
    cost: int
    text: str = ""
    command: str = ""


def repairs(
    subject: Subject,
    finding: Finding,
    parts: Sequence[Part],
    found: Sequence[Finding],
    rules: Sequence[Rule],
) -> tuple[Fix, ...]:
    """Repairs that mend a finding and break nothing, cheapest first; then the rule's advice that nobody can try.

    A repair counts when the finding is gone, not merely unknown, and no error is there that was not there before.

    Args:
        subject: where it was found.
        finding: of level error.
        parts: the minimal set that clashes.
        found: everything that the rules found in the subject.
        rules: all of them.
    """
    before = [one for one in found if one.level == "error"]
    asked = responsible(finding, rules)
    proposed, advice = _proposed(finding, subject)
    queue = sorted([*proposed, *_own(subject, parts)], key=lambda one: one.cost)
    good: list[_Try] = []
    seen: set[frozenset[Change]] = set()
    tried = 0
    while queue and tried < _TRIED and len(good) < _MOST:
        one = queue.pop(0)
        key = frozenset(one.changes)
        if key in seen or _more_of_the_same(one, good):
            continue
        seen.add(key)
        tried += 1
        after = _applied(subject, one.changes)
        if after is None:
            continue
        left = _left(after, finding, asked)
        if left:
            queue = sorted([*queue, *_more_apt(one, after, left[0])], key=lambda step: step.cost)
            continue
        new = _new_errors(judge(after, rules), before)
        if not new:
            good.append(one)
        elif len(one.changes) < _STEPS and len(new) <= _STEPS:
            queue = sorted([*queue, *_next(one, after, new[0])], key=lambda step: step.cost)
    checked = [as_fix(one.changes, subject, text=one.text, command=one.command) for one in good]
    checked.sort(key=lambda fix: fix.cost)
    return (*checked, *advice)


def _proposed(finding: Finding, subject: Subject) -> tuple[list[_Try], list[Fix]]:
    """The rule's own fixes: those that can be tried, and those that are advice in words."""
    proposed, advice = [], []
    for fix in finding.fix:
        changes = changes_of(fix, subject)
        if changes:
            price = sum(cost(change, subject) for change in changes)
            if isinstance(changes[0], SetRole):
                price = max(price, fix.cost)
            proposed.append(_Try(changes=changes, cost=price, text=fix.text, command=fix.command))
        elif not fix.edit:
            advice.append(fix)
    return proposed, advice


def _own(subject: Subject, parts: Iterable[Part]) -> Iterator[_Try]:
    for change in candidates(subject, parts):
        # a base that the rule proposes is the better one: the rule knows what it is needed for
        later = _AFTER_PROPOSALS if isinstance(change, SetBase) else 0
        yield _Try(changes=(change,), cost=cost(change, subject) + later)


def _next(step: _Try, after: Subject, error: Finding) -> Iterator[_Try]:
    """The step together with what mends the error that it brought."""
    named = [
        Part("wheel", one.name) for one in error.members if one.kind == "wheel" and one.name in after.packages
    ]
    more = [changes_of(fix, after) for fix in error.fix]
    more += [(change,) for change in candidates(after, named)]
    for changes in more:
        if changes and not set(changes) & set(step.changes):
            yield _Try(
                changes=_folded((*step.changes, *changes)),
                cost=step.cost + sum(cost(change, after) for change in changes),
            )


def _folded(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes, with what is said twice of one package said once: the later word counts."""
    folded: list[Change] = []
    for change in changes:
        if isinstance(change, Require):
            earlier = next(
                (
                    number
                    for number, one in enumerate(folded)
                    if isinstance(one, Swap | Require) and _about(one) == _about(change)
                ),
                None,
            )
            if earlier is not None:
                folded[earlier] = replace(folded[earlier], requirement=change.requirement)
                continue
        folded.append(change)
    return tuple(folded)


def _about(change: Swap | Require) -> str:
    """The package that a change asks for."""
    return canonicalize_name(_NAME.match(change.requirement)[0])  # type: ignore[index]  # it matches any text


def _applied(subject: Subject, changes: Iterable[Change]) -> Subject | None:
    after: Subject | None = subject
    for change in changes:
        after = apply(change, after) if after is not None else None
    return after


def _left(after: Subject, finding: Finding, asked: Sequence[Rule]) -> list[Finding]:
    """What is left of the finding; what nobody can say now counts as left."""
    found = [one for one in judge(after, asked) if one.code == finding.code]
    return [one for one in found if one.level == "unknown" or (one.level == "error" and same(one, finding))]


def _more_apt(step: _Try, after: Subject, left: Finding) -> Iterator[_Try]:
    """The step with the further Debian packages that the rule names once the first ones are there."""
    if not any(isinstance(change, AddApt) for change in step.changes) or left.level != "error":
        return
    more = [change for fix in left.fix for change in changes_of(fix, after) if isinstance(change, AddApt)]
    names = tuple(name for change in more for name in change.names if name not in after.system)
    if names:
        changes = tuple(
            AddApt(without_implied((*change.names, *names))) if isinstance(change, AddApt) else change
            for change in step.changes
        )
        yield replace(step, changes=changes, cost=step.cost + 1)


def _new_errors(after: Iterable[Finding], before: Sequence[Finding]) -> list[Finding]:
    return [one for one in after if one.level == "error" and not any(same(one, old) for old in before)]


def _more_of_the_same(one: _Try, good: Sequence[_Try]) -> bool:
    """Whether a cheaper repair changes the same things in the same way, or is enough by itself: one base will do."""
    return any(_shape(one) == _shape(other) or set(other.changes) < set(one.changes) for other in good)


def _shape(one: _Try) -> frozenset[str]:
    return frozenset(_changed(change) for change in one.changes)


def _changed(change: Change) -> str:
    """What a change is about: its kind, and the package or the packages."""
    for name in ("requirement", "old", "name"):
        value = getattr(change, name, None)
        if value:
            return f"{type(change).__name__} {_NAME.match(value)[0]}"  # type: ignore[index]  # it matches any text
    return type(change).__name__

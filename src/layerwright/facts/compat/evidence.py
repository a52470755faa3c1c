"""Which source to believe: binary before metadata before documentation before third parties."""

from collections.abc import Callable, Iterable, Sequence
from operator import eq
from typing import Generic, TypeVar

from msgspec import Struct

from layerwright.core.findings import CONFIDENCES, Evidence

__all__ = ["Claim", "Disagreement", "Settled", "settle", "strongest_first"]

_Value = TypeVar("_Value")


class Claim(Struct, Generic[_Value], frozen=True, kw_only=True):
    """What one source says."""

    value: _Value
    evidence: Evidence


class Disagreement(Struct, frozen=True, kw_only=True):
    """Two sources that cannot both be right, or do not speak of the same thing.

    Attributes:
        believed: the stronger one.
        other: the one that was set aside.
    """

    believed: Evidence
    other: Evidence


class Settled(Struct, Generic[_Value], frozen=True, kw_only=True):
    """The outcome.

    Attributes:
        value: what the strongest source says; None when there is none.
        evidence: sources that say so, strongest first.
        disagreements: sources that say something else, each against the strongest.
    """

    value: _Value | None
    evidence: tuple[Evidence, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()


def settle(claims: Sequence[Claim[_Value]], agree: Callable[[_Value, _Value], bool] = eq) -> Settled[_Value]:
    """Believe the strongest claim, the first of them among equals, and name those that differ.

    ``agree`` says whether two values can both be true, for values of different precision (``12.x`` and ``12.4``).
    """
    if not claims:
        return Settled(value=None)
    best, *rest = sorted(claims, key=lambda claim: CONFIDENCES.index(claim.evidence.confidence))
    same = [claim.evidence for claim in rest if agree(best.value, claim.value)]
    other = [claim.evidence for claim in rest if not agree(best.value, claim.value)]
    return Settled(
        value=best.value,
        evidence=(best.evidence, *same),
        disagreements=tuple(Disagreement(believed=best.evidence, other=evidence) for evidence in other),
    )


def strongest_first(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """In order of confidence, each once; the order among equals stays."""
    return tuple(sorted(dict.fromkeys(evidence), key=lambda one: CONFIDENCES.index(one.confidence)))

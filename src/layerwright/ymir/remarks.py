"""Remarks on what an executor did: what the platform makes of it, by which rule, and the repair."""

import reprlib
from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["MISSING", "OUTCOMES", "Collector", "Outcome", "Remark", "brief", "count_outcomes", "sort_remarks"]

Outcome = Literal["rejected", "lost", "unknown", "fine"]
"""``rejected``: the platform refuses it, and the task fails. ``lost``: the platform takes it without a word, and
something of it is lost or wrong afterwards. ``unknown``: the contract does not say what the platform does. ``fine``:
worth knowing, and nothing is lost."""

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class Remark(Struct, frozen=True, kw_only=True):
    """One remark about a run.

    Attributes:
        outcome: what the platform makes of it.
        rule: section of the contract's description, such as ``3.2`` (docs/explanation/platform-verdicts.md).
        file: path in the container, such as ``/out/models/result.yaml``; empty when it is about no file.
        field: path of the field in the file, such as ``model_stages.s1.mAP`` or ``line 3``; empty for the whole file.
        message: what is wrong, one sentence without a full stop.
        repair: how the executor's author mends it, one sentence without a full stop.
        code: the code that the platform gives the task; 0 unless rejected.
        count: how many places it was found in; ``field`` names the first.
    """

    outcome: Outcome
    rule: str
    file: str = ""
    field: str = ""
    message: str
    repair: str = ""
    code: int = 0
    count: int = 1


def sort_remarks(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """Worst first; those of one outcome keep their order."""
    return tuple(sorted(remarks, key=lambda remark: OUTCOMES.index(remark.outcome)))


def count_outcomes(remarks: Iterable[Remark]) -> Mapping[str, int]:
    """How many remarks of each outcome there are."""
    counts: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
    for remark in remarks:
        counts[remark.outcome] += 1
    return counts


MISSING: Final = "the file is missing"
"""The message on a result file that is not there."""

_BRIEF: Final = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother, _BRIEF.maxlong = 2, 60, 60, 40


def brief(value: object) -> str:
    """A value in a message: short whatever it holds (a few lines of YAML can stand for billions of values)."""
    return _BRIEF.repr(value)


class Collector:
    """Gathers remarks of one file; the same rule broken in many places is one remark with a count."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[tuple[Outcome, str, str], Remark] = {}

    def add(
        self,
        outcome: Outcome,
        rule: str,
        field: str,
        message: str,
        repair: str = "",
        *,
        code: int = 0,
        kind: str = "",
    ) -> None:
        """Add a remark, or count one more place of a known one.

        Args:
            outcome: what the platform makes of it.
            rule: section.
            field: where in the file.
            message: what is wrong; ``kind`` joins messages that differ in details only.
            repair: how to mend it.
            code: the platform's.
            kind: what makes two remarks the same; empty for the message itself.
        """
        key = (outcome, rule, kind or message)
        known = self._found.get(key)
        if known is not None:
            self._found[key] = replace(known, count=known.count + 1)
            return
        self._found[key] = Remark(
            outcome=outcome,
            rule=rule,
            file=self.file,
            field=field,
            message=message,
            repair=repair,
            code=code,
        )

    def done(self) -> tuple[Remark, ...]:
        """All remarks, worst first."""
        return sort_remarks(self._found.values())

"""Progress of a task: how the platform merges reports (§3.1), the time it shows (§4.3), and a time to rely on."""

import math
from collections.abc import Sequence

from msgspec import Struct

from layerwright.ymir.codes import State
from layerwright.ymir.monitor import MonitorReport

__all__ = [
    "Merged",
    "Sample",
    "is_news",
    "merge",
    "moving_rate_remaining",
    "platform_remaining",
    "shown_percent",
]


class Merged(Struct, frozen=True, kw_only=True):
    """The state of a task as the platform stores it.

    Attributes:
        percent: 0…1, unless an executor reported more.
        state: of the whole task.
        code: of the file with the newest time.
        final: later reports are ignored.
    """

    percent: float
    state: State
    code: int = 0
    final: bool = False


def is_news(known_time_text: str, report: MonitorReport) -> bool:
    """Whether the platform looks at a report at all: only when the text of its time has changed."""
    return report.time_text != known_time_text


def merge(files: Sequence[tuple[MonitorReport, float]]) -> Merged:
    """Merge the reports of a task's files (§3.1, merge rule).

    Args:
        files: each sub-task's report with its weight; the sub-task "index" has weight 0. At least one.
    """
    newest = max((report for report, _ in files), key=lambda report: report.time)
    states = [report.state for report, _ in files]
    if State.ERROR in states:
        return Merged(percent=1.0, state=State.ERROR, code=newest.code, final=True)
    if all(state is State.DONE for state in states):
        return Merged(percent=1.0, state=State.DONE, code=newest.code)
    if all(state is State.PENDING for state in states):
        return Merged(percent=0.0, state=State.PENDING, code=newest.code)
    total = sum(weight for _, weight in files)
    percent = sum(report.percent * weight for report, weight in files) / total if total else 0.0
    return Merged(percent=percent, state=State.RUNNING, code=newest.code)


_WHOLE = 100


def shown_percent(percent: float, *, stored: bool) -> int:
    """The number that people see; 1 is shown as 99 until the result is stored (§4.3)."""
    if not math.isfinite(percent):
        return 0
    shown = math.floor(percent * _WHOLE)
    return min(shown, _WHOLE - 1) if not stored else shown


def platform_remaining(percent: float, *, created: float, now: float) -> float | None:
    """Seconds left as the platform's pages show them: from the task's creation on, without smoothing (§4.3).

    None while nothing can be said (the pages show "…").
    """
    if not math.isfinite(percent):
        return None
    p = math.floor(percent * _WHOLE)
    if p <= 0:
        return None
    return (now - created) * (_WHOLE - p) / p


class Sample(Struct, frozen=True, kw_only=True):
    """A percent that was seen at a time (seconds of any clock)."""

    time: float
    percent: float


_WINDOW = 8
"""Samples that the moving rate looks back: enough to even out single epochs, few enough to follow a change."""

_LONGEST = 365 * 24 * 3600.0


def moving_rate_remaining(samples: Sequence[Sample], *, started: float, now: float) -> float | None:
    """Seconds left by the rate of the latest reports, counted from the container's start.

    Time that has passed since the latest report counts against the estimate until the next one comes; a report that
    is overdue makes the estimate grow again rather than stand at zero.

    Args:
        samples: in order of time; those that did not rise are left out of the rate.
        started: when the container started, on the clock of the samples.
        now: on the same clock.

    Returns:
        None while no report has shown progress.
    """
    rising = [Sample(time=started, percent=0.0)]
    for sample in samples:
        if (
            math.isfinite(sample.percent)
            and rising[-1].percent < sample.percent <= 1
            and sample.time > started
        ):
            rising.append(sample)
    if len(rising) == 1:
        return None
    newest = rising[-1]
    if newest.percent >= 1:
        return 0.0
    window = rising[-_WINDOW:]
    spent = newest.time - window[0].time
    gained = newest.percent - window[0].percent
    if spent <= 0 or gained <= 0:
        return None
    left = (1 - newest.percent) * spent / gained
    waited = max(0.0, now - newest.time)
    usual = spent / (len(window) - 1)
    if waited <= usual:
        return min(max(left - waited, 0.0), _LONGEST)
    return min(max(left - usual, 0.0) + (waited - usual), _LONGEST)

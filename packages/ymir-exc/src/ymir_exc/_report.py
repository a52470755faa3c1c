"""The line of monitor.txt: made, read back, and held between bounds when that is asked for (§3.1)."""

from __future__ import annotations

import math
import re
import warnings
from typing import NamedTuple

__all__ = ["Report", "bounded", "format_report", "parse_report", "too_soon"]

_COLUMNS_NEEDED = 4


class Report(NamedTuple):
    """One report of progress."""

    task_id: str
    timestamp: float
    percent: float
    state: int
    code: int = 0


def format_report(report: Report, message: str = "", details: str = "") -> str:
    """The content of monitor.txt: five columns, the message as a sixth if there is one, then free text."""
    columns = [
        one_line(report.task_id),
        repr(float(report.timestamp)),
        f"{report.percent:.2f}",
        str(int(report.state)),
        str(int(report.code)),
    ]
    if message:
        columns.append(one_line(message))
    text = "\t".join(columns) + "\n"
    if details:
        text += details if details.endswith("\n") else details + "\n"
    return text


def parse_report(text: str) -> Report | None:
    """The report that a monitor.txt holds; None when it holds none."""
    columns = text.partition("\n")[0].strip().split("\t")
    if len(columns) < _COLUMNS_NEEDED:
        return None
    try:
        code = int(columns[4]) if len(columns) > _COLUMNS_NEEDED else 0
        return Report(columns[0], float(columns[1]), float(columns[2]), int(columns[3]), code)
    except ValueError:
        return None


def one_line(text: str) -> str:
    """A text without tabs and line ends, which would make columns and lines of it."""
    return re.sub(r"\s+", " ", text).strip()


def bounded(report: Report, last: Report | None) -> Report:
    """The report with a percent from 0 to 1 that is not below the last one's.

    Only reports of the same task count; the line that the platform writes before the start has state 1.
    """
    percent = 0.0 if math.isnan(report.percent) else min(max(report.percent, 0.0), 1.0)
    if last is not None and last.task_id == report.task_id and last.state == report.state:
        percent = max(percent, min(last.percent, 1.0))
    return report._replace(percent=percent)


def too_soon(report: Report, last: Report | None, seconds: float) -> bool:
    """Whether a report may be left out, since the last one is younger than so many seconds.

    The first, the last (percent 1, as it will stand in the file) and every change of state are written.
    """
    if (
        last is None
        or round(report.percent, 2) >= 1
        or (last.task_id, last.state) != (report.task_id, report.state)
    ):
        return False
    return 0 <= report.timestamp - last.timestamp < seconds


def warn_of_percent(percent: float) -> None:
    """Say what the platform makes of a percent outside of 0 to 1."""
    if not 0 <= percent <= 1:
        warnings.warn(
            f"progress is {percent}, and YMIR's web pages cannot show a task whose progress is not from 0 to 1; "
            "give a fraction (0.5 for half), or set YMIR_MONITOR_MONOTONIC=1 to have it kept in bounds",
            stacklevel=3,
        )

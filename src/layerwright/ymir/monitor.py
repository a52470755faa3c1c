"""monitor.txt as the platform reads it (§3.1), and what a report loses although the platform reads it."""

from typing import Literal

from msgspec import Struct

from layerwright.ymir.codes import MONITOR_ABSENT, MONITOR_UNREADABLE, State
from layerwright.ymir.remarks import Collector, Remark

__all__ = [
    "MONITOR_FILE",
    "MonitorFault",
    "MonitorReport",
    "check_report",
    "check_step",
    "controller_line",
    "first_line",
    "last_line",
    "read_monitor",
]

MONITOR_FILE = "/out/monitor.txt"

_COLUMNS = 4
_KNOWN_COLUMNS = 6


class MonitorFault(Exception):  # noqa: N818 - a state of the file; readers of the table meet it by this name
    """A monitor file that gives no report.

    Attributes:
        kind: ``empty``: skipped until the next poll (the platform's parser raises EOFError); ``unreadable``: the
            task ends with 150404 (ValueError); ``absent``: it ends with 150402.
        message: why, one sentence without a full stop.
        field: which column.
        repair: how to mend it.
    """

    def __init__(
        self, kind: Literal["empty", "unreadable", "absent"], message: str, *, field: str, repair: str
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.field = field
        self.repair = repair

    @property
    def code(self) -> int:
        """What a poll that meets it ends the task with; 0 when it only skips it."""
        return {"empty": 0, "unreadable": MONITOR_UNREADABLE, "absent": MONITOR_ABSENT}[self.kind]

    def remark(self) -> Remark:
        """The fault as a remark."""
        return Remark(
            outcome="lost" if self.kind == "empty" else "rejected",
            rule="3.1",
            file=MONITOR_FILE,
            field=self.field,
            message=self.message,
            repair=self.repair,
            code=self.code,
        )


class MonitorReport(Struct, frozen=True, kw_only=True):
    """One report of an executor.

    Attributes:
        task_id: column 1; the platform does not look at it.
        time: column 2, seconds of the Unix clock.
        time_text: column 2 as it stands: a report is noticed when this text changes.
        percent: column 3, not limited to 0…1.
        state: column 4.
        code: column 5, 0 when there is none.
        message: column 6.
        stack: the further lines.
        columns: how many there are in the first line.
    """

    task_id: str
    time: float
    time_text: str
    percent: float
    state: State
    code: int = 0
    message: str = ""
    stack: str = ""
    columns: int = _COLUMNS


_LINE = "task_id TAB time TAB percent TAB state [TAB code [TAB message]]"


def read_monitor(text: str) -> MonitorReport:
    """Read a monitor file as the platform's parser does.

    Args:
        text: the file.

    Raises:
        MonitorFault: the platform gets no report from it.
    """
    if not text:
        raise MonitorFault(
            "empty",
            "the file is empty, and this poll is skipped",
            field="",
            repair="write to a temporary file beside it and rename: no reader then meets an empty file",
        )
    first, _, stack = text.partition("\n")
    columns = first.strip(" \r").split("\t")
    if not first.strip():
        raise _unreadable("line 1", "the first line is blank", f"begin with the report itself: {_LINE}")
    if len(columns) < _COLUMNS:
        raise _unreadable(
            "line 1",
            f"the first line has {len(columns)} of at least {_COLUMNS} columns",
            f"put tabs, not blanks, between the columns: {_LINE}",
        )
    task, time_text, percent, state = columns[:_COLUMNS]
    return MonitorReport(
        task_id=task.removeprefix("\ufeff"),
        time=_float("column 2 (time)", time_text),
        time_text=time_text.strip(),
        percent=_float("column 3 (percent)", percent),
        state=_state(state),
        code=_code(columns[_COLUMNS]) if len(columns) > _COLUMNS else 0,
        message=columns[_COLUMNS + 1] if len(columns) > _COLUMNS + 1 else "",
        stack=stack.strip("\r\n"),
        columns=len(columns),
    )


def _unreadable(field: str, message: str, repair: str) -> MonitorFault:
    return MonitorFault("unreadable", message, field=field, repair=repair)


def _float(field: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        repair = "write a fraction from 0 to 1: 0.5 for 50 %" if "percent" in field else "write time.time()"
        raise _unreadable(field, f"{text!r} is no number", repair) from None


def _state(text: str) -> State:
    try:
        return State(int(text))
    except ValueError:
        raise _unreadable(
            "column 4 (state)",
            f"{text!r} is no state",
            "write 2 while it runs and 4 after an error, as a bare number",
        ) from None


def _code(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _unreadable(
            "column 5 (code)",
            f"{text!r} is no code",
            "write 0, a code such as 300103, or leave the column out",
        ) from None


def check_report(report: MonitorReport) -> tuple[Remark, ...]:
    """What the platform takes but does not show rightly, in one report."""
    found = Collector(MONITOR_FILE)
    percent = report.percent
    if percent != percent:  # noqa: PLR0124 - NaN alone differs from itself
        found.add(
            "lost",
            "3.1",
            "column 3 (percent)",
            "the percent is NaN",
            "divide by the number of steps only when it is known",
        )
    elif percent > 1:
        found.add(
            "lost",
            "3.1",
            "column 3 (percent)",
            f"the percent is {percent:g}, and a task with more than 1 cannot be read in the web API",
            "write a fraction from 0 to 1: 0.5 for 50 %",
            kind="above 1",
        )
    elif percent < 0:
        found.add(
            "lost",
            "3.1",
            "column 3 (percent)",
            f"the percent is {percent:g}, and a task with less than 0 cannot be read in the web API",
            "write a fraction from 0 to 1",
            kind="below 0",
        )
    if report.state in {State.UNKNOWN, State.PENDING, State.DONE}:
        found.add(
            "fine",
            "3.1",
            "column 4 (state)",
            f"the state is {report.state.value}, which is the platform's to write; the platform goes by the exit code",
            "write 2 while it runs, 4 after an error",
            kind="state",
        )
    if report.state is State.RUNNING and report.code != 0:
        found.add(
            "fine",
            "3.1",
            "column 5 (code)",
            f"the code is {report.code} while the state is 2 (running); it counts only if the program fails afterwards",
            "write code 0 while it runs",
            kind="code while running",
        )
    if report.state is State.ERROR and report.code == 0:
        found.add(
            "lost",
            "4.2",
            "column 5 (code)",
            "the state is 4 (error) and no code says why: people read 160004",
            "write a code in column 5: 300103 out of memory, 300201 NaN, 300002 no data, …",
        )
    if report.columns > _KNOWN_COLUMNS:
        found.add(
            "fine",
            "3.1",
            f"column {_KNOWN_COLUMNS + 1}",
            f"the line has {report.columns} columns, and the platform reads {_KNOWN_COLUMNS}",
            "put further text into the lines below",
        )
    return found.done()


def check_step(before: MonitorReport, after: MonitorReport) -> tuple[Remark, ...]:
    """What two reports, one after the other, do wrong together."""
    found = Collector(MONITOR_FILE)
    if after.percent < before.percent:
        found.add(
            "lost",
            "3.1",
            "column 3 (percent)",
            f"the percent went back from {before.percent:g} to {after.percent:g}; the remaining time shown is wrong",
            "never report less than before",
            kind="back",
        )
    same_time = after.time_text == before.time_text
    if same_time and (after.percent, after.state, after.code) != (before.percent, before.state, before.code):
        found.add(
            "lost",
            "3.1",
            "column 2 (time)",
            f"the report changed and its time {after.time_text} did not; the platform does not notice it",
            "write the time of the report with its fraction: time.time()",
            kind="same time",
        )
    return found.done()


def controller_line(task_id: str, now: float) -> str:
    """What the controller writes before the command layer begins (§3.1, life of the file)."""
    return f"{task_id}\t{now:.6f}\t0.0\t{State.RUNNING.value}\n"


def first_line(task_id: str, now: float) -> str:
    """What the command layer writes before the container starts."""
    return f"{task_id}\t{now:.6f}\t0.00\t{State.PENDING.value}\t0\n"


def last_line(task_id: str, now: float, *, code: int, reason: str = "") -> str:
    """What the command layer writes when all is over: done, or an error with its code and the reason below."""
    state = State.DONE if code == 0 else State.ERROR
    return f"{task_id}\t{now:.6f}\t1.00\t{state.value}\t{code}\n" + (f"{reason}\n" if reason else "")

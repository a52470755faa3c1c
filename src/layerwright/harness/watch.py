"""A container runs: its monitor file is polled as the platform does, and looked at more often than that."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from layerwright.harness.beneath import open_beneath
from layerwright.harness.records import RunRecord
from layerwright.harness.starter import RunningContainer
from layerwright.ymir.monitor import (
    MONITOR_FILE,
    MonitorFault,
    MonitorReport,
    check_report,
    check_step,
    read_monitor,
)
from layerwright.ymir.progress import (
    Merged,
    Sample,
    is_news,
    merge,
    moving_rate_remaining,
    platform_remaining,
)
from layerwright.ymir.remarks import Collector, Remark, sort_remarks
from layerwright.ymir.verdict import Ending, Verdict, from_poll

__all__ = ["Clock", "Progress", "WatchOptions", "read_monitor_file", "watch"]

_LOOK_SECONDS: Final = 0.1
"""How often the file is looked at between polls: finds half-written files and steps back that a poll would miss."""

_LARGEST: Final = 1 << 20


class Clock(Struct, frozen=True, kw_only=True):
    """Time from outside, so that tests need none.

    Attributes:
        now: Unix seconds.
        sleep: waits for so many seconds.
    """

    now: Callable[[], float]
    sleep: Callable[[float], None]


class Progress(Struct, frozen=True, kw_only=True):
    """What is known at one time.

    Attributes:
        merged: as the platform has it after its latest poll.
        latest: the percent that stands in the file.
        remaining: seconds, by a moving rate.
        platform_remaining: seconds, as the platform shows them.
        polled: the verdict of a poll, when it made one.
    """

    merged: Merged
    latest: float
    remaining: float | None
    platform_remaining: float | None
    polled: Verdict | None = None


class WatchOptions(Struct, frozen=True, kw_only=True):
    """How to watch.

    Attributes:
        poll_seconds: between two polls; the platform's is 20.
        timeout: seconds after which the container is killed; 0 for never, which is the platform's way.
        created: when the task was made, Unix seconds.
        cancelled: says whether to end it; asked often.
        kill_when: says whether to kill it now; a robustness run.
        on_progress: gets what is known, at each poll and each new report.
    """

    poll_seconds: float = 20.0
    timeout: float = 0.0
    created: float
    cancelled: Callable[[], bool] = lambda: False
    kill_when: Callable[[Progress], bool] | None = None
    on_progress: Callable[[Progress], None] = lambda _: None


def watch(
    container: RunningContainer, monitor: Path, first: MonitorReport, options: WatchOptions, clock: Clock
) -> RunRecord:
    """Wait for the end of a container.

    Args:
        container: it runs.
        monitor: the host's file behind /out/monitor.txt.
        first: the report that stands there at the start, which is the platform's own.
        options: how to watch.
        clock: time.
    """
    watcher = _Watcher(monitor, first, options, clock)
    ending = watcher.until_ended(container)
    exit_code = container.poll()
    watcher.look()
    return RunRecord(
        exit_code=137 if exit_code is None else exit_code,
        ending=ending,
        started=watcher.started,
        ended=clock.now(),
        polled=watcher.polled,
        reports=watcher.reports,
        first_report=watcher.first_report,
        remarks=watcher.all_remarks(),
    )


class _Watcher:
    def __init__(self, monitor: Path, first: MonitorReport, options: WatchOptions, clock: Clock) -> None:
        self.monitor, self.options, self.clock = monitor, options, clock
        self.started = clock.now()
        self.first = self.seen = first
        self.polled_time = first.time_text
        self.merged = merge([(first, 1.0)])
        self.polled: Verdict | None = None
        self.reports = 0
        self.first_report: float | None = None
        self.samples: list[Sample] = []
        self.found = Collector(MONITOR_FILE)

    def until_ended(self, container: RunningContainer) -> Ending:
        next_poll = self.started + self.options.poll_seconds
        for turn in itertools.count():
            if container.poll() is not None:
                return "exited"
            now = self.clock.now()
            changed = self.look()
            if now >= next_poll:
                self.poll()
                next_poll += self.options.poll_seconds * (1 + (now - next_poll) // self.options.poll_seconds)
                changed = True
            progress = self.progress()
            # Once a second, so that the remaining time shown goes on between reports.
            if changed or turn % round(1 / _LOOK_SECONDS) == 0:
                self.options.on_progress(progress)
            if self.options.cancelled():
                container.kill()
                return "cancelled"
            if self.options.kill_when is not None and self.options.kill_when(progress):
                container.kill()
                return "killed"
            if self.options.timeout and now - self.started > self.options.timeout:
                container.kill()
                return "timed out"
            self.clock.sleep(_LOOK_SECONDS)
        raise AssertionError

    def look(self) -> bool:
        """Look at the file between polls; whether there is a new report."""
        try:
            report = read_monitor_file(self.monitor)
        except MonitorFault as fault:
            empty = fault.kind == "empty"
            self.found.add(
                "fine" if empty else "lost",
                "3.1",
                fault.field,
                f"the file could not be read for a moment: {fault.message}"
                + ("" if empty else f"; a poll that meets it ends the task with {fault.code}"),
                fault.repair,
                kind=fault.kind,
            )
            return False
        before = self.seen
        if report == before:
            return False
        if before is not self.first:
            self._keep(check_step(before, report))
        self._keep(check_report(report))
        self.seen = report
        self.reports += 1
        now = self.clock.now()
        if self.first_report is None:
            self.first_report = now - self.started
        self.samples.append(Sample(time=now, percent=report.percent))
        return True

    def poll(self) -> None:
        """What the platform does every 20 seconds."""
        if self.merged.final or self.polled is not None:
            return
        try:
            report = read_monitor_file(self.monitor)
        except MonitorFault as fault:
            self.polled = from_poll(fault)
            return
        if not is_news(self.polled_time, report):
            return
        self.polled_time = report.time_text
        self.merged = merge([(report, 1.0)])
        self.polled = from_poll(report)

    def progress(self) -> Progress:
        now = self.clock.now()
        return Progress(
            merged=self.merged,
            latest=self.seen.percent,
            remaining=moving_rate_remaining(self.samples, started=self.started, now=now),
            platform_remaining=platform_remaining(self.merged.percent, created=self.options.created, now=now),
            polled=self.polled,
        )

    def _keep(self, remarks: tuple[Remark, ...]) -> None:
        for remark in remarks:
            self.found.add(
                remark.outcome, remark.rule, remark.field, remark.message, remark.repair, kind=_kind(remark)
            )

    def all_remarks(self) -> tuple[Remark, ...]:
        return sort_remarks(self.found.done())


def _kind(remark: Remark) -> str:
    """Remarks that differ in their numbers only are one."""
    return f"{remark.field} {''.join(letter for letter in remark.message if not letter.isdigit())}"


def read_monitor_file(path: Path) -> MonitorReport:
    """Read a monitor file.

    Raises:
        MonitorFault: it gives no report; a file that is not there counts as unreadable.
    """
    try:
        with open_beneath(path.parent, path.name) as file:
            text = file.read(_LARGEST).decode("utf-8", errors="replace")
    except OSError as error:
        raise MonitorFault(
            "absent",
            f"the file cannot be opened ({error.strerror})",
            field="",
            repair="never remove it: write a temporary file beside it and rename that",
        ) from error
    return read_monitor(text)

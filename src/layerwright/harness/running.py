"""A prepared job is run to its end: started, watched, judged, written down."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.errors import LayerwrightError
from layerwright.harness.beneath import read_beneath
from layerwright.harness.folders import Prepared
from layerwright.harness.jobs import asked_to_cancel, process_start
from layerwright.harness.judging import judge_folder, read_training
from layerwright.harness.records import (
    JOB,
    LOG_PLACE,
    MONITOR_COPY,
    REPORT,
    RUN,
    STATE,
    Job,
    Phase,
    Report,
    RunRecord,
    State,
    write_record,
    write_text,
)
from layerwright.harness.starter import Starter
from layerwright.harness.watch import Clock, Progress, WatchOptions, read_monitor_file, watch
from layerwright.ymir.monitor import last_line
from layerwright.ymir.progress import shown_percent

__all__ = ["RunOptions", "run_job"]

_LARGEST_MONITOR = 1 << 20


class RunOptions(Struct, frozen=True, kw_only=True):
    """How a job is run.

    Attributes:
        poll_seconds: between two polls of the monitor file; the platform's is 20.
        timeout: seconds after which it is killed; 0 for never.
        kill_when: says whether to kill it now; a robustness run.
        on_state: gets each new state.
    """

    poll_seconds: float = 20.0
    timeout: float = 0.0
    kill_when: Callable[[Progress], bool] | None = None
    on_state: Callable[[State], None] = lambda _: None


def run_job(prepared: Prepared, starter: Starter, options: RunOptions, clock: Clock) -> Report:
    """Run a prepared job to its end.

    Whatever happens, the folder tells it afterwards: ``state.json`` while it runs, ``run.json`` and ``report.json``
    when it has ended.

    Args:
        prepared: the work folder.
        starter: starts its container.
        options: how.
        clock: time.

    Raises:
        EngineError: the container could not be started.
        KeyboardInterrupt: the caller's; the container is killed and the folder judged before.
    """
    return _Runner(prepared, starter, options, clock).run()


class _Runner:
    def __init__(self, prepared: Prepared, starter: Starter, options: RunOptions, clock: Clock) -> None:
        self.folder = prepared.folder
        self.launch = prepared.launch
        self.job: Job = replace(prepared.job, argv=tuple(starter.command_line(prepared.launch)))
        self.starter, self.options, self.clock = starter, options, clock
        self.state = State(
            phase="running",
            started=clock.now(),
            updated=clock.now(),
            pid=os.getpid(),
            pid_started=process_start(os.getpid()),
        )
        self.stages = _Stages(self.folder, self.job)

    def run(self) -> Report:
        write_record(self.folder, JOB, self.job)
        self._set(self.state)
        monitor = self.folder / "out" / "monitor.txt"
        first = read_monitor_file(monitor)
        try:
            with self.starter.start(self.launch, self.folder / LOG_PLACE) as container:
                try:
                    record = watch(container, monitor, first, self._watching(), self.clock)
                except KeyboardInterrupt:
                    container.kill()
                    self._finish(self._interrupted(), monitor)
                    raise
        except LayerwrightError as error:
            self._set(replace(self.state, phase="failed", message=error.what, remaining=None))
            raise
        return self._finish(record, monitor)

    def _watching(self) -> WatchOptions:
        return WatchOptions(
            poll_seconds=self.options.poll_seconds,
            timeout=self.options.timeout,
            created=self.job.created,
            cancelled=lambda: bool(asked_to_cancel(self.folder)),
            kill_when=self.options.kill_when,
            on_progress=self._progress,
        )

    def _progress(self, progress: Progress) -> None:
        self._set(
            replace(
                self.state,
                percent=_finite(progress.merged.percent),
                shown=shown_percent(progress.merged.percent, stored=False),
                latest=_finite(progress.latest),
                stage=self.stages.text(progress.latest),
                remaining=progress.remaining,
                platform_remaining=progress.platform_remaining,
                code=progress.merged.code,
            )
        )

    def _set(self, state: State) -> None:
        self.state = replace(state, updated=self.clock.now())
        write_record(self.folder, STATE, self.state)
        self.options.on_state(self.state)

    def _interrupted(self) -> RunRecord:
        return RunRecord(
            exit_code=137, ending="cancelled", started=self.state.started, ended=self.clock.now()
        )

    def _finish(self, record: RunRecord, monitor: Path) -> Report:
        record = replace(record, fetch_result=asked_to_cancel(self.folder) == "fetch")
        write_record(self.folder, RUN, record)
        last = None
        with suppress(PermissionError):  # a file that cannot be read is judged as such
            last = read_beneath(monitor.parent, monitor.name, _LARGEST_MONITOR)
        if last is not None:
            write_text(self.folder / MONITOR_COPY, last)
        report = judge_folder(self.folder)
        now = self.clock.now()
        line = last_line(self.job.task_id, now, code=report.verdict.code, reason=report.message)
        write_text(monitor, line.encode())
        write_record(self.folder, REPORT, report)
        phase: Phase = "done" if report.verdict.success else "failed"
        if record.ending == "cancelled":
            phase = "cancelled"
        done = report.verdict.success
        self._set(
            replace(
                self.state,
                phase=phase,
                percent=1.0,
                shown=100 if done else self.state.shown,
                code=report.verdict.code,
                remaining=None,
                platform_remaining=None,
                message=report.verdict.reason,
            )
        )
        return report


class _Stages:
    """What is being done, in words, as far as files tell."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder, self.job = folder, job
        self.known = (0, "")

    def text(self, percent: float) -> str:
        if self.job.also_infer:
            return f"task {1 if percent < 0.5 else 2} of 2"  # noqa: PLR2004 - each has half (§3.1)
        if self.job.task != "training":
            return ""
        try:
            changed = (self.folder / "out/models/result.yaml").stat().st_mtime_ns
        except OSError:
            return ""
        if changed != self.known[0]:
            text = ""
            try:
                check = read_training(self.folder)
            except OSError:  # the end tells
                return ""
            if check.result is not None:
                metric, value = check.result.top_metric
                count = len(check.result.stages)
                text = f"{count} stage{'s' if count > 1 else ''}, best: {check.result.best} ({metric} {value:.3f})"
            self.known = (changed, text)
        return self.known[1]


def _finite(number: float) -> float:
    return number if number == number and abs(number) != float("inf") else 0.0  # noqa: PLR0124 - NaN differs from itself

"""Robustness runs of an executor: each of ``harness.torture.TRIALS`` in a work folder of its own."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from layerwright.core.errors import LayerwrightError
from layerwright.harness.folders import prepare
from layerwright.harness.records import Report
from layerwright.harness.running import RunOptions, run_job
from layerwright.harness.torture import (
    MEMORY_STEPS,
    TRIALS,
    TortureReport,
    Trial,
    TrialRow,
    baseline_rows,
    judge_trial,
    kill_half_way,
)
from layerwright.workflow.executor_run import ExecutorRequest, Ready, make_ready, system_clock
from layerwright.workflow.session import Session

if TYPE_CHECKING:
    from layerwright.harness.folders import Inputs

__all__ = ["torture_executor"]

_POLL_SECONDS = 1.0


def torture_executor(
    session: Session, request: ExecutorRequest, *, on_row: Callable[[TrialRow], None] = lambda _: None
) -> TortureReport:
    """Run an executor plainly, and then once for each trial.

    Args:
        session: surroundings.
        request: what to run; its work folder holds one folder for each run.
        on_row: gets each line of the table when it is known.

    Raises:
        UsageError: the platform would refuse it before its start.
        EngineError: the engine does not answer.
    """
    ready = make_ready(session, request)
    rows: list[TrialRow] = []

    def add(*more: TrialRow) -> None:
        for row in more:
            rows.append(row)
            on_row(row)

    plain = _run(ready, request, ready.inputs, ready.folder / "plain")
    add(*baseline_rows(plain, ready.inputs.user, read_only=ready.starter.read_only_inputs))
    for trial in TRIALS:
        if request.task in trial.tasks:
            add(_try(ready, request, trial))
    return TortureReport(
        task=request.task, image=ready.inputs.image_name, engine=request.engine, rows=tuple(rows)
    )


def _try(ready: Ready, request: ExecutorRequest, trial: Trial) -> TrialRow:
    folder = ready.folder / trial.name
    changed = trial.change(ready.inputs, ready.folder / f"{trial.name}-data")
    if isinstance(changed, str):
        return TrialRow(name=trial.name, what=trial.what, shown="not shown", detail=changed)
    try:
        if not changed.memory:
            return judge_trial(trial, _run(ready, request, changed, folder, killed=trial.killed))
        return _with_less_and_less(ready, request, trial, changed, folder)
    except LayerwrightError as error:
        return TrialRow(
            name=trial.name, what=trial.what, shown="not shown", detail=error.what, folder=str(folder)
        )


def _with_less_and_less(
    ready: Ready, request: ExecutorRequest, trial: Trial, inputs: "Inputs", folder: Path
) -> TrialRow:
    row: TrialRow | None = None
    for step in MEMORY_STEPS:
        place = folder.with_name(f"{folder.name}-{step >> 20}")
        row = judge_trial(trial, _run(ready, request, replace(inputs, memory=step), place))
        row = replace(row, detail=f"with {step >> 20} MiB: {row.detail}")
        if row.shown != "not shown":
            break
    assert row is not None  # noqa: S101 - there is a step
    return row


def _run(
    ready: Ready, request: ExecutorRequest, inputs: "Inputs", folder: Path, *, killed: bool = False
) -> Report:
    # A container's name is the task's id, and two containers cannot have one.
    tail = sha256(folder.name.encode()).hexdigest()[:6]
    identified = replace(inputs, task_id=f"{inputs.task_id[:14]}{tail}{inputs.task_id[20:]}")
    prepared = prepare(folder, identified)
    options = RunOptions(
        poll_seconds=min(request.poll_seconds, _POLL_SECONDS),
        timeout=request.timeout,
        kill_when=kill_half_way if killed else None,
    )
    return run_job(prepared, ready.starter, options, system_clock())

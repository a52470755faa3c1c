"""A work folder → a report: the platform's verdict, and what it does not say (§3, §4.2). Starts nothing."""

import os
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.errors import UsageError
from layerwright.harness.beneath import beneath, open_beneath, read_beneath
from layerwright.harness.observations import all_remarks, event_files, scalars
from layerwright.harness.packaging import build_package
from layerwright.harness.records import (
    DATASET,
    JOB,
    LOG_NAME,
    LOG_PLACE,
    MONITOR_COPY,
    RUN,
    InferSummary,
    Job,
    MiningSummary,
    PackageFile,
    Report,
    RunRecord,
    StageSummary,
    Timings,
    TrainingSummary,
    read_record,
)
from layerwright.harness.watch import read_monitor_file
from layerwright.ymir.codes import PERMISSION, ObjectType, meaning_of
from layerwright.ymir.dataset import Dataset
from layerwright.ymir.environment import takes_boxes
from layerwright.ymir.infer_result import InferCheck, check_detections
from layerwright.ymir.mask_result import check_segmentation
from layerwright.ymir.mining_result import MiningCheck, check_mining
from layerwright.ymir.monitor import MonitorFault, MonitorReport
from layerwright.ymir.remarks import Remark, count_outcomes
from layerwright.ymir.training_result import TrainingCheck, check_training_result
from layerwright.ymir.verdict import ResultState, judge

__all__ = ["TAIL_LINES", "Judged", "judge_folder", "log_tail", "read_infer", "read_training"]

TAIL_LINES: Final = 5
"""Of the log, in the message of a failed task (§4.2)."""

_LARGEST_RESULT: Final = 1 << 30
_TAIL_BYTES: Final = 64 << 10


class Judged(Struct, frozen=True, kw_only=True):
    """What a folder's result files are worth.

    Attributes:
        state: for the verdict.
        remarks: on the files.
        training: when one was run; likewise the others.
    """

    state: ResultState
    remarks: tuple[Remark, ...]
    training: TrainingCheck | None = None
    mining: MiningCheck | None = None
    infer: InferCheck | None = None


def judge_folder(folder: Path, *, package: bool = True) -> Report:
    """Judge a work folder; it can be done again at any time.

    Args:
        folder: of a job that has run.
        package: build the model package of a training that the platform stores one of.

    Raises:
        UsageError: the folder is of no job, or its job has not run yet.
    """
    job, run, dataset = read_record(folder, JOB, Job), read_record(folder, RUN, RunRecord), _dataset(folder)
    if job is None:
        raise UsageError(
            f"{folder} is no work folder of the harness", hint="`layerwright executor run` makes them"
        )
    if run is None:
        raise UsageError(f"the job in {folder} has not run to its end", hint="wait for it, or cancel it")
    permission = ""
    try:
        judged = _judge_results(folder, job, dataset)
    except PermissionError as error:
        permission = str(error.filename)
        judged = Judged(state=ResultState(valid=False), remarks=())
    monitor = _monitor(folder)
    verdict = judge(
        task=job.task,
        exit_code=run.exit_code,
        monitor=monitor,
        result=judged.state,
        polled=run.polled,
        permission_error=permission,
        honours_codes=job.honours_codes,
    )
    if run.ending == "cancelled":
        verdict = replace(
            verdict,
            success=False,
            reason=f"it was terminated; {verdict.reason}",
            package=verdict.package and run.fetch_result,
        )
    remarks = all_remarks(folder, job, run, judged.remarks, monitor, dataset, success=verdict.success)
    stored: PackageFile | None = None
    if package and verdict.package and judged.training is not None and judged.training.result is not None:
        try:
            stored = build_package(folder, job, judged.training.result)
        except PermissionError as error:
            verdict = replace(
                verdict,
                success=False,
                code=PERMISSION,
                reason=f"{error.filename} cannot be read by the platform",
                package=False,
            )
    tail = "" if verdict.success else _failure_message(folder, verdict.reason)
    return Report(
        task=job.task,
        image=job.image_name,
        engine=job.engine,
        task_id=job.task_id,
        folder=str(folder),
        ending=run.ending,
        exit_code=run.exit_code,
        verdict=verdict,
        meaning=meaning_of(verdict.code),
        message=tail,
        remarks=remarks,
        summary=count_outcomes(remarks),
        dropped=job.dropped,
        configuration=job.configuration,
        argv=job.argv,
        training=_training_summary(folder, judged.training, stored),
        mining=_mining_summary(job, judged.mining, dataset),
        infer=_infer_summary(judged.infer, dataset),
        timings=Timings(
            created=job.created,
            started=run.started,
            ended=run.ended,
            seconds=run.ended - run.started,
            first_report=run.first_report,
            reports=run.reports,
        ),
    )


def _dataset(folder: Path) -> Dataset:
    return read_record(folder, DATASET, Dataset) or Dataset(class_names=())


def _read(folder: Path, name: str) -> bytes | None:
    """A file below /out; None when there is none.

    Raises:
        PermissionError: it cannot be read.
    """
    return read_beneath(folder / "out", name, _LARGEST_RESULT)


def read_training(folder: Path) -> TrainingCheck:
    """Judge the result of a training that stands in a work folder now."""
    return check_training_result(_read(folder, "models/result.yaml"), _listing(folder / "out"))


def read_infer(folder: Path) -> InferCheck:
    """Judge the result of an infer that stands in a work folder; boxes by the picture's base name."""
    job = read_record(folder, JOB, Job)
    if job is None:
        raise UsageError(f"{folder} is no work folder of the harness")
    return _check_infer(folder, job, _dataset(folder))


def _listing(out: Path) -> dict[str, Literal["file", "folder"]]:
    """What lies below /out/models; links count as what they lead to, and only inside of /out."""
    models = out / "models"
    kinds: dict[str, Literal["file", "folder"]] = {}
    for root, folders, files in os.walk(models):
        for name in folders:
            kinds[os.path.relpath(Path(root) / name, models)] = "folder"
        for name in files:
            relative = os.path.relpath(Path(root) / name, models)
            if beneath(out, f"models/{relative}") is not None:
                kinds[relative] = "file"
    return kinds


def _judge_results(folder: Path, job: Job, dataset: Dataset) -> Judged:
    if job.task == "training":
        training = read_training(folder)
        return Judged(state=training.state, remarks=training.remarks, training=training)
    mining: MiningCheck | None = None
    infer: InferCheck | None = None
    states: list[ResultState] = []
    remarks: list[Remark] = []
    if job.task == "mining":
        assets = [one.asset_id for one in dataset.candidates]
        mining = check_mining(_read(folder, "result.tsv"), candidates=assets, topk=job.topk)
        states.append(mining.state)
        remarks += mining.remarks
    if job.task == "infer" or job.also_infer:
        infer = _check_infer(folder, job, dataset)
        states.append(infer.state)
        remarks += infer.remarks
    state = next((one for one in states if not one.valid), states[0])
    return Judged(state=state, remarks=tuple(remarks), mining=mining, infer=infer)


def _check_infer(folder: Path, job: Job, dataset: Dataset) -> InferCheck:
    text = _read(folder, "infer-result.json")
    names = [one.name for one in dataset.candidates]
    if job.object_type in {ObjectType.SEMANTIC_SEGMENTATION, ObjectType.INSTANCE_SEGMENTATION}:
        return check_segmentation(text, candidates=names, class_names=job.class_names)
    return check_detections(
        text,
        candidates=names,
        class_names=job.class_names,
        boxes_key="boxes" if takes_boxes(job.protocol) else "annotations",
    )


def _monitor(folder: Path) -> MonitorReport | MonitorFault:
    try:
        return read_monitor_file(folder / MONITOR_COPY)
    except MonitorFault as fault:
        return fault


def log_tail(folder: Path, lines: int = TAIL_LINES) -> tuple[str, ...]:
    """The last lines of the executor's log."""
    try:
        with open_beneath(folder / "out", LOG_NAME) as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(text.splitlines()[-lines:])


def _failure_message(folder: Path, reason: str) -> str:
    tail = log_tail(folder)
    return "\n".join((f"EXECUTOR OUTLOG TAIL FROM: {folder / LOG_PLACE}", *tail)) if tail else reason


def _training_summary(
    folder: Path, check: TrainingCheck | None, package: PackageFile | None
) -> TrainingSummary | None:
    if check is None or check.result is None:
        return None
    result = check.result
    metric, value = result.top_metric
    return TrainingSummary(
        best=result.best,
        metric=metric,
        value=value,
        stages=tuple(
            StageSummary(name=stage.name, files=stage.files, metrics=stage.metrics) for stage in result.stages
        ),
        package=package,
        event_files=len(event_files(folder)),
        scalars=_scalars(folder),
    )


def _scalars(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(scalars(folder)))
    except PermissionError:
        return ()


def _mining_summary(job: Job, check: MiningCheck | None, dataset: Dataset) -> MiningSummary | None:
    if check is None:
        return None
    return MiningSummary(
        topk=job.topk,
        selected=check.selected,
        ranked=len({one.asset_id for one in check.ranked}),
        candidates=len(dataset.candidates),
        skipped=job.topk >= len(dataset.candidates),
    )


def _infer_summary(check: InferCheck | None, dataset: Dataset) -> InferSummary | None:
    if check is None:
        return None
    return InferSummary(
        pictures=len(dataset.candidates),
        with_boxes=sum(1 for boxes in check.boxes.values() if boxes),
        boxes=sum(len(boxes) for boxes in check.boxes.values()),
        dropped=check.dropped,
    )

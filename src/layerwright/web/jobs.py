"""A work folder → what a page shows of it."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from layerwright.core.errors import LayerwrightError
from layerwright.harness.beneath import read_beneath
from layerwright.harness.jobs import JobView, read_job, tensorboard_files
from layerwright.harness.judging import read_infer, read_training
from layerwright.harness.records import DATASET, read_record
from layerwright.ymir.dataset import Box, Dataset, Picture
from layerwright.ymir.mining_result import Ranked, check_mining
from layerwright.ymir.training_result import METRICS

__all__ = [
    "PAGE",
    "JobPage",
    "PicturePage",
    "Shown",
    "StageRow",
    "Step",
    "find_picture",
    "job_page",
    "mining_page",
    "picture_page",
    "settings",
]

PAGE = 24
"""Pictures on a page."""

_LARGEST_RESULT = 1 << 30


class Step(Struct, frozen=True, kw_only=True):
    """A step of a job.

    Attributes:
        name: key of its name in ``language``.
        state: ``done``, ``now``, ``failed`` or ``waiting``.
        seconds: that it took or has taken so far; None when that is not known.
        detail: in words.
    """

    name: str
    state: str
    seconds: float | None = None
    detail: str = ""


class StageRow(Struct, frozen=True, kw_only=True):
    """A model stage that stands in the result now."""

    name: str
    best: bool
    metrics: Mapping[str, float]
    files: tuple[str, ...]
    seconds: float | None


class JobPage(Struct, frozen=True, kw_only=True):
    """A job as the page shows it.

    Attributes:
        view: the job.
        steps: what is done and to be done.
        stages: of the training's result, newest last; they come while it runs.
        metrics: names of the numbers that a stage has, in the order of columns.
        event_files: of TensorBoard.
        live: it has not ended.
    """

    view: JobView
    steps: tuple[Step, ...]
    stages: tuple[StageRow, ...] = ()
    metrics: tuple[str, ...] = ()
    event_files: int = 0
    live: bool = False


class Shown(Struct, frozen=True, kw_only=True):
    """A picture with what stands on it.

    Attributes:
        picture: of the data set.
        rank: of a mining, from 1 on; 0 without one.
        score: of a mining; None when it is no number.
        selected: the platform selects it.
        found: boxes of the result.
        truth: boxes of the data set.
        has_masks: some of ``found`` have a mask.
    """

    picture: Picture
    rank: int = 0
    score: float | None = None
    selected: bool = False
    found: tuple[Box, ...] = ()
    truth: tuple[Box, ...] = ()
    has_masks: bool = False


class PicturePage(Struct, frozen=True, kw_only=True):
    """A page of pictures.

    Attributes:
        shown: the pictures.
        number: of the page, from 1 on.
        pages: how many there are.
        total: pictures of all pages.
    """

    shown: tuple[Shown, ...]
    number: int
    pages: int
    total: int


def job_page(folder: Path) -> JobPage:
    """Look at a job.

    Raises:
        UsageError: the folder holds none.
    """
    view = read_job(folder)
    live = view.state.phase in {"prepared", "running"}
    stages: tuple[StageRow, ...] = ()
    if view.job.task == "training":
        stages = _stages(view)
    names = [name for name in METRICS if any(name in row.metrics for row in stages)]
    return JobPage(
        view=view,
        steps=_steps(view, stages),
        stages=stages,
        metrics=tuple(names),
        event_files=len(tensorboard_files(folder)),
        live=live,
    )


def _stages(view: JobView) -> tuple[StageRow, ...]:
    try:
        result = read_training(view.folder).result
    except (LayerwrightError, OSError):
        return ()
    if result is None:
        return ()
    started = view.state.started or view.job.created
    ordered = sorted(result.stages, key=lambda stage: stage.timestamp)
    return tuple(
        StageRow(
            name=stage.name,
            best=stage.name == result.best,
            metrics=stage.metrics,
            files=stage.files,
            seconds=stage.timestamp - started if stage.timestamp >= math.floor(started) else None,
        )
        for stage in ordered
    )


def _steps(view: JobView, stages: tuple[StageRow, ...]) -> tuple[Step, ...]:
    job, state, report = view.job, view.state, view.report
    now = time.time()
    begun = state.started > 0
    ended = report is not None or state.phase in {"failed", "cancelled", "done"}
    prepared = Step(
        name="step prepare",
        state="done" if begun or report else ("failed" if ended else "now"),
        seconds=(state.started - job.created) if begun else (None if ended else now - job.created),
    )
    first = report.timings.first_report if report else None
    reported = state.latest > 0 or state.percent > 0 or bool(stages) or first is not None
    loading = Step(
        name="step load",
        state="done" if reported else ("failed" if ended else "now" if begun else "waiting"),
        seconds=first
        if first is not None
        else (None if reported or ended or not begun else now - state.started),
    )
    seconds = report.timings.seconds if report else (now - state.started if begun and not ended else None)
    work = Step(
        name=f"step {job.task}",
        state=_work_state(view, begun=begun and reported, ended=ended),
        seconds=seconds,
        detail=state.stage,
    )
    judged = Step(
        name="step judge",
        state=("done" if report.verdict.success else "failed") if report else "waiting",
    )
    return (prepared, loading, work, judged)


def _work_state(view: JobView, *, begun: bool, ended: bool) -> str:
    report = view.report
    if report is not None:
        return "done" if report.exit_code == 0 else "failed"
    if ended:
        return "failed"
    return "now" if begun else "waiting"


def settings(view: JobView) -> tuple[tuple[str, str], ...]:
    """The document of config.yaml, value by value, as text."""
    return tuple((name, _value_text(value)) for name, value in sorted(view.job.configuration.items()))


def _value_text(value: Any) -> str:  # noqa: ANN401 - any YAML value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def picture_page(folder: Path, number: int) -> PicturePage:
    """Pictures of an infer with what was found in them.

    Raises:
        UsageError: the folder holds no job.
    """
    dataset = _dataset(folder)
    found = read_infer(folder).boxes
    ordered = sorted(dataset.candidates, key=lambda one: (-len(found.get(one.name, ())), one.source))
    shown = [
        Shown(
            picture=one,
            found=found.get(one.name, ()),
            truth=one.boxes,
            has_masks=any(box.mask or box.rings for box in found.get(one.name, ())),
        )
        for one in ordered
    ]
    return _page(shown, number)


def mining_page(folder: Path, number: int) -> PicturePage:
    """Pictures of a mining in the order of its result.

    Raises:
        UsageError: the folder holds no job.
    """
    view = read_job(folder)
    dataset = _dataset(folder)
    try:
        text = read_beneath(folder / "out", "result.tsv", _LARGEST_RESULT)
    except PermissionError:  # the verdict tells
        text = None
    assets = {one.asset_id: one for one in dataset.candidates}
    check = check_mining(text, candidates=list(assets), topk=view.job.topk)
    chosen = frozenset(check.selected)
    shown = [
        Shown(
            picture=assets[one.asset_id],
            rank=rank,
            score=_finite(one),
            selected=one.asset_id in chosen and rank <= view.job.topk,
            truth=assets[one.asset_id].boxes,
        )
        for rank, one in enumerate(check.ranked, start=1)
        if one.asset_id in assets
    ]
    return _page(shown, number)


def _finite(one: Ranked) -> float | None:
    return one.score if one.score is not None and math.isfinite(one.score) else None


def _page(shown: list[Shown], number: int) -> PicturePage:
    pages = max(1, math.ceil(len(shown) / PAGE))
    number = min(max(1, number), pages)
    return PicturePage(
        shown=tuple(shown[(number - 1) * PAGE : number * PAGE]), number=number, pages=pages, total=len(shown)
    )


def _dataset(folder: Path) -> Dataset:
    return read_record(folder, DATASET, Dataset) or Dataset(class_names=())


def find_picture(folder: Path, asset: str) -> Picture | None:
    """A picture of a job by its id; None for an id that is not one of the job's."""
    return next((one for one in _dataset(folder).pictures if one.asset_id == asset), None)

"""What the harness keeps in a work folder, so that everything can be judged again from the folder alone."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from msgspec import DecodeError, Struct, ValidationError, field, json

from layerwright.core.errors import UsageError
from layerwright.ymir.codes import Task
from layerwright.ymir.dataset import Dataset
from layerwright.ymir.infer_result import Dropped
from layerwright.ymir.remarks import Remark
from layerwright.ymir.verdict import Ending, Verdict

__all__ = [
    "DATASET",
    "JOB",
    "LOG_NAME",
    "LOG_PLACE",
    "MONITOR_COPY",
    "REPORT",
    "RUN",
    "STATE",
    "InferSummary",
    "Job",
    "MiningSummary",
    "PackageFile",
    "Phase",
    "Report",
    "RunRecord",
    "StageSummary",
    "State",
    "Timings",
    "TrainingSummary",
    "read_record",
    "write_record",
    "write_text",
]

JOB: Final = "job.json"
DATASET: Final = "dataset.json"
STATE: Final = "state.json"
RUN: Final = "run.json"
REPORT: Final = "report.json"
LOG_NAME: Final = "ymir-executor-out.log"
LOG_PLACE: Final = f"out/{LOG_NAME}"
MONITOR_COPY: Final = "monitor-executor.txt"
"""The executor's last report: the platform writes its own line over it at the end (§3.1)."""

Phase = Literal["prepared", "running", "done", "failed", "cancelled"]
"""Where a job stands. ``failed`` is the platform's verdict, or an engine that could not start the container."""


class Job(Struct, frozen=True, kw_only=True):
    """What was asked for; written before the container starts and never changed.

    Attributes:
        task: what runs; ``mining`` when both mining and infer do.
        also_infer: infer runs beside mining.
        task_id: opaque text; the container's name.
        image: as the engine calls it.
        image_name: as it was asked for.
        engine: ``docker``, ``podman`` or ``native``.
        object_type: of the project.
        protocol: version that env.yaml announces.
        honours_codes: the platform takes the executor's own code (2.3 and later).
        created: when the task was made, Unix seconds.
        topk: how many pictures a mining selects.
        class_names: in the order of their ids.
        configuration: the document of config.yaml.
        dropped: keys that the web does not send (§1.3).
        argv: how the container is started.
        model: package that the task starts from; empty for none.
        stage: of that package.
        data: where the pictures came from.
        limit: how many of each part were asked for; 0 for all.
        remarks: on the image and the data, before the start.
    """

    task: Task
    also_infer: bool = False
    task_id: str
    image: str
    image_name: str
    engine: str
    object_type: int
    protocol: str
    honours_codes: bool = True
    created: float
    topk: int = 0
    class_names: tuple[str, ...]
    configuration: Mapping[str, Any]
    dropped: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    model: str = ""
    stage: str = ""
    data: str = ""
    limit: int = 0
    remarks: tuple[Remark, ...] = ()


class State(Struct, frozen=True, kw_only=True):
    """Where a job stands now; replaced while it runs.

    Attributes:
        phase: see ``Phase``.
        percent: as the platform has it after its latest poll.
        shown: the whole number that people see there.
        latest: the percent in the monitor file now, which the next poll will find.
        stage: what is being done, in words; empty when nothing tells.
        remaining: seconds left by a moving rate from the container's start on; None when nothing can be said.
        platform_remaining: seconds left as the platform shows them.
        code: of the task so far.
        started: Unix seconds; 0 before the start.
        updated: Unix seconds of this state.
        message: why it failed before anything could be judged.
        pid: process that looks after the job.
        pid_started: when that process started, in the kernel's ticks: tells it from a later one of the same number.
    """

    phase: Phase
    percent: float = 0.0
    shown: int = 0
    latest: float = 0.0
    stage: str = ""
    remaining: float | None = None
    platform_remaining: float | None = None
    code: int = 0
    started: float = 0.0
    updated: float = 0.0
    message: str = ""
    pid: int = 0
    pid_started: str = ""


class RunRecord(Struct, frozen=True, kw_only=True):
    """How the container ran; with ``Job`` and the folder all that a verdict needs.

    Attributes:
        exit_code: 137 when it was killed.
        ending: how it came to its end.
        started: Unix seconds.
        ended: likewise.
        polled: the verdict of a poll while it ran.
        reports: how many reports were seen.
        first_report: seconds from the start to the first; None when there was none.
        remarks: on the monitor file while it ran.
        fetch_result: a cancelled training's result is kept ("terminate and fetch result").
    """

    exit_code: int
    ending: Ending
    started: float
    ended: float
    polled: Verdict | None = None
    reports: int = 0
    first_report: float | None = None
    remarks: tuple[Remark, ...] = ()
    fetch_result: bool = False


class PackageFile(Struct, frozen=True, kw_only=True):
    """A model package.

    Attributes:
        path: of the file, which is named by its hash.
        sha1: of its bytes.
        size: bytes.
        members: names in it, in their order.
    """

    path: str
    sha1: str
    size: int
    members: tuple[str, ...]


class StageSummary(Struct, frozen=True, kw_only=True):
    """A stage of a model, with its numbers."""

    name: str
    files: tuple[str, ...]
    metrics: Mapping[str, float]


class TrainingSummary(Struct, frozen=True, kw_only=True):
    """What a training left.

    Attributes:
        best: name of the best stage.
        metric: name of the number that the platform shows.
        value: of it.
        stages: in file order.
        package: None when the platform stores none.
        event_files: of TensorBoard.
        scalars: names of what TensorBoard shows as curves.
    """

    best: str
    metric: str
    value: float
    stages: tuple[StageSummary, ...]
    package: PackageFile | None = None
    event_files: int = 0
    scalars: tuple[str, ...] = ()


class MiningSummary(Struct, frozen=True, kw_only=True):
    """What a mining left.

    Attributes:
        topk: how many were asked for.
        selected: asset ids that the platform selects, in its order.
        ranked: how many of the candidates were ranked.
        candidates: how many there were.
        skipped: the platform would not have started it, since ``topk`` covers every picture.
    """

    topk: int
    selected: tuple[str, ...]
    ranked: int
    candidates: int
    skipped: bool = False


class InferSummary(Struct, frozen=True, kw_only=True):
    """What an infer left.

    Attributes:
        pictures: how many were given.
        with_boxes: how many have something found in them.
        boxes: how many the platform keeps.
        dropped: what it does not keep.
    """

    pictures: int
    with_boxes: int
    boxes: int
    dropped: tuple[Dropped, ...] = ()


class Timings(Struct, frozen=True, kw_only=True):
    """Unix seconds, and seconds.

    Attributes:
        created: when the task was made.
        started: when the container was.
        ended: when it had ended.
        seconds: that it ran.
        first_report: seconds from the start to the first report.
        reports: how many were seen.
    """

    created: float
    started: float
    ended: float
    seconds: float
    first_report: float | None
    reports: int


class Report(Struct, frozen=True, kw_only=True):
    """What became of a job; ``report.json``, and what ``--json`` prints.

    Attributes:
        schema: 1.
        task: what ran.
        image: as it was asked for.
        engine: that ran it.
        task_id: of the job.
        folder: the work folder.
        ending: how the container came to its end.
        exit_code: of the container.
        verdict: the platform's.
        meaning: the verdict's code in words.
        message: what people read of a failed run: the last lines of the log.
        remarks: worst first.
        summary: how many remarks of each outcome there are.
        dropped: hyper-parameters that the web does not send.
        configuration: the document of config.yaml.
        argv: how the container was started.
        training: its result.
        mining: likewise.
        infer: likewise.
        timings: when and how long.
    """

    schema: int = 1
    task: Task
    image: str
    engine: str
    task_id: str
    folder: str
    ending: Ending
    exit_code: int
    verdict: Verdict
    meaning: str
    message: str = ""
    remarks: tuple[Remark, ...] = ()
    summary: Mapping[str, int] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    training: TrainingSummary | None = None
    mining: MiningSummary | None = None
    infer: InferSummary | None = None
    timings: Timings

    @property
    def good(self) -> bool:
        """The platform is content, and nothing was refused or lost."""
        return self.verdict.success and not any(self.summary.get(name, 0) for name in ("rejected", "lost"))


_RecordT = TypeVar("_RecordT", Job, State, RunRecord, Report, Dataset)


def read_record(folder: Path, name: str, kind: type[_RecordT]) -> _RecordT | None:
    """Read a record of a work folder; None when there is none.

    Raises:
        UsageError: it is damaged, or of another version of layerwright.
    """
    try:
        data = (folder / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read {folder / name}: {error.strerror}") from error
    try:
        return json.decode(data, type=kind)
    except (DecodeError, ValidationError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{folder / name} cannot be read: {error}",
            hint="run the executor again, with another work folder",
        ) from error


def write_record(folder: Path, name: str, record: Struct) -> None:
    """Write a record; a reader sees the old one or the new one, whole."""
    write_text(folder / name, json.format(json.encode(record), indent=2) + b"\n")


def write_text(path: Path, data: bytes) -> None:
    """Write a file by a temporary one beside it, and a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

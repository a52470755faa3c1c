"""Work folders seen from outside: every process that may read a folder can list jobs, follow one, and cancel it.

What a page or another program needs; nothing here starts anything. A job is started by
``workflow.executor_run.start_executor``.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.errors import UsageError
from layerwright.harness.beneath import beneath, open_beneath
from layerwright.harness.observations import event_files
from layerwright.harness.records import (
    DATASET,
    JOB,
    LOG_NAME,
    REPORT,
    STATE,
    Job,
    Report,
    State,
    read_record,
    write_text,
)
from layerwright.ymir.dataset import Dataset, asset_path

__all__ = [
    "JobView",
    "LogPart",
    "asked_to_cancel",
    "cancel_job",
    "list_jobs",
    "picture_file",
    "process_start",
    "read_job",
    "read_log",
    "tensorboard_files",
]

_CANCEL: Final = "cancel"
_FETCH: Final = b"fetch"


class JobView(Struct, frozen=True, kw_only=True):
    """A job as its folder shows it now.

    Attributes:
        folder: absolute.
        job: what was asked for.
        state: where it stands. A job whose process is gone without an end counts as ``failed``.
        report: what became of it; None until it has ended.
    """

    folder: Path
    job: Job
    state: State
    report: Report | None = None


class LogPart(Struct, frozen=True, kw_only=True):
    """A part of a log.

    Attributes:
        text: undecodable bytes are replaced.
        offset: where the next part begins, bytes.
        whole: the log ends here for now.
    """

    text: str
    offset: int
    whole: bool


def read_job(folder: Path) -> JobView:
    """Look at a job.

    Raises:
        UsageError: the folder holds none, or its records are damaged.
    """
    job = read_record(folder, JOB, Job)
    if job is None:
        raise UsageError(
            f"{folder} is no work folder of the harness", hint="`layerwright executor run` makes them"
        )
    state = read_record(folder, STATE, State) or State(phase="prepared", updated=job.created)
    report = read_record(folder, REPORT, Report)
    if state.phase in {"prepared", "running"} and state.pid and process_start(state.pid) != state.pid_started:
        state = replace(
            state, phase="failed", message="the process that looked after the job is gone", remaining=None
        )
    return JobView(folder=folder.absolute(), job=job, state=state, report=report)


def list_jobs(root: Path) -> tuple[JobView, ...]:
    """The jobs whose work folders lie in a folder, newest first; damaged ones and other folders are left out."""
    found = []
    with contextlib.suppress(OSError):
        for folder in root.iterdir():
            if (folder / JOB).is_file():
                with contextlib.suppress(UsageError):
                    found.append(read_job(folder))
    return tuple(sorted(found, key=lambda view: (-view.job.created, view.folder)))


def read_log(folder: Path, *, offset: int = 0, limit: int = 64 << 10) -> LogPart:
    """A part of the executor's output; ask again from ``offset`` on to follow it.

    Args:
        folder: the work folder.
        offset: bytes from the beginning; negative ones count from the end.
        limit: bytes at most.
    """
    try:
        with open_beneath(folder / "out", LOG_NAME) as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size + offset) if offset < 0 else min(offset, size)
            file.seek(start)
            data = file.read(limit)
    except OSError:
        return LogPart(text="", offset=max(offset, 0), whole=True)
    end = start + len(data)
    whole = end >= size
    if not whole:
        # A character is not cut in two.
        tail = next((back for back in range(1, 4) if len(data) >= back and data[-back] >= 0xC0), 0)  # noqa: PLR2004
        if tail and len(data) > tail:
            data, end = data[:-tail], end - tail
    return LogPart(text=data.decode("utf-8", errors="replace"), offset=end, whole=whole)


def tensorboard_files(folder: Path) -> tuple[Path, ...]:
    """TensorBoard's event files of a job."""
    return tuple(event_files(folder))


def picture_file(folder: Path, name: str) -> Path | None:
    """The file of a picture by its base name in the container; None when the job has no such picture.

    Only names that the dataset itself lists lead anywhere, so that a name from outside can reach no other file.
    """
    dataset = read_record(folder, DATASET, Dataset)
    for picture in dataset.pictures if dataset is not None else ():
        if picture.name == name:
            return beneath(folder, asset_path(picture, "assets"))
    return None


def cancel_job(folder: Path, *, fetch_result: bool = False) -> None:
    """Ask for the end of a job; it ends within a second, by SIGKILL, as ``docker rm -f`` does.

    Args:
        folder: the work folder.
        fetch_result: "terminate and fetch result": a valid result.yaml of a training is packed all the same.

    Raises:
        UsageError: the folder holds no job.
    """
    view = read_job(folder)
    if view.state.phase in {"prepared", "running"}:
        write_text(folder / _CANCEL, _FETCH if fetch_result else b"drop")


def asked_to_cancel(folder: Path) -> str:
    """``fetch`` or ``drop`` when somebody asked for the end of a job; else empty."""
    try:
        return (folder / _CANCEL).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def process_start(pid: int) -> str:
    """When a process started, in the kernel's ticks (proc(5), field 22); empty when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""

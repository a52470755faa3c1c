"""What only the whole run shows: an engine that never started, an end without a code, pictures that were changed."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from layerwright.harness.beneath import read_beneath
from layerwright.harness.records import Job, RunRecord
from layerwright.ymir.codes import State
from layerwright.ymir.dataset import Dataset, asset_path
from layerwright.ymir.events import scalar_tags
from layerwright.ymir.monitor import MONITOR_FILE, MonitorFault, MonitorReport
from layerwright.ymir.remarks import MISSING, Remark, sort_remarks

__all__ = ["all_remarks", "event_files", "scalars"]

_LARGEST_PICTURE: Final = 1 << 30
_LARGEST_EVENT_FILE: Final = 64 << 20
_MOST_EVENT_FILES: Final = 50

_NEVER_RAN: Final[Mapping[int, tuple[str, str]]] = {
    125: (
        "the engine could not start the container; the log has its words",
        "`layerwright doctor` judges engine and GPUs; look at shm_size, too",
    ),
    126: (
        "the image's command is no program, or this user may not run it",
        "make the command and the folders above it readable and executable for everybody",
    ),
    127: (
        "the image's command is not there",
        "the platform gives no command: CMD must start the work, by convention bash /usr/bin/start.sh",
    ),
}
"""The engine's own statuses (docker-run(1)), and how each is mended."""


def all_remarks(
    folder: Path,
    job: Job,
    run: RunRecord,
    files: tuple[Remark, ...],
    monitor: MonitorReport | MonitorFault,
    dataset: Dataset,
    *,
    success: bool,
) -> tuple[Remark, ...]:
    """Everything there is to say about a job that has run, worst first.

    Args:
        folder: the work folder.
        job: what was asked for.
        run: how the container ran.
        files: remarks on its result files.
        monitor: its last report.
        dataset: its pictures.
        success: the verdict.
    """
    if run.exit_code in _NEVER_RAN and run.ending == "exited" and not run.reports:
        said, repair = _NEVER_RAN[run.exit_code]
        message = f"the container ended with {run.exit_code}: {said}"
        return sort_remarks(
            (*job.remarks, Remark(outcome="rejected", rule="4.1", message=message, repair=repair))
        )
    if run.exit_code != 0:
        # A program that failed leaves no result; that the file is missing helps nobody to find out why.
        files = tuple(remark for remark in files if remark.message != MISSING)
    return sort_remarks(
        (
            *job.remarks,
            *run.remarks,
            *files,
            *_end_remarks(run, monitor, success=success),
            *_asset_remarks(folder, dataset),
            *_curve_remarks(folder, job, success=success),
        )
    )


def _end_remarks(
    run: RunRecord, monitor: MonitorReport | MonitorFault, *, success: bool
) -> tuple[Remark, ...]:
    """What only the end shows."""
    found = []
    untouched = isinstance(monitor, MonitorReport) and monitor.state is State.PENDING
    if not run.reports and untouched:
        found.append(
            Remark(
                outcome="lost",
                rule="3.1",
                file=MONITOR_FILE,
                message="the executor never wrote the file, and people see 0 % until the end",
                repair="report progress with ymir_exc.util.write_ymir_monitor_process, or write the line yourself",
            )
        )
    if isinstance(monitor, MonitorFault):
        # No poll has met it; one more would have.
        found.append(replace(monitor.remark(), outcome="lost", code=0) if success else monitor.remark())
    if (
        run.exit_code != 0
        and run.ending == "exited"
        and not isinstance(monitor, MonitorFault)
        and not monitor.code
    ):
        killed = run.exit_code == 137  # noqa: PLR2004 - 128 + SIGKILL
        found.append(
            Remark(
                outcome="lost",
                rule="4.2",
                file=MONITOR_FILE,
                field="column 5 (code)",
                message=f"the container ended with {run.exit_code} and no code says why"
                + (": 137 mostly means that the kernel ended it for want of memory" if killed else ""),
                repair="have the program that starts the work write state 4 and a code when the work fails"
                + (": 300103 for status 137 or -9" if killed else ""),
            )
        )
    if run.exit_code == 0 and success and isinstance(monitor, MonitorReport) and monitor.code:
        found.append(
            Remark(
                outcome="lost",
                rule="4.2",
                file=MONITOR_FILE,
                field="column 5 (code)",
                message=f"the container ended with 0 though its last report has code {monitor.code}: it counts as a "
                "success, unless a poll sees state 4 first",
                repair="end with a status other than 0 after an error",
            )
        )
    return tuple(found)


def _asset_remarks(folder: Path, dataset: Dataset) -> tuple[Remark, ...]:
    """Pictures are mounted writable, and are the platform's shared store of them (§2.1)."""
    changed = []
    for picture in dataset.pictures:
        try:
            data = read_beneath(folder, asset_path(picture, "assets"), _LARGEST_PICTURE)
        except PermissionError:
            data = None
        digest = hashlib.sha1(data or b"", usedforsecurity=False).hexdigest()
        if digest != picture.asset_id:
            changed.append(asset_path(picture))
    if not changed or not (folder / "assets").is_dir():
        return ()
    return (
        Remark(
            outcome="lost",
            rule="2.1",
            file=changed[0],
            message="the executor changed or removed a picture, which every task of the platform shares",
            repair="write to /out alone: work on copies below /tmp or /out",
            count=len(changed),
        ),
    )


def event_files(folder: Path) -> Sequence[Path]:
    """TensorBoard's files of a work folder."""
    return sorted((folder / "tensorboard").rglob("*tfevents*"))


def scalars(folder: Path) -> frozenset[str]:
    """The names of the scalars that people see as curves in TensorBoard."""
    found: set[str] = set()
    for file in event_files(folder)[:_MOST_EVENT_FILES]:
        data = read_beneath(folder, str(file.relative_to(folder)), _LARGEST_EVENT_FILE)
        found |= scalar_tags(data or b"")
    return frozenset(found)


def _curve_remarks(folder: Path, job: Job, *, success: bool) -> tuple[Remark, ...]:
    if job.task != "training" or not success:
        return ()
    try:
        if scalars(folder):
            return ()
    except PermissionError as error:
        what = f"{error.filename} cannot be read"
    else:
        what = "no event file holds a scalar" if event_files(folder) else "there is no event file"
    return (
        Remark(
            outcome="fine",
            rule="3.5",
            file="/out/tensorboard",
            message=f"{what}, and people see no curves of the training",
            repair="write losses and metrics there: SummaryWriter(cfg.ymir.output.tensorboard_dir)",
        ),
    )

"""Robustness runs (§7.3.3): what platforms do to executors that none of them is tried with."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from layerwright.harness.folders import Inputs
from layerwright.harness.judging import read_training
from layerwright.harness.records import Report
from layerwright.harness.sources import LoadedData
from layerwright.harness.watch import Progress
from layerwright.ymir.codes import TASKS, Task
from layerwright.ymir.configuration import PLATFORM_KEYS
from layerwright.ymir.dataset import Picture

__all__ = [
    "MEMORY_STEPS",
    "TRIALS",
    "TortureReport",
    "Trial",
    "TrialRow",
    "baseline_rows",
    "judge_trial",
    "kill_half_way",
]

MEMORY_STEPS: Final = (96 << 20, 32 << 20, 12 << 20)
"""Bytes that the out-of-memory run gives, one after the other, until the executor runs out of them."""

_HALF: Final = 0.5
_NO_DATA, _UNKNOWN_FORMAT, _NO_GPU, _OUT_OF_MEMORY = 300002, 300003, 300102, 300103

Shown = Literal["passed", "failed", "not shown"]
"""``not shown``: the run could not show it, so nothing is known."""


class TrialRow(Struct, frozen=True, kw_only=True):
    """A line of the table.

    Attributes:
        name: of the run.
        what: what was done to the executor.
        shown: what came of it.
        detail: one sentence without a full stop.
        repair: how to mend it; empty when it passed.
        folder: the work folder; empty when there was no run of its own.
    """

    name: str
    what: str
    shown: Shown
    detail: str
    repair: str = ""
    folder: str = ""


class TortureReport(Struct, frozen=True, kw_only=True):
    """What ``--torture`` prints.

    Attributes:
        schema: 1.
        task: that was run.
        image: as it was asked for.
        engine: that ran it.
        rows: in the order of the runs.
    """

    schema: int = 1
    task: Task
    image: str
    engine: str
    rows: tuple[TrialRow, ...]

    @property
    def good(self) -> bool:
        """Nothing failed."""
        return all(row.shown != "failed" for row in self.rows)


class Trial(Struct, frozen=True, kw_only=True):
    """One run.

    Attributes:
        name: one word.
        what: what is done to the executor.
        change: makes its inputs from the plain ones; None when they cannot show it, with the reason.
        tasks: that it makes sense for.
        codes: with which an executor may end, in place of a success.
        must_fail: it has to end with one of ``codes``.
        killed: it is killed half-way.
        repair: how to mend a failure.
    """

    name: str
    what: str
    change: Callable[[Inputs, Path], Inputs | str]
    tasks: tuple[Task, ...] = TASKS
    codes: tuple[int, ...] = ()
    must_fail: bool = False
    killed: bool = False
    repair: str


def _own(values: Mapping[str, Any]) -> dict[str, Any]:
    """Hyper-parameters, without the keys that are the platform's."""
    return {key: value for key, value in values.items() if key not in PLATFORM_KEYS}


def _no_gpu(inputs: Inputs, _: Path) -> Inputs | str:
    return replace(inputs, gpus=(), overrides={"gpu_count": 0, "gpu_id": ""})


def _no_falsy(inputs: Inputs, _: Path) -> Inputs | str:
    falsy = tuple(key for key, value in _own(inputs.form).items() if not value)
    if not falsy:
        return "no parameter of the template is 0, false or empty"
    return replace(inputs, removed=falsy)


def _text_numbers(inputs: Inputs, _: Path) -> Inputs | str:
    numbers = {key: str(value) for key, value in _own(inputs.form).items() if isinstance(value, int | float)}
    if not numbers:
        return "no parameter of the template is a number or a boolean"
    return replace(inputs, overrides=numbers)


def _no_network(inputs: Inputs, _: Path) -> Inputs | str:
    return replace(inputs, network=False)


def _empty_validation(inputs: Inputs, _: Path) -> Inputs | str:
    data = inputs.data
    every = replace(data.dataset, training=(*data.dataset.training, *data.dataset.validation), validation=())
    return replace(inputs, data=replace(data, dataset=every), lenient=True)


def _broken_picture(inputs: Inputs, folder: Path) -> Inputs | str:
    data = inputs.data
    first = (*data.dataset.training, *data.dataset.candidates)[0]
    whole = data.files[first.asset_id].read_bytes()
    cut = whole[: max(len(whole) // 2, 1)]
    file = folder / f"broken.{first.extension}"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(cut)
    broken = replace(first, asset_id=hashlib.sha1(cut, usedforsecurity=False).hexdigest(), source=str(file))
    return replace(inputs, data=_with_picture(data, broken, file))


def _with_picture(data: LoadedData, broken: Picture, file: Path) -> LoadedData:
    dataset = data.dataset
    if dataset.training:
        dataset = replace(dataset, training=(broken, *dataset.training))
    if dataset.candidates:
        dataset = replace(dataset, candidates=(broken, *dataset.candidates))
    return replace(data, dataset=dataset, files={**data.files, broken.asset_id: file})


def _same(inputs: Inputs, _: Path) -> Inputs | str:
    return inputs


def _little_memory(inputs: Inputs, _: Path) -> Inputs | str:
    if inputs.engine == "native":
        return "a native run cannot limit memory: say --engine docker"
    return replace(inputs, memory=MEMORY_STEPS[0])


TRIALS: Final = (
    Trial(
        name="no-gpu",
        what="gpu_count is 0 and gpu_id is ''",
        change=_no_gpu,
        codes=(_NO_GPU,),
        repair="use the CPU when gpu_id is empty, or end with code 300102; ''.split(',') has one part, not none",
    ),
    Trial(
        name="no-falsy",
        what="parameters that are 0, false or empty are missing, as the web drops them",
        change=_no_falsy,
        repair="read every parameter with a default: cfg.param.get(name, default)",
    ),
    Trial(
        name="text-numbers",
        what="numbers and booleans arrive as text, as from the form",
        change=_text_numbers,
        repair="convert what is read: int(value), float(value), ymir_exc.util.get_bool",
    ),
    Trial(
        name="no-network",
        what="there is no network",
        change=_no_network,
        codes=(300301,),
        repair="put weights into the image, or end with code 300301 when a download fails",
    ),
    Trial(
        name="no-validation",
        what="the validation set is empty",
        change=_empty_validation,
        tasks=("training",),
        codes=(_NO_DATA,),
        repair="skip the evaluation and write metric 0, or end with code 300002",
    ),
    Trial(
        name="broken-picture",
        what="a picture is cut off in the middle",
        change=_broken_picture,
        codes=(_UNKNOWN_FORMAT,),
        repair="leave out what ymir_exc.dataset_reader.filter_broken_images leaves out, or end with 300003",
    ),
    Trial(
        name="killed",
        what="the training is killed half-way, and its result must be valid",
        change=_same,
        tasks=("training",),
        killed=True,
        repair="write the result after each epoch, into a temporary file that is renamed",
    ),
    Trial(
        name="out-of-memory",
        what="memory runs out",
        change=_little_memory,
        codes=(_OUT_OF_MEMORY,),
        must_fail=True,
        repair="have a small program start the work, and write state 4 and code 300103 when it ends with 137 or -9",
    ),
)
"""In the order of the runs."""


def kill_half_way(progress: Progress) -> bool:
    """Whether to kill a training now: once half is reported, and before it says that all is."""
    return _HALF <= progress.latest < 1


def judge_trial(trial: Trial, report: Report) -> TrialRow:
    """What a run shows.

    Args:
        trial: what was done.
        report: what became of it.
    """
    verdict = report.verdict

    def row(shown: Shown, detail: str) -> TrialRow:
        repair = trial.repair if shown == "failed" else ""
        return TrialRow(
            name=trial.name, what=trial.what, shown=shown, detail=detail, repair=repair, folder=report.folder
        )

    if trial.killed:
        if report.ending != "killed":
            return row("not shown", "the training ended before it could be killed: let it take longer")
        state = read_training(Path(report.folder)).state
        if state.valid:
            return row("passed", "result.yaml was valid when half was done, and its package is stored")
        return row("failed", f"at half, {state.why}")
    if trial.must_fail and report.exit_code == 0:
        return row("not shown", "the executor had enough memory")
    if verdict.success and not trial.must_fail:
        lost = report.summary.get("lost", 0)
        return row("passed", "success" if not lost else f"success, with {lost} other remarks")
    if verdict.code in trial.codes:
        return row("passed", f"it ended with {report.exit_code} and code {verdict.code}: {report.meaning}")
    return row("failed", f"code {verdict.code} ({report.meaning}): {verdict.reason}")


def baseline_rows(
    report: Report, user: tuple[int, int] | None, *, read_only: bool = True
) -> tuple[TrialRow, ...]:
    """What the plain run shows: it has a read-only /in, and ids that no image knows.

    Args:
        report: of the plain run.
        user: ids of the program; None for root.
        read_only: /in could not be written to.
    """
    good = report.verdict.success
    detail = "success" if good else f"code {report.verdict.code} ({report.meaning}): {report.verdict.reason}"
    plain: Shown = "passed" if good else "failed"
    unknown = "the plain run did not succeed"
    who = f"as {user[0]}:{user[1]}" if user else "as root"
    return (
        TrialRow(
            name="plain",
            what="nothing but what the platform does",
            shown=plain,
            detail=detail,
            folder=report.folder,
            repair="" if good else "mend this first: `executor run` without --torture shows the remarks",
        ),
        TrialRow(
            name="read-only-in",
            what="/in cannot be written to",
            shown="passed" if good and read_only else "not shown",
            detail=unknown if not good else detail if read_only else "nothing can be mounted read-only here",
            folder=report.folder,
        ),
        TrialRow(
            name="foreign-user",
            what="the program runs as ids without an entry in passwd",
            shown="not shown" if user is None or not good else "passed",
            detail=who
            if good and user
            else "it ran as root: leave out --user root"
            if user is None
            else unknown,
            folder=report.folder,
        ),
    )

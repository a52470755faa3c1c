"""Robustness runs: what each does to an executor, and what it shows (§7.3.3)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from layerwright.harness.folders import Inputs, prepare
from layerwright.harness.running import RunOptions, run_job
from layerwright.harness.torture import TRIALS, Trial, TrialRow, baseline_rows, judge_trial, kill_half_way
from support.scripted_executor import FakeTime, ScriptedStarter, Step, Work, inputs, small_data, wait

BY_NAME = {trial.name: trial for trial in TRIALS}


def changed(trial: str, tmp_path: Path, **more: Any) -> Inputs:
    found = BY_NAME[trial].change(inputs(small_data(tmp_path / "data"), **more), tmp_path / "extra")
    assert isinstance(found, Inputs)
    return found


def config(tmp_path: Path, made: Inputs) -> dict[str, Any]:
    prepare(tmp_path / "w", made)
    found = yaml.safe_load((tmp_path / "w" / "in" / "config.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_no_gpu(tmp_path: Path) -> None:
    values = config(tmp_path, changed("no-gpu", tmp_path, gpus=(0, 1)))
    assert (values["gpu_count"], values["gpu_id"]) == (0, "")


def test_no_falsy(tmp_path: Path) -> None:
    values = config(
        tmp_path, changed("no-falsy", tmp_path, form={"a": 0, "b": False, "c": 1, "export_format": ""})
    )
    assert {"a", "b"} & values.keys() == set()
    assert values["c"] == 1
    made = inputs(small_data(tmp_path / "data"), form={"a": 1})
    assert isinstance(BY_NAME["no-falsy"].change(made, tmp_path), str)


def test_text_numbers(tmp_path: Path) -> None:
    values = config(
        tmp_path, changed("text-numbers", tmp_path, form={"a": 0, "b": False, "c": 0.5, "d": "x"})
    )
    assert [values[key] for key in "abcd"] == ["0", "False", "0.5", "x"]
    assert values["object_type"] == 2


def test_no_network_and_little_memory(tmp_path: Path) -> None:
    assert not prepare(tmp_path / "w", changed("no-network", tmp_path)).launch.network
    assert prepare(tmp_path / "x", changed("out-of-memory", tmp_path)).launch.memory > 0
    native = inputs(small_data(tmp_path / "data"), engine="native")
    assert isinstance(BY_NAME["out-of-memory"].change(native, tmp_path), str)


def test_no_validation(tmp_path: Path) -> None:
    work = prepare(tmp_path / "w", changed("no-validation", tmp_path)).folder
    assert (work / "in" / "val-index.tsv").read_bytes() == b""
    assert (work / "in" / "train-index.tsv").read_bytes().count(b"\n") == 4


def test_a_broken_picture(tmp_path: Path) -> None:
    made = changed("broken-picture", tmp_path)
    assert len(made.data.dataset.training) == 4
    broken = made.data.dataset.training[0]
    assert made.data.files[broken.asset_id].read_bytes() == b"pict"
    work = prepare(tmp_path / "w", made).folder
    assert (work / "assets" / broken.asset_id[-2:] / broken.name).read_bytes() == b"pict"


def trial_row(name: str, folder: Path, steps: list[Step]) -> TrialRow:
    trial: Trial = BY_NAME[name]
    time = FakeTime()
    made = trial.change(inputs(small_data(folder.parent / "data")), folder.parent / "extra")
    assert isinstance(made, Inputs)
    prepared = prepare(folder, made)
    options = RunOptions(poll_seconds=1, kill_when=kill_half_way if trial.killed else None)
    return judge_trial(trial, run_job(prepared, ScriptedStarter(lambda: steps, time), options, time.clock()))


def good(work: Work) -> None:
    work.result()
    work.report(1)


def half(work: Work) -> None:
    work.report(0.6)


def fails(code: int, status: int = 1) -> Step:
    return lambda work: work.report(0.5, 4, code) or status


ROWS: list[Any] = [
    ("no-gpu", [good], "passed"),
    ("no-gpu", [fails(300102)], "passed"),
    ("no-gpu", [fails(0)], "failed"),
    ("no-validation", [fails(300002)], "passed"),
    ("no-validation", [fails(300103)], "failed"),
    ("broken-picture", [fails(300003)], "passed"),
    ("killed", [lambda w: w.result(), *wait(2), half, *wait(9)], "passed"),
    ("killed", [half, *wait(9)], "failed"),
    ("killed", [good], "not shown"),
    ("out-of-memory", [good], "not shown"),
    ("out-of-memory", [fails(300103, 137)], "passed"),
    ("out-of-memory", [lambda w: w.report(0.5) or 137], "failed"),
]


@pytest.mark.parametrize(("name", "steps", "shown"), ROWS)
def test_what_is_shown(tmp_path: Path, name: str, steps: list[Step], shown: str) -> None:
    row = trial_row(name, tmp_path / "w", steps)
    assert row.shown == shown, row
    assert bool(row.repair) == (shown == "failed")


def test_what_the_plain_run_shows(tmp_path: Path) -> None:
    time = FakeTime()
    prepared = prepare(tmp_path / "w", inputs(small_data(tmp_path / "data")))
    report = run_job(prepared, ScriptedStarter(lambda: [good], time), RunOptions(), time.clock())
    assert [row.shown for row in baseline_rows(report, (1, 1))] == ["passed"] * 3
    assert [row.shown for row in baseline_rows(report, None)] == ["passed", "passed", "not shown"]
    copies = baseline_rows(report, (1, 1), read_only=False)
    assert [row.shown for row in copies] == ["passed", "not shown", "passed"]

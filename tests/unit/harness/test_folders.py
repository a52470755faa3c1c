"""Inputs → work folder, as the platform fills it (§2)."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from layerwright.core.errors import UsageError
from layerwright.harness.cleaning import clean
from layerwright.harness.folders import prepare
from layerwright.harness.records import DATASET, JOB, Job, read_record
from layerwright.harness.start_model import open_package
from layerwright.ymir.dataset import Dataset, asset_path
from layerwright.ymir.monitor import read_monitor
from support.scripted_executor import inputs, small_data


def test_a_training(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    prepared = prepare(tmp_path / "work", inputs(data))
    work = prepared.folder
    assert sorted(path.name for path in (work / "in").iterdir()) == [
        "annotations", "assets", "config.yaml", "env.yaml", "idx-assets.tsv", "idx-gt.tsv", "idx-pred.tsv", "models",
        "pred-test-index.tsv", "pred-train-index.tsv", "pred-val-index.tsv", "predictions", "test-index.tsv",
        "train-index.tsv", "val-index.tsv",
    ]  # fmt: skip
    assets = work / "in" / "assets"
    assert assets.is_symlink()
    assert assets.readlink() == work / "assets"
    for one in data.dataset.pictures:
        copied = work / asset_path(one, "in/assets")
        assert copied.read_bytes() == data.files[one.asset_id].read_bytes()
        assert not copied.samefile(data.files[one.asset_id])
    assert (work / "out" / "tensorboard").readlink() == work / "tensorboard"
    for shared in (work / "out" / "models", work / "tensorboard"):
        assert stat.S_IMODE(shared.stat().st_mode) == 0o777
    first = read_monitor((work / "out" / "monitor.txt").read_text(encoding="utf-8"))
    assert (first.state, first.percent, first.code) == (1, 0.0, 0)
    config = yaml.safe_load((work / "in" / "config.yaml").read_text(encoding="utf-8"))
    assert (config["gpu_id"], config["gpu_count"], config["lazy"], config["class_names"]) == (
        "",
        0,
        False,
        ["cat"],
    )
    assert "task_context" in yaml.safe_load((work / "task_config.yaml").read_text(encoding="utf-8"))
    job = read_record(work, JOB, Job)
    assert job == prepared.job
    assert read_record(work, DATASET, Dataset) == data.dataset


def test_the_launch(tmp_path: Path) -> None:
    launch = prepare(tmp_path / "w", inputs(small_data(tmp_path / "data"), gpus=(2, 5))).launch
    folder = tmp_path / "w"
    assert (launch.inputs, launch.outputs) == (str(folder / "in"), str(folder / "out"))
    assert launch.links == (str(folder / "assets"), str(folder / "tensorboard"))
    assert (launch.user, launch.gpus, launch.shm_size) == ("1000:1000", (2, 5), "32G")


def test_mining_gets_candidates_and_what_the_web_drops_is_gone(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data", training=False)
    prepared = prepare(tmp_path / "w", inputs(data, task="mining", also_infer=True, topk=2))
    names = sorted(path.name for path in (tmp_path / "w" / "in").glob("*.tsv"))
    assert names == ["candidate-index.tsv"]
    assert set(prepared.job.dropped) == {"lazy", "gpu_count", "openpai_enable"}
    env = yaml.safe_load((tmp_path / "w" / "in" / "env.yaml").read_text(encoding="utf-8"))
    assert (env["run_mining"], env["run_infer"], env["run_training"]) == (True, True, False)


REFUSED: list[Any] = [
    ({"data": {"class_names": ()}}, "160001"),
    ({"data": {"class_names": ("a", "a")}}, "160001"),
    ({"data": {"training": ()}}, "160002"),
    ({"data": {"validation": ()}}, "160003"),
    ({"task": "mining"}, "160001"),
    ({"form": {"export_format": "ark"}}, "169999"),
]


@pytest.mark.parametrize(("changes", "code"), REFUSED)
def test_what_the_platform_refuses(tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    data = small_data(tmp_path / "data")
    dataset = replace(data.dataset, **changes.pop("data", {}))
    with pytest.raises(UsageError, match=code):
        prepare(tmp_path / "w", inputs(replace(data, dataset=dataset), **changes))
    assert not (tmp_path / "w").exists()


def test_a_path_that_no_engine_can_mount(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="colon"):
        prepare(tmp_path / "a:b", inputs(small_data(tmp_path / "data")))


def test_the_container_sees_the_path_that_is_behind_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    prepared = prepare(tmp_path / "link" / "w", inputs(small_data(tmp_path / "data")))
    assert prepared.launch.links[0] == str(tmp_path / "real" / "w" / "assets")


def test_everybody_may_read_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        work = prepare(tmp_path / "w", inputs(small_data(tmp_path / "data"))).folder
    finally:
        os.umask(before)
    for top in (work / "in", work / "assets"):
        for path in (top, *top.rglob("*")):
            wanted = 0o755 if path.is_dir() else 0o644
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "x").touch()
    with pytest.raises(UsageError, match="not empty"):
        prepare(tmp_path / "w", inputs(small_data(tmp_path / "data")))


@pytest.mark.parametrize(
    ("form", "rule"),
    [({"export_format": "ins-seg:raw"}, "2.5"), ({"export_format": "ark:raw", "shm_size": 32}, "4.1")],
)
def test_what_is_lost_before_the_start(tmp_path: Path, form: dict[str, Any], rule: str) -> None:
    job = prepare(tmp_path / "w", inputs(small_data(tmp_path / "data"), form=form)).job
    assert [(remark.outcome, remark.rule) for remark in job.remarks] == [("lost", rule)]


def test_changes_of_robustness_runs_come_last(tmp_path: Path) -> None:
    made = inputs(small_data(tmp_path / "data"), overrides={"epochs": "3", "gpu_id": "x"}, removed=("lazy",))
    values = prepare(tmp_path / "w", made).job.configuration
    assert (values["epochs"], values["gpu_id"], "lazy" in values) == ("3", "x", False)


@pytest.mark.parametrize("success", [True, False])
def test_cleaning(tmp_path: Path, success: bool) -> None:
    work = prepare(tmp_path / "w", inputs(small_data(tmp_path / "data"))).folder
    (work / "out" / "models" / "a.pt").touch()
    (work / "out" / "prediction.mir").touch()
    clean(work, success=success)
    assert not (work / "in" / "models").exists()
    left = sorted(path.name for path in (work / "in").iterdir())
    out = sorted(path.name for path in (work / "out").iterdir())
    if success:
        assert left == ["config.yaml"]
        assert out == ["monitor.txt", "tensorboard", "ymir-executor-out.log"]
    else:
        assert "env.yaml" in left
        assert "models" in out


@pytest.mark.parametrize("make", ["absent", "text", "folder"])
def test_no_package(tmp_path: Path, make: str) -> None:
    path = tmp_path / "x"
    if make == "text":
        path.write_text("x", encoding="utf-8")
    if make == "folder":
        path.mkdir()
    with pytest.raises(UsageError, match=r"package|exist"):
        open_package(path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot fill the work folder") as caught:
        prepare(tmp_path / "file" / "work", inputs(small_data(tmp_path / "data")))
    assert "Not a directory" in caught.value.what
    assert "--work DIR" in caught.value.hint

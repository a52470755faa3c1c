"""§5.6: result.yaml."""

import os
import re
import time

import numpy as np
import pytest
import yaml

from model import training as platform
from ymir_exc import result_writer as rw


def read(task):
    return platform.read(str(task.models))


def test_a_stage(task):
    before = int(time.time())
    rw.write_model_stage("epoch_1", task.weights("a.pt", "a.onnx"), {"mAP": 0.5, "mAR": 0.25, "tp": 3})
    stage = task.result["model_stages"]["epoch_1"]
    assert before <= stage.pop("timestamp") <= time.time()
    assert stage == {"stage_name": "epoch_1", "files": ["a.pt", "a.onnx"], "mAP": 0.5, "mAR": 0.25, "tp": 3}
    assert {key: value for key, value in task.result.items() if key != "model_stages"} == {
        "best_stage_name": "epoch_1",
        "mAP": 0.5,
        "map": 0.5,
    }
    assert read(task).members == {"epoch_1": ["epoch_1/a.pt", "epoch_1/a.onnx"]}


def test_yaml_is_in_blocks_with_sorted_keys(task):
    rw.write_model_stage("b", task.weights("a.pt"), {"mAP": 0.5}, timestamp=12)
    assert (task.models / "result.yaml").read_text(encoding="utf-8") == (
        "best_stage_name: b\nmAP: 0.5\nmap: 0.5\nmodel_stages:\n  b:\n    files:\n    - a.pt\n    mAP: 0.5\n"
        "    stage_name: b\n    timestamp: 12\n"
    )


@pytest.mark.parametrize(
    ("name", "stage"),
    [("epoch-10", "epoch_10"), ("训练", "训练"), ("class", "class"), ("_1", "_1"), ("a--b", "a__b")],
)
def test_names_of_stages(task, name, stage):
    rw.write_model_stage(name, task.weights("a.pt"), {"mAP": 0.5})
    assert task.result["best_stage_name"] == stage
    assert read(task).best == stage


@pytest.mark.parametrize("name", ["10", "a b", "a.b", "", None, "-1x!", "10-a"])
def test_names_that_are_no_identifiers(task, name):
    with pytest.raises(ValueError, match=r"the name of the stage is empty|letters, digits and _ are wanted"):
        rw.write_model_stage(name, task.weights("a.pt"), {"mAP": 0.5})
    assert not (task.models / "result.yaml").exists()


@pytest.mark.parametrize("files", [[], (), "", [""]])
def test_a_stage_without_files(task, files):
    with pytest.raises(ValueError, match="the stage 'a' has no files"):
        rw.write_model_stage("a", files, {"mAP": 0.5})


@pytest.mark.parametrize("name", ["attachments", "evaluate_config"])
def test_what_is_no_mapping(task, name):
    with pytest.raises(TypeError, match=rf"{name} is \['a'\], and a mapping is wanted"):
        rw.write_model_stage("a", task.weights("a.pt"), {"mAP": 0.5}, **{name: ["a"]})
    assert not (task.models / "result.yaml").exists()


def test_without_its_folder(task):
    task.models.rmdir()
    with pytest.raises(FileNotFoundError, match=r"\(the folder of .*result\.yaml\)"):
        rw.write_training_result(stage_name="a", files=["attachments"], evaluation_result={"mAP": 0.5})


def test_one_file_may_be_given_as_text_or_path(task):
    task.weights("a.pt")
    rw.write_model_stage("a", "a.pt", {"mAP": 0.5})
    rw.write_model_stage("b", task.models / "a.pt", {"mAP": 0.5})
    assert [stage["files"] for stage in task.result["model_stages"].values()] == [["a.pt"], ["a.pt"]]
    with pytest.raises(TypeError, match="files is 5, and a list of file names is wanted"):
        rw.write_model_stage("c", 5, {"mAP": 0.5})


def test_map_alone_is_taken_with_a_warning(task):
    for value in (0.5, 0):
        with pytest.warns(UserWarning, match="mAP= is of SDK 1.x"):
            rw.write_model_stage("a", task.weights("a.pt"), mAP=value)
        assert task.result["model_stages"]["a"]["mAP"] == value


@pytest.mark.parametrize("metrics", [{}, None, {"accuracy": 0.5}, {"mAcc": 0.5}])
def test_without_a_metric_to_compare(task, metrics):
    with pytest.raises(ValueError, match="one of maskAP, mIoU, mAP is wanted to tell which stage is best"):
        rw.write_model_stage("a", task.weights("a.pt"), metrics)
    assert not (task.models / "result.yaml").exists()


@pytest.mark.parametrize(
    ("metrics", "top"),
    [
        ({"mAP": 0.1, "maskAP": 0.2, "mIoU": 0.3}, "maskAP"),
        ({"mAP": 0.1, "mIoU": 0.3}, "mIoU"),
        ({"boxAP": 0.9, "mAP": 0.1}, "mAP"),
    ],
)
def test_the_top_metric(task, metrics, top):
    rw.write_model_stage("a", task.weights("a.pt"), metrics)
    assert task.result[top] == metrics[top]
    assert [key for key in ("maskAP", "mIoU", "mAP") if key in task.result] == [top]


def test_an_existing_stage_is_replaced(task):
    rw.write_model_stage("a", task.weights("a.pt"), {"mAP": 0.5, "note": "first"})
    rw.write_model_stage("a", task.weights("b.pt"), {"mAP": 0.4}, timestamp=7)
    assert task.result["model_stages"] == {
        "a": {"stage_name": "a", "files": ["b.pt"], "mAP": 0.4, "timestamp": 7}
    }
    assert task.result["mAP"] == 0.4


def test_the_best_has_the_highest_metric_and_is_the_latest_of_equals(task):
    task.weights("a.pt")
    for name, value, moment in (
        ("a", 0.5, 10),
        ("b", 0.6, 20),
        ("c", 0.6, 30),
        ("d", 0.6, 25),
        ("e", 0.1, 99),
    ):
        rw.write_model_stage(name, ["a.pt"], {"mAP": value}, timestamp=moment)
    assert task.result["best_stage_name"] == "c"
    assert read(task).metrics["mAP"] == 0.6


def test_the_oldest_of_more_than_eleven_goes_but_never_the_best(task):
    task.weights("a.pt")
    rw.write_model_stage("best", ["a.pt"], {"mAP": 0.9}, timestamp=1)
    for number in range(12):
        rw.write_model_stage(f"e{number}", ["a.pt"], {"mAP": 0.1}, timestamp=100 + number)
    assert sorted(task.result["model_stages"]) == sorted(["best", *(f"e{number}" for number in range(2, 12))])
    assert task.result["best_stage_name"] == "best"


def test_attachments_and_evaluate_config_stay_until_others_come(task):
    for name in ("a.txt", "b.txt"):
        path = task.models / "attachments" / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    task.weights("a.pt")
    rw.write_model_stage(
        "a", ["a.pt"], {"mAP": 0.5}, attachments={"logs": ["a.txt"]}, evaluate_config={"iou_thr": 0.5}
    )
    rw.write_model_stage("b", ["a.pt"], {"mAP": 0.5}, attachments={}, evaluate_config=None)
    assert task.result["attachments"] == {"logs": ["a.txt"]}
    assert task.result["evaluate_config"] == {"iou_thr": 0.5}
    rw.write_model_stage(
        "c", ["a.pt"], {"mAP": 0.5}, attachments={"logs": ("b.txt",)}, evaluate_config={"conf_thr": "0.1"}
    )
    found = read(task)
    assert (found.attachments, found.evaluate_config) == ({"logs": ["b.txt"]}, {"conf_thr": 0.1})


def test_what_the_platform_refuses_in_evaluate_config_is_left_out(task):
    with pytest.warns(
        UserWarning, match="evaluate_config.iou_thr is '0.5:0.95', which the platform would refuse"
    ):
        rw.write_model_stage(
            "a",
            task.weights("a.pt"),
            {"mAP": 0.5},
            evaluate_config={"iou_thr": "0.5:0.95", "conf_thr": np.float32(0.5)},
        )
    assert read(task).evaluate_config == {"conf_thr": 0.5}


# What §5.6 lists as known defects of the SDKs, and what it says a drop-in should do.


@pytest.mark.parametrize(
    "value", [np.float32(0.5), np.float64(0.5), np.array(0.5), np.array([0.5]), "0.5", np.bool_(True)]
)
def test_numbers_of_other_libraries_are_plain_in_the_file(task, value):
    rw.write_model_stage(
        "a", task.weights("a.pt"), {"mAP": value, "tp": np.int64(3), "per_class": np.array([0.1, 0.2])}
    )
    text = (task.models / "result.yaml").read_text(encoding="utf-8")
    assert "!!" not in text
    assert read(task).metrics["mAP"] == float(np.asarray(value, dtype=float).reshape(()))
    assert yaml.safe_load(text)["model_stages"]["a"]["per_class"] == [0.1, 0.2]


def test_a_metric_that_cannot_be_written_leaves_the_file_as_it_was(task):
    rw.write_model_stage("a", task.weights("a.pt"), {"mAP": 0.5})
    before = (task.models / "result.yaml").read_bytes()
    with pytest.raises(TypeError, match=r"confusion is a builtins\.object, which no result file can hold"):
        rw.write_model_stage("b", ["a.pt"], {"mAP": 0.5, "confusion": object()})
    with pytest.raises(ValueError, match="mAP has several elements"):
        rw.write_model_stage("b", ["a.pt"], {"mAP": np.array([0.1, 0.2])})
    assert (task.models / "result.yaml").read_bytes() == before
    rw.write_model_stage("b", ["a.pt"], {"mAP": 0.6})
    assert sorted(read(task).members) == ["a", "b"]


def test_stages_may_have_different_metrics(task):
    task.weights("a.pt")
    rw.write_model_stage("a", ["a.pt"], {"mAP": 0.9}, timestamp=1)
    rw.write_model_stage("b", ["a.pt"], {"mIoU": 0.2}, timestamp=2)
    assert (task.result["best_stage_name"], task.result["mIoU"]) == ("b", 0.2)
    assert "mAP" not in task.result
    assert read(task).best == "b"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# nothing\n",
        "- a\n",
        "a: [\n",
        "model_stages: 5\n",
        "model_stages: {b: 1}\n",
        "model_stages: {a: {files: x}}\n",
    ],
)
def test_a_file_that_holds_no_result_does_not_stop_the_next(task, content):
    (task.models / "result.yaml").write_text(content, encoding="utf-8")
    task.weights("a.pt")
    if "stages" in content:
        rw.write_model_stage("a", ["a.pt"], {"mAP": 0.5})
    else:
        with pytest.warns(UserWarning, match="begun anew"):
            rw.write_model_stage("a", ["a.pt"], {"mAP": 0.5})
    assert read(task).best == "a"


def test_the_old_form_gives_way(task):
    (task.models / "result.yaml").write_text("model: [old.pt]\nmap: 0.9\n", encoding="utf-8")
    rw.write_model_stage("a", task.weights("a.pt"), {"mAP": 0.5})
    assert read(task).members == {"a": ["a/a.pt"]}
    assert task.result["map"] == 0.5


@pytest.mark.parametrize(("value", "kept"), [(1.0000001, 1.0), (-1e-9, 0.0), (1, 1.0), (0, 0.0)])
def test_rounding_is_no_fault(task, value, kept):
    rw.write_model_stage("a", task.weights("a.pt"), {"mAP": value})
    assert read(task).metrics["mAP"] == kept


@pytest.mark.parametrize("value", [55.3, 1.01, float("inf")])
def test_a_percentage_is_refused(task, value):
    words = re.escape(
        f"mAP is {value:g}, and the platform takes 0 to 1 alone (160011); divide a percentage by 100"
    )
    with pytest.raises(ValueError, match=words):
        rw.write_model_stage("a", task.weights("a.pt"), {"mAP": value})


@pytest.mark.parametrize("value", [float("nan"), -1, np.float32("nan"), float("-inf")])
def test_a_metric_of_nothing_is_left_out_and_the_weights_are_saved(task, value):
    with pytest.warns(UserWarning, match="mAP is .*, which the platform would refuse .* it is left out"):
        rw.write_model_stage("a", task.weights("a.pt"), {"mAP": value, "mAR": 0.5})
    assert read(task).metrics["mAP"] == 0
    assert read(task).metrics["mAR"] == 0.5
    with pytest.warns(UserWarning, match="tp is"):
        rw.write_model_stage("b", task.weights("a.pt"), {"mAP": 0.5, "tp": value})
    assert read(task).best == "b"


def test_absolute_paths_become_relative(task):
    task.weights("a.pt", "w/b.pt")
    rw.write_model_stage("a", [str(task.models / "a.pt"), str(task.models / "w/b.pt")], {"mAP": 0.5})
    assert read(task).members == {"a": ["a/a.pt", "a/w/b.pt"]}


def test_paths_may_not_leave_the_folder(task):
    task.weights("a.pt", "w/b.pt")
    rw.write_model_stage("a", ["w/../a.pt"], {"mAP": 0.5})
    assert read(task).members == {"a": ["a/a.pt"]}
    with pytest.raises(ValueError, match=r"c\.pt is outside of"):
        rw.write_model_stage("a", ["../c.pt"], {"mAP": 0.5})


def test_absolute_paths_elsewhere_are_refused(task):
    with pytest.raises(
        ValueError, match=r"/etc/hostname is outside of .*, and the platform would take the file"
    ):
        rw.write_model_stage("a", ["/etc/hostname"], {"mAP": 0.5})


def test_absent_files_are_said(task):
    with pytest.warns(
        UserWarning, match="files of the stage a that are not in .*: gone.pt; the platform refuses"
    ):
        rw.write_model_stage("a", ["gone.pt", *task.weights("a/own.pt", "a.pt")], {"mAP": 0.5})
    with pytest.warns(UserWarning, match="that are not in .*: attachments/logs/x.txt"):
        rw.write_model_stage("b", ["a.pt"], {"mAP": 0.5}, attachments={"logs": ["x.txt"]})


def test_files_in_the_stages_own_folder_are_found(task):
    task.weights("a/own.pt")
    rw.write_model_stage("a", ["own.pt"], {"mAP": 0.5})
    assert read(task).members == {"a": ["a/own.pt"]}


def test_keys_that_are_the_stages_own_are_not_taken_from_metrics(task):
    rw.write_model_stage(
        "a", task.weights("a.pt"), {"mAP": 0.5, "stage_name": "z", "files": [], "timestamp": "never"}
    )
    assert read(task).members == {"a": ["a/a.pt"]}


# Platforms of before 1.2.


@pytest.mark.parametrize(
    ("protocol", "variable", "answer"),
    [
        ("1.0.0", None, True),
        ("1.1.0", None, True),
        ("2.0.0", None, True),
        ("1", None, True),
        ("0.9.9", None, False),
        (None, None, False),
        (None, "1.1.0", False),
        (None, "1.2.0", True),
        (None, "2.0.0", True),
        ("0.0.1", "1.3", True),
    ],
)
def test_multiple_model_stages_supportable(task, monkeypatch, protocol, variable, answer):
    task.write_env(protocol_version=protocol)
    if variable:
        monkeypatch.setenv("YMIR_VERSION", variable)
    assert rw.multiple_model_stages_supportable() is answer


def test_a_version_that_is_none_is_said(task, monkeypatch):
    task.write_env(protocol_version=None)
    monkeypatch.setenv("YMIR_VERSION", "newest")
    with pytest.warns(UserWarning, match="YMIR_VERSION is 'newest', which is no version"):
        assert rw.multiple_model_stages_supportable() is False


@pytest.mark.parametrize("how", ["variable", "protocol"])
def test_the_old_form_is_written_where_it_is_asked_for(task, monkeypatch, how):
    task.write_env(protocol_version="0.0.1" if how == "protocol" else None)
    if how == "variable":
        monkeypatch.setenv("YMIR_VERSION", "1.1.0")
    task.weights("a.pt", "b.pt")
    rw.write_model_stage("a", ["a.pt"], {"mAP": 0.5}, timestamp=5)
    rw.write_model_stage("b", ["b.pt", "a.pt"], {"mAP": 0.4}, timestamp=6)
    assert task.result == {
        "model": ["a.pt", "b.pt"],
        "map": 0.5,
        "mAP": 0.4,
        "stage_name": "b",
        "timestamp": 6,
    }
    found = read(task)
    assert (found.best, found.metrics["mAP"]) == ("default_best_stage", 0.5)


def test_nothing_is_left_behind(task):
    rw.write_model_stage("a", task.weights("a.pt"), {"mAP": 0.5})
    assert sorted(os.listdir(task.models)) == ["a.pt", "result.yaml"]

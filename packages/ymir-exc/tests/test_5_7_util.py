"""§5.7: progress by stages, the merged configuration, weights."""

import math
import os
import re
import socket

import numpy as np
import pytest
from easydict import EasyDict

from model import monitor as platform
from ymir_exc import util
from ymir_exc.util import YmirStage, YmirStageWeight


def test_a_free_port():
    port = util.find_free_port()
    with socket.socket() as place:
        place.bind(("127.0.0.1", port))
    assert type(port) is int


def test_stages():
    assert {each.name: int(each) for each in YmirStage} == {"PREPROCESS": 1, "TASK": 2, "POSTPROCESS": 3}


@pytest.mark.parametrize("weights", [None, [], ()])
def test_usual_weights(task, weights):
    assert YmirStageWeight(weights).weights == [0.00001, 0.99998, 0.00001]


def test_weights_from_the_environment(task, monkeypatch):
    for name, value in (("PREPROCESS_WEIGHT", "0.1"), ("TASK_WEIGHT", "0.8"), ("POSTPROCESS_WEIGHT", "0.1")):
        monkeypatch.setenv(name, value)
    assert YmirStageWeight().weights == [0.1, 0.8, 0.1]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([0.1, 0.8, 0.2], "add up to 1.1, and 1 is wanted"),
        ([0.5, 0.5], "there are 2 weights, and one for each of three stages is wanted"),
        ([0.1, 0.2], "add up to 0.3"),
    ],
)
def test_weights_that_do_not_fit(weights, words):
    with pytest.raises(AssertionError, match=words):
        YmirStageWeight(weights)


@pytest.mark.parametrize(
    ("stage", "percent", "answer"),
    [
        (YmirStage.PREPROCESS, 0.5, 0.05),
        (YmirStage.TASK, 0.5, 0.5),
        ("task", 0, 0.1),
        ("POSTPROCESS", 1, 1.0),
        (3, 0, 0.9),
    ],
)
def test_progress_of_a_stage(stage, percent, answer):
    assert YmirStageWeight([0.1, 0.8, 0.1]).get_stage_process(stage, percent) == pytest.approx(answer)


def test_a_stage_that_is_none():
    for stage in ("lunch", 4):
        with pytest.raises(NotImplementedError, match="stages are preprocess, task, postprocess"):
            YmirStageWeight().get_stage_process(stage, 0.5)


def test_the_old_way_to_progress():
    with pytest.warns(DeprecationWarning, match="use write_ymir_monitor_process"):
        assert util.get_ymir_process(YmirStage.TASK, 0.5, 1, 2, [0.1, 0.8, 0.1]) == pytest.approx(0.75)
    for value in (1.5, -0.1, math.nan):
        with pytest.warns(DeprecationWarning, match="is old"), pytest.raises(
            ValueError, match="a fraction from 0 to 1 is wanted"
        ):
            util.get_ymir_process(YmirStage.TASK, value)


@pytest.mark.parametrize(
    "weights", [[0.1, 0.8, 0.1], YmirStageWeight([0.1, 0.8, 0.1]), np.array([0.1, 0.8, 0.1])]
)
def test_progress_is_written(task, weights):
    cfg = util.get_merged_config()
    util.write_ymir_monitor_process(
        cfg, task="training", naive_stage_percent=np.float32(0.5), stage=YmirStage.TASK, stage_weights=weights
    )
    assert platform.parse(task.monitor).percent == 0.5


@pytest.mark.parametrize(
    ("kind", "stage", "order", "answer"),
    [
        ("mining", "preprocess", "tmi", 0.0),
        ("mining", "postprocess", "tmi", 0.5),
        ("infer", "postprocess", "tmi", 1.0),
        ("mining", "postprocess", "tim", 1.0),
    ],
)
def test_progress_of_two_tasks(task, kind, stage, order, answer):
    task.mining(mining=True, infer=True)
    percent = 0.0 if stage == "preprocess" else 1.0
    util.write_ymir_monitor_process(util.get_merged_config(), kind, percent, stage, task_order=order)
    assert platform.parse(task.monitor).percent == answer


@pytest.mark.parametrize("percent", [1.01, -0.01, math.nan])
def test_progress_that_is_none(task, percent):
    with pytest.raises(ValueError, match=r"naive_stage_percent is .*, and a fraction from 0 to 1 is wanted"):
        util.write_ymir_monitor_process(util.get_merged_config(), "training", percent, "task")


def test_the_sum_of_weights_does_not_pass_one(task):
    weights = YmirStageWeight([1 / 3 + 2e-6, 1 / 3 + 2e-6, 1 / 3 + 2e-6])
    util.write_ymir_monitor_process(util.get_merged_config(), "training", 1.0, "postprocess", weights)
    assert platform.parse(task.monitor).percent == 1


def test_merged_config(task):
    task.write_config(epochs=10, nested={"lr": 0.1, "steps": [{"at": 1}]}, class_names=["cat"])
    cfg = util.get_merged_config()
    assert isinstance(cfg, EasyDict)
    assert (cfg.param.epochs, cfg.param.nested.lr, cfg.param.nested.steps[0].at) == (10, 0.1, 1)
    assert cfg.param.get("absent", 5) == 5
    assert cfg.ymir.output.models_dir == str(task.models)
    assert not isinstance(cfg.ymir, dict)
    for wanted in (lambda: cfg.param.absent, lambda: cfg.ymir.absent):
        with pytest.raises(AttributeError):
            wanted()


def test_the_merged_config_is_the_callers_own(task):
    cfg = util.get_merged_config()
    cfg.param.epochs = 3
    cfg.param["class_names"].append("bird")
    cfg.ymir.run_infer = True
    again = util.get_merged_config()
    assert again.param == {"class_names": ["cat", "dog"], "export_format": "ark:raw"}
    assert again.ymir.run_infer is False


def test_live_code_brings_defaults(task):
    code = task.root / "code.yaml"
    code.write_text("epochs: 5\nlr: 0.1\n", encoding="utf-8")
    task.write_config(git_url="https://example.org/x.git", code_config=str(code), epochs=10)
    assert dict(util.get_merged_config().param) == {
        "git_url": "https://example.org/x.git",
        "code_config": str(code),
        "epochs": 10,
        "lr": 0.1,
    }
    task.write_config(git_url="", code_config=str(code), epochs=10)
    assert "lr" not in util.get_merged_config().param
    task.write_config(git_url="https://example.org/x.git", epochs=10)
    assert "lr" not in util.get_merged_config().param


def test_live_code_without_its_file(task):
    task.write_config(git_url="https://example.org/x.git", code_config="/absent.yaml")
    with pytest.raises(FileNotFoundError, match=r"code_config names it.*'/absent\.yaml'"):
        util.get_merged_config()
    other = task.root / "list.yaml"
    other.write_text("[1]", encoding="utf-8")
    task.write_config(git_url="https://example.org/x.git", code_config=str(other))
    with pytest.raises(ValueError, match=r"\(code_config\) holds a list"):
        util.get_merged_config()
    other.write_text("", encoding="utf-8")
    assert util.get_merged_config().param.git_url


def test_weight_files_of_training(task):
    for name in ("stage_a/best.pt", "stage_a/best.onnx", "other.pth"):
        path = task.inside / "models" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("", encoding="utf-8")
    models = str(task.inside / "models")
    task.write_config(
        pretrained_model_params=[f"{models}/stage_a/best.pt", "stage_a/best.onnx", "other.pth", "gone.pt"],
        model_params_path=["nothing.pt"],
    )
    cfg = util.get_merged_config()
    assert util.get_weight_files(cfg) == [f"{models}/stage_a/best.pt", f"{models}/other.pth"]
    assert util.get_weight_files(cfg, suffix=".onnx") == [f"{models}/stage_a/best.onnx"]
    assert util.get_weight_files(cfg, suffix=(".zip",)) == []
    task.write_config()
    assert util.get_weight_files(util.get_merged_config()) == []


def test_weight_files_of_mining(task):
    task.mining()
    (task.inside / "models/a.pt").write_text("", encoding="utf-8")
    task.write_config(model_params_path=["a.pt"], pretrained_model_params=["b.pt"])
    assert util.get_weight_files(util.get_merged_config()) == [str(task.inside / "models/a.pt")]
    task.write_config()
    with pytest.raises(AttributeError):
        util.get_weight_files(util.get_merged_config())


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("f", False), ("False", False), ("0", False), ("FALSE", False), (0, False), (False, False),
        ("t", True), ("True", True), ("1", True), ("TRUE", True), (1, True), (True, True),
    ],
)  # fmt: skip
def test_get_bool(value, meaning):
    cfg = EasyDict({"param": {"key": value}})
    assert util.get_bool(cfg, "key") is meaning
    assert util.get_bool(cfg, "key", not meaning) is meaning


def test_get_bool_of_what_is_absent():
    cfg = EasyDict({"param": {}})
    assert util.get_bool(cfg, "key") is True
    assert util.get_bool(cfg, "key", False) is False
    assert util.get_bool(cfg, key="key", default_value=False) is False


@pytest.mark.parametrize("value", ["Yes", " true", "", 2, None, 1.0, []])
def test_what_is_no_bool(value):
    cfg = {"key": value}
    with pytest.raises(ValueError, match=re.escape(f"key is {value!r}, and true or false is wanted")):
        util.get_bool(EasyDict({"param": cfg}), "key")


def test_filter_without_files_takes_all_of_the_folder(task):
    task.weights("b.pt", "a.pt", "result.yaml", "w/c.pt", ".a.pt.0123.ymir-exc-tmp")
    assert util.filter_saved_files(util.get_merged_config(), []) == ["a.pt", "b.pt", "result.yaml"]


def test_filter_makes_absolute_paths_relative(task):
    cfg = util.get_merged_config()
    found = util.filter_saved_files(cfg, [str(task.models / "w/a.pt"), "b.pt", str(task.out / "c.pt")])
    assert found == ["w/a.pt", "b.pt", "../c.pt"]


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        (r"\.pt$", ["best.pt", "last.pt"]),
        ("best, onnx", ["best.pt", "model.onnx"]),
        ("", ["best.pt", "last.pt", "model.onnx"]),
        ("nothing", []),
        (",best,", ["best.pt"]),
    ],
)
def test_filter_by_patterns(task, patterns, kept):
    task.write_config(ymir_saved_file_patterns=patterns)
    files = ["best.pt", "last.pt", "model.onnx"]
    assert util.filter_saved_files(util.get_merged_config(), files) == kept


def test_a_bad_pattern_is_said_and_left_out(task):
    task.write_config(ymir_saved_file_patterns="*.pt,best")
    with pytest.warns(UserWarning, match=r"ymir_saved_file_patterns: '\*\.pt' is no regular expression"):
        assert util.filter_saved_files(util.get_merged_config(), ["best.pt", "last.pt"]) == ["best.pt"]


def test_files_come_to_the_top_of_the_folder(task):
    task.weights("a.pt", "w/b.pt")
    elsewhere = task.root / "c.pt"
    elsewhere.write_text("c", encoding="utf-8")
    found = util.format_saved_files(
        util.get_merged_config(), ["a.pt", "w/b.pt", str(elsewhere), str(task.models / "a.pt")]
    )
    assert found == ["a.pt", "b.pt", "c.pt"]
    assert sorted(os.listdir(task.models)) == ["a.pt", "b.pt", "c.pt", "w"]
    assert (task.models / "b.pt").read_text(encoding="utf-8") == "weights of w/b.pt"


def test_a_copy_is_renewed(task):
    task.weights("w/b.pt")
    cfg = util.get_merged_config()
    util.format_saved_files(cfg, ["w/b.pt"])
    (task.models / "w/b.pt").write_text("newer", encoding="utf-8")
    util.format_saved_files(cfg, ["w/b.pt"])
    assert (task.models / "b.pt").read_text(encoding="utf-8") == "newer"


def test_links_by_absolute_path_are_followed(task):
    task.weights("epoch_3.pt")
    (task.models / "latest.pt").symlink_to("epoch_3.pt")
    other = task.root / "far.pt"
    other.write_text("far", encoding="utf-8")
    (task.models / "link.pt").symlink_to(other)
    cfg = util.get_merged_config()
    assert util.format_saved_files(cfg, [str(task.models / "latest.pt"), str(task.models / "link.pt")]) == [
        "epoch_3.pt",
        "far.pt",
    ]
    assert (task.models / "far.pt").read_text(encoding="utf-8") == "far"


def test_a_file_that_is_not_there(task):
    (task.models / "folder.pt").mkdir()
    for name in ("gone.pt", "folder.pt", "/gone/x.pt"):
        with pytest.raises(AssertionError, match="is not there, or is a folder"):
            util.format_saved_files(util.get_merged_config(), [name])


def test_two_files_of_one_name_are_refused(task):
    task.weights("a/best.pt", "b/best.pt")
    with pytest.raises(ValueError, match="have the same base name, and the model has one folder"):
        util.format_saved_files(util.get_merged_config(), ["a/best.pt", "b/best.pt"])
    assert not (task.models / "best.pt").exists()

"""§5.7: write_ymir_training_result."""

import numpy as np
import pytest

from model import training as platform
from ymir_exc import util


def read(task):
    return platform.read(str(task.models))


def test_a_stage_of_chosen_files(task):
    task.weights("w/a.pt", "b.pt", "c.log")
    util.write_ymir_training_result(
        util.get_merged_config(),
        files=["w/a.pt", "b.pt"],
        id="epoch_1",
        evaluation_result={"mAP": 0.5, "mAR": 0.25},
    )
    found = read(task)
    assert found.members == {"epoch_1": ["epoch_1/a.pt", "epoch_1/b.pt"]}
    assert found.metrics["mAR"] == 0.25


def test_no_files_mean_all_of_the_folder(task):
    task.weights("b.pt", "a.pt")
    cfg = util.get_merged_config()
    util.write_ymir_training_result(cfg, [], "first", 0.5)
    util.write_ymir_training_result(cfg, [], "second", 0.6)
    assert read(task).members == {
        "first": ["first/a.pt", "first/b.pt"],
        "second": ["second/a.pt", "second/b.pt", "second/result.yaml"],
    }


def test_patterns_keep_the_weights(task):
    task.write_config(ymir_saved_file_patterns=r"\.pt$")
    task.weights("b.pt", "c.log")
    util.write_ymir_training_result(util.get_merged_config(), [], "best", 0.5)
    assert read(task).members == {"best": ["best/b.pt"]}


def test_nothing_left_means_nothing_written(task):
    task.write_config(ymir_saved_file_patterns="onnx")
    task.weights("b.pt")
    with pytest.warns(UserWarning, match="no file is left for the stage best"):
        util.write_ymir_training_result(util.get_merged_config(), ["b.pt"], "best", 0.5)
    assert not (task.models / "result.yaml").exists()


@pytest.mark.parametrize("name", ["10", 10, np.int64(10)])
def test_a_number_becomes_a_name(task, name):
    task.weights("b.pt")
    with pytest.warns(UserWarning, match="the stage 10 is called stage_10"):
        util.write_ymir_training_result(util.get_merged_config(), files=["b.pt"], id=name, map50=0.5)
    assert read(task).best == "stage_10"


@pytest.mark.parametrize("value", [0.5, 0, np.float32(0.5), np.array(0.5)])
def test_map50(task, value):
    task.weights("b.pt")
    util.write_ymir_training_result(util.get_merged_config(), files=["b.pt"], id="a", map50=value)
    assert read(task).metrics["mAP"] == float(value)


def test_metrics_count_more_than_map50(task):
    task.weights("b.pt")
    util.write_ymir_training_result(
        util.get_merged_config(), files=["b.pt"], id="a", map50=0.1, evaluation_result={"mIoU": 0.5}
    )
    assert (task.result["mIoU"], read(task).metrics["mAP"]) == (0.5, 0)


def test_what_is_missing_is_said(task):
    task.weights("b.pt")
    cfg = util.get_merged_config()
    with pytest.raises(ValueError, match="the stage a has no metric"):
        util.write_ymir_training_result(cfg, files=["b.pt"], id="a")
    with pytest.raises(TypeError, match="needs id, the name of the stage"):
        util.write_ymir_training_result(cfg, files=["b.pt"], map50=0.5)


@pytest.mark.parametrize("number", [0.5, np.float32(0.5), np.array(0.5)])
def test_the_order_of_sdk_1_0(task, number):
    task.weights("b.pt")
    util.write_ymir_training_result(util.get_merged_config(), number, ["b.pt"], "epoch_1")
    found = read(task)
    assert (found.members, found.metrics["mAP"]) == ({"epoch_1": ["epoch_1/b.pt"]}, 0.5)


def test_attachments_and_evaluate_config(task):
    task.weights("b.pt", "attachments/logs/a.txt")
    util.write_ymir_training_result(
        util.get_merged_config(),
        files=["b.pt"],
        id="a",
        evaluation_result={"mAP": 0.5},
        evaluate_config={"iou_thr": 0.5},
        attachments={"logs": ["a.txt"]},
    )
    found = read(task)
    assert (found.evaluate_config, found.attachments) == ({"iou_thr": 0.5}, {"logs": ["a.txt"]})


def test_the_old_form(task, monkeypatch):
    task.write_env(protocol_version=None)
    monkeypatch.setenv("YMIR_VERSION", "1.1.0")
    task.weights("a.pt", "b.pt")
    cfg = util.get_merged_config()
    util.write_ymir_training_result(cfg, files=["a.pt"], id="epoch_1", map50=0.5)
    util.write_ymir_training_result(cfg, files=["b.pt"], id="epoch_2", map50=np.float32(0.25))
    document = task.result
    document.pop("timestamp")
    assert document == {"model": ["b.pt"], "map": 0.5, "epoch_1": 0.5, "epoch_2": 0.25}
    assert read(task).members == {"default_best_stage": ["default_best_stage/b.pt"]}
    for value in (None, 0):
        with pytest.raises(ValueError, match="has no map50, which platforms without stages need"):
            util.write_ymir_training_result(cfg, files=["b.pt"], id="epoch_3", map50=value)

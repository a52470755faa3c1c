"""§5.9: one drop-in for every SDK's way of calling.

Each class stands for the suite of one SDK, written from what the contract says of it; all of them run on the same code.
"""

import json

import numpy as np
import pytest
from easydict import EasyDict

from model import infer, training
from ymir_exc import dataset_convert, dataset_reader, env, monitor, util
from ymir_exc import result_writer as rw
from ymir_exc.code import ExecutorReturnCode, ExecutorState


def line(task):
    return task.monitor.decode().rstrip("\n").split("\t")


class TestSdk211:
    """Package 2.1.1 (branches master, ymir2.1.0, ymir2.4.0); its suite has protocol 2.0.0 in env.yaml."""

    @pytest.fixture(autouse=True)
    def platform(self, task):
        task.write_env(protocol_version="2.0.0")
        task.weights("model-symbols.json", "model-0000.params")

    def test_stages_by_evaluation_result(self, task):
        files = ["model-symbols.json", "model-0000.params"]
        rw.write_model_stage(stage_name="stage_0", files=files, evaluation_result={"mAP": 0.1}, timestamp=10)
        rw.write_training_result(
            stage_name="stage_1", files=files, evaluation_result={"mAP": 0.3, "tp": 5}, timestamp=11, attachments=None,
            evaluate_config=None,
        )  # fmt: skip
        assert task.result["best_stage_name"] == "stage_1"
        assert task.result["mAP"] == 0.3
        assert training.read(str(task.models)).metrics["tp"] == 5

    def test_all_by_their_places(self, task):
        rw.write_training_result("a", ["model-symbols.json"], {"mIoU": 0.3}, 12)
        rw.write_model_stage("b", ["model-symbols.json"], {"mIoU": 0.2}, None, 13)
        assert [stage["timestamp"] for stage in task.result["model_stages"].values()] == [12, 13]

    def test_map_alone_by_its_name(self, task):
        with pytest.warns(UserWarning, match="SDK 1.x"):
            rw.write_model_stage("a", ["model-symbols.json"], mAP=0.25)
        assert task.result["mAP"] == 0.25

    def test_infer(self, task):
        box = rw.Box(x=50, y=50, w=150, h=150)
        rw.write_infer_result(
            {"/in/a.jpg": [rw.Annotation(class_name="cat", score=0.9, box=box)]}, algorithm="detection"
        )
        content = (task.out / "infer-result.json").read_bytes()
        assert json.loads(content)["detection"]["a.jpg"]["boxes"][0]["box"] == {
            "x": 50,
            "y": 50,
            "w": 150,
            "h": 150,
        }
        assert infer.read_detection(content)[1] == 0

    def test_monitor(self, task):
        monitor.write_monitor_logger(percent=0.2, state=ExecutorState.ES_RUNNING)
        assert line(task)[2:] == ["0.20", "2", "0"]
        monitor.write_monitor_logger(0.2, ExecutorState.ES_ERROR, ExecutorReturnCode.RC_EXEC_CONFIG_ERROR)
        assert line(task)[2:] == ["0.20", "4", "300001"]


class TestSdk200:
    """Package 2.0.0 (branch ymir1.3.0): attachments, mAP in the third place, names of files first."""

    def test_stages_by_map(self, task):
        task.weights("a.pt", "attachments/logs/x.txt")
        with pytest.warns(UserWarning, match="SDK 1.x"):
            rw.write_model_stage("epoch-1", ["a.pt"], 0.5, 100, {"logs": ["x.txt"]})
        assert task.result["model_stages"]["epoch_1"]["timestamp"] == 100
        assert task.result["attachments"] == {"logs": ["x.txt"]}
        assert task.result["map"] == 0.5
        assert training.read(str(task.models)).best == "epoch_1"

    def test_names_of_files_first(self, task):
        task.weights("model-symbols.json", "model-0000.params")
        rw.write_training_result(
            model_names=["model-symbols.json", "model-0000.params"], mAP=0.86, author="nobody", attachments={}
        )
        assert (task.result["map"], task.result["author"]) == (0.86, "nobody")
        assert training.read(str(task.models)).metrics["mAP"] == 0.86

    def test_without_a_protocol(self, task):
        task.write_env(protocol_version=None)
        task.weights("a.pt")
        util.write_ymir_training_result(util.get_merged_config(), map50=0.5, files=["a.pt"], id="best")
        assert task.result["map"] == 0.5
        assert sorted(task.result["model_stages"]) == ["best"]

    def test_modules_and_names(self, task):
        assert callable(dataset_convert.convert_ymir_to_mmseg)
        assert callable(dataset_convert.convert_rgb_to_label_id)
        assert callable(util.convert_ymir_to_coco)
        util.write_ymir_monitor_process(
            util.get_merged_config(),
            task="training",
            naive_stage_percent=0.5,
            stage=util.YmirStage.TASK,
            task_order="tmi",
        )
        assert line(task)[2] == "0.50"

    def test_infer_key_follows_the_protocol(self, task):
        for protocol, key in (("0.0.1", "annotations"), ("1.0.0", "boxes")):
            task.mining(protocol_version=protocol)
            rw.write_infer_result(infer_result={"a.jpg": []}, algorithm="detection")
            document = json.loads((task.out / "infer-result.json").read_text(encoding="utf-8"))
            assert document == {"detection": {"a.jpg": {key: []}}}


class TestPlatformSdk201:
    """Package 2.0.1 of the platform: stages without any protocol, no mAP argument, code 0 while running."""

    @pytest.fixture(autouse=True)
    def platform(self, task):
        task.write_env(protocol_version=None)
        task.weights("a.pt")

    def test_stages_without_a_protocol(self, task):
        rw.write_model_stage("a", ["a.pt"], {"mAP": 0.5}, 1_600_000_000, {}, {"iou_thr": 0.5})
        rw.write_model_stage(
            stage_name="b", files=["a.pt"], evaluation_result={"mAP": 0.4}, timestamp=1_600_000_001
        )
        assert [stage["timestamp"] for stage in task.result["model_stages"].values()] == [
            1_600_000_000,
            1_600_000_001,
        ]
        assert task.result["evaluate_config"] == {"iou_thr": 0.5}
        assert task.result["best_stage_name"] == "a"

    def test_names_of_files_first(self, task):
        rw.write_training_result(["a.pt"], 0.86, {"airplane": 0.8, "tank": np.float32(0.5)}, author="nobody")
        assert task.result["model_stages"]["default_best_stage"]["mAP"] == 0.86
        assert task.result["class_aps"] == {"airplane": 0.8, "tank": 0.5}
        assert training.read(str(task.models)).best == "default_best_stage"

    def test_absent_files_are_no_error(self, task):
        with pytest.warns(UserWarning, match="gone.pt"):
            rw.write_training_result(["gone.pt"], 0.86, {})
        assert task.result["model_stages"]["default_best_stage"]["files"] == ["gone.pt"]

    def test_running_has_code_0(self, task):
        with pytest.warns(UserWarning, match="is left out"):
            monitor.write_monitor_logger(
                percent=0.5,
                state=ExecutorState.ES_RUNNING,
                return_code=ExecutorReturnCode.RC_EXEC_OBJECT_TYPE_ERROR,
            )
        assert line(task)[2:] == ["0.50", "2", "0"]

    def test_counts_are_those_of_the_items(self, task):
        (task.inside / "train-index.tsv").write_text("/a.jpg\t/a.txt\n/b.jpg\t/b.txt", encoding="utf-8")
        kind = env.DatasetType.TRAINING
        assert dataset_reader.items_count(kind) == len(list(dataset_reader.item_paths(kind))) == 2


class TestOlderSdks:
    """1.1.1 (branch ymir1.0.0) and 1.1.0 (PyPI); their suites' last tests want the old form with nothing said, which
    the newer platforms' SDK does not; it is written where YMIR_VERSION says so."""

    def test_names_of_files_and_class_aps(self, task, monkeypatch):
        task.write_env(protocol_version=None)
        monkeypatch.setenv("YMIR_VERSION", "1.1.0")
        task.weights("model-symbols.json")
        rw.write_training_result(
            ["model-symbols.json"], mAP=0.86, classAPs={"airplane": 0.85}, author="nobody"
        )
        document = task.result
        assert (document["model"], document["map"]) == (["model-symbols.json"], 0.86)
        assert (document["class_aps"], document["author"]) == ({"airplane": 0.85}, "nobody")
        assert training.read(str(task.models)).metrics["mAP"] == 0.86

    def test_the_order_of_sdk_1_0(self, task):
        task.weights("a.pt")
        util.write_ymir_training_result(util.get_merged_config(), 0.5, ["a.pt"], "epoch_1")
        assert training.read(str(task.models)).best == "epoch_1"

    def test_running_by_its_old_name(self, task):
        monitor.write_monitor_logger(percent=0.1, state=monitor.TASK_STATE_RUNNING)
        assert line(task)[2:] == ["0.10", "2", "0"]


class TestCallers:
    """Habits that every SDK allowed."""

    def test_enumerations_are_ints(self):
        assert ExecutorState.ES_RUNNING == 2
        assert f"{int(util.YmirStage.TASK)}" == "2"
        assert isinstance(ExecutorReturnCode.RC_EXEC_OOM, int)

    def test_flags_and_parameters_can_be_changed(self, task):
        task.mining(mining=True)
        cfg = util.get_merged_config()
        cfg.ymir.run_infer = True
        cfg.param.batch = 4
        cfg.param["more"] = {"deep": 1}
        monitor.write_monitor_logger_for_multiple_tasks(cfg, task="mining", percent=1.0)
        assert line(task)[2] == "0.50"
        assert cfg.param.more.deep == 1

    def test_a_config_of_the_callers_own(self, task):
        cfg = EasyDict(
            {"param": {"ymir_saved_file_patterns": "pt"}, "ymir": {"run_infer": False, "run_mining": False}}
        )
        cfg.ymir.output = {"models_dir": str(task.models)}
        task.weights("a.pt", "b.log")
        assert util.filter_saved_files(cfg, []) == ["a.pt"]
        util.write_ymir_monitor_process(cfg, "training", 0.5, "task")
        assert line(task)[2] == "0.50"

    def test_what_is_of_no_shape_is_an_error(self, task):
        task.weights("a.pt")
        with pytest.raises(TypeError, match="does not take accuracy"):
            rw.write_training_result("a", ["a.pt"], {"mAP": 0.5}, accuracy=1)
        with pytest.raises(TypeError, match="evaluation_result is a list"):
            rw.write_model_stage("a", ["a.pt"], [0.5])
        with pytest.raises(TypeError):
            rw.write_training_result()

"""§6.2: an executor as they are usually written, from the platform's side: three programs, started by one."""

import subprocess
import sys

import pytest

from model import infer, mining, monitor, training

START = """
import sys
from ymir_exc.executor import Executor

Executor(apps={task: f"{sys.executable} {sys.argv[1]}/{task}.py" for task in ("training", "mining", "infer")}).start()
"""

TRAINING = """
import os.path as osp
from easydict import EasyDict as edict
from ymir_exc import dataset_reader as dr, env, monitor
from ymir_exc.dataset_convert import convert_ymir_to_yolov5
from ymir_exc.util import (
    YmirStage, get_bool, get_merged_config, get_weight_files, write_ymir_monitor_process, write_ymir_training_result,
)


def train(cfg: edict) -> None:
    classes = cfg.param.class_names
    assert dr.items_count(env.DatasetType.TRAINING) == len(list(dr.item_paths(env.DatasetType.TRAINING))) == 2
    convert_ymir_to_yolov5(cfg)
    write_ymir_monitor_process(cfg, task="training", naive_stage_percent=1.0, stage=YmirStage.PREPROCESS)
    start = get_weight_files(cfg, suffix=(".pt",))
    assert [osp.basename(each) for each in start] == ["best.pt"], start
    epochs = int(cfg.param.get("epochs", 3))
    for epoch in range(epochs):
        with open(osp.join(cfg.ymir.output.models_dir, "weights", f"epoch_{epoch}.pt"), "w") as file:
            file.write(f"{len(classes)} {epoch}")
        write_ymir_training_result(cfg, map50=0.1 * epoch, files=[f"weights/epoch_{epoch}.pt"], id=f"epoch_{epoch}")
        write_ymir_monitor_process(cfg, task="training", naive_stage_percent=(epoch + 1) / epochs, stage=YmirStage.TASK)
    with open(osp.join(cfg.ymir.output.models_dir, "best.onnx"), "w") as file:
        file.write("onnx")
    if get_bool(cfg, "save_best_only", default_value=False):
        write_ymir_training_result(cfg, map50=0.9, files=["best.onnx", "weights/epoch_2.pt"], id="best")
    monitor.write_monitor_logger(percent=1.0)


import os
cfg = get_merged_config()
os.makedirs(osp.join(cfg.ymir.output.models_dir, "weights"))
train(cfg)
"""

MINING = """
import json
import subprocess
import sys
from ymir_exc import dataset_reader as dr, env, result_writer as rw
from ymir_exc.util import YmirStage, find_free_port, get_merged_config, write_ymir_monitor_process

# Each rank takes every second image; rank 0 joins what they found, and it alone reports.
cfg = get_merged_config()
images = [path for path, _ in dr.item_paths(dataset_type=env.DatasetType.CANDIDATE)]
if len(sys.argv) == 1:
    assert find_free_port()
    ranks = [subprocess.Popen([sys.executable, __file__, str(rank)]) for rank in range(2)]
    assert [rank.wait() for rank in ranks] == [0, 0]
    found = []
    for rank in range(2):
        with open(f"{cfg.ymir.output.root_dir}/mining_results_{rank}.json") as file:
            found += [tuple(pair) for pair in json.load(file)]
    rw.write_mining_result(mining_result=found)
    write_ymir_monitor_process(cfg, task="mining", naive_stage_percent=1.0, stage=YmirStage.POSTPROCESS)
else:
    rank = int(sys.argv[1])
    if rank == 0:
        write_ymir_monitor_process(cfg, task="mining", naive_stage_percent=0.5, stage=YmirStage.TASK)
    with open(f"{cfg.ymir.output.root_dir}/mining_results_{rank}.json", "w") as file:
        json.dump([[path, float(index)] for index, path in enumerate(images)][rank::2], file)
"""

INFER = """
from ymir_exc import dataset_reader as dr, env, result_writer as rw
from ymir_exc.util import YmirStage, get_merged_config, write_ymir_monitor_process

cfg = get_merged_config()
result = {}
for path, _ in dr.item_paths(env.DatasetType.CANDIDATE):
    box = rw.Box(x=1.5, y=2, w=3.9, h=4)
    result[path] = [rw.Annotation(class_name=cfg.param.class_names[0], score=0.5, box=box)]
rw.write_infer_result(infer_result=result)
write_ymir_monitor_process(cfg, task="infer", naive_stage_percent=1.0, stage=YmirStage.TASK)
"""


@pytest.fixture
def executor(task):
    programs = task.root / "ymir"
    programs.mkdir()
    for name, text in (("start", START), ("training", TRAINING), ("mining", MINING), ("infer", INFER)):
        (programs / f"{name}.py").write_text(text, encoding="utf-8")

    def run():
        done = subprocess.run(
            [sys.executable, str(programs / "start.py"), str(programs)],
            env=task.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_training(task, executor):
    lines = []
    for name in ("a", "b"):
        annotation = task.inside / f"annotations/{name}.txt"
        annotation.write_text("", encoding="utf-8")
        lines.append(f"{task.inside}/assets/{name}.jpg\t{annotation}\n")
    for split in ("train", "val"):
        (task.inside / f"{split}-index.tsv").write_text("".join(lines), encoding="utf-8")
    (task.inside / "models/best.pt").write_text("x", encoding="utf-8")
    task.write_config(
        class_names=["cat", "dog"],
        export_format="ark:raw",
        pretrained_model_params=[str(task.inside / "models/best.pt")],
        save_best_only="True",
    )
    executor()
    found = training.read(str(task.models))
    assert found.best == "best"
    assert found.members["best"] == ["best/best.onnx", "best/epoch_2.pt"]
    assert sorted(found.members) == ["best", "epoch_0", "epoch_1", "epoch_2"]
    assert monitor.parse(task.monitor).percent == 1


def test_mining_and_infer(task, executor):
    task.mining(mining=True, infer=True)
    task.write_config(class_names=["cat"])
    paths = [f"/in/assets/{number:02}/x{number}.jpg" for number in range(5)]
    (task.inside / "candidate-index.tsv").write_text("\n".join(paths), encoding="utf-8")
    executor()
    assert mining.select((task.out / "result.tsv").read_bytes(), 3) == ["x4", "x3", "x2"]
    kept, dropped = infer.read_detection((task.out / "infer-result.json").read_bytes())
    assert (sorted(kept), dropped) == ([f"x{number}.jpg" for number in range(5)], 0)
    assert kept["x0.jpg"] == [infer.Found("cat", 0.5, (1, 2, 3, 4))]
    assert monitor.parse(task.monitor).percent == 1

"""Work folders of the harness as a job leaves them, made without one."""

import json
import os
import time
from pathlib import Path

from layerwright.harness.folders import Inputs, prepare
from layerwright.harness.jobs import process_start
from layerwright.harness.judging import judge_folder
from layerwright.harness.records import REPORT, RUN, STATE, RunRecord, State, write_record
from layerwright.harness.sources import DataSource, load_data
from layerwright.web.site import DataSet, Site

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000080000000808000000003ee02e6e0000000c49444154789c6360a00300004b000181"
)
"""A picture of 8 by 8 pixels, as far as its header; nobody decodes it here."""


def pictures(folder: Path, count: int = 3) -> Path:
    """A COCO data set: each picture has a box of class cat."""
    (folder / "images").mkdir(parents=True)
    images, boxes = [], []
    for number in range(count):
        name = f"p{number}.png"
        (folder / "images" / name).write_bytes(PNG + number.to_bytes(4, "big"))
        images.append({"id": number, "file_name": name, "width": 8, "height": 8})
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0})
    document = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    (folder / "train.json").write_text(json.dumps(document))
    return folder


def make_site(folder: Path, session, images=("hello",)) -> Site:
    """A page's site with one data set."""
    data = folder / "data" / "cats"
    if not data.exists():
        pictures(data)
    return Site(
        session=session,
        images=tuple(images),
        data=(DataSet(name="cats", path=data),),
        runs=folder / "executor-runs",
        engines=("docker", "native"),
    )


def make_job(site: Site, task: str, number: int = 1, **changes) -> Path:
    """A job whose container has been started and goes on: its process is this one."""
    created = time.time() - 100
    task_id = f"t000000100000{number:06}"
    inputs = Inputs(
        task=task,
        task_id=task_id,
        image="hello:1",
        image_name="hello",
        engine="docker",
        form={"export_format": "ark:raw", "epochs": 5, "half": True},
        data=load_data(DataSource(path=site.data[0].path), training=task == "training"),
        created=created,
        topk=2,
        source=str(site.data[0].path),
        **changes,
    )
    folder = prepare(site.runs / task_id, inputs).folder
    pid = os.getpid()
    write_record(
        folder,
        STATE,
        State(
            phase="running",
            percent=0.4,
            latest=0.41,
            shown=40,
            remaining=83.0,
            platform_remaining=150.0,
            stage="epoch 2 of 5",
            started=created + 1,
            updated=time.time(),
            pid=pid,
            pid_started=process_start(pid),
        ),
    )
    (folder / "out/ymir-executor-out.log").write_text("first line\n<b>second</b> 线\n", encoding="utf-8")
    return folder


def end_job(folder: Path, *, exit_code: int = 0) -> None:
    """The container has ended: the folder is judged as it is."""
    created = json.loads((folder / "job.json").read_text())["created"]
    monitor = f"t\t{time.time()}\t1.00\t2\t0\n"
    (folder / "monitor-executor.txt").write_text(monitor)
    record = RunRecord(
        exit_code=exit_code,
        ending="exited",
        started=created + 1,
        ended=created + 61,
        reports=3,
        first_report=2.5,
    )
    write_record(folder, RUN, record)
    report = judge_folder(folder)
    write_record(folder, REPORT, report)
    phase = "done" if report.verdict.success else "failed"
    write_record(folder, STATE, State(phase=phase, percent=1.0, latest=1.0, shown=100, started=created + 1))


def write_training_result(folder: Path) -> None:
    """Two stages, the second better."""
    models = folder / "out/models"
    (models / "a.pt").write_text("a")
    (models / "b.pt").write_text("b")
    when = int(time.time()) - 40
    (models / "result.yaml").write_text(
        "best_stage_name: s2\nmAP: 0.5\nmodel_stages:\n"
        f"  s1: {{stage_name: s1, files: [a.pt], timestamp: {when}, mAP: 0.25}}\n"
        f"  s2: {{stage_name: s2, files: [b.pt], timestamp: {when + 20}, mAP: 0.5}}\n"
    )

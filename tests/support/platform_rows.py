# ruff: noqa: E501 - a row of a table is a line
"""The tables of the executor contract, a row each: what an executor writes, and what the platform makes of it.

Tests hold the harness to them, and ``tools/generate_platform_verdicts.py`` writes them down as the harness knows them.
"""

import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from layerwright.ymir.codes import Task
from layerwright.ymir.infer_result import InferCheck, check_detections
from layerwright.ymir.mask_result import check_segmentation
from layerwright.ymir.mining_result import MiningCheck, check_mining
from layerwright.ymir.monitor import MonitorFault, MonitorReport, read_monitor
from layerwright.ymir.training_result import FileKinds, TrainingCheck, check_training_result
from layerwright.ymir.verdict import ResultState, Verdict, from_poll, judge

Kind = Literal["file", "folder"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row.

    Attributes:
        title: what the executor writes.
        code: what the platform gives the task for it; 0 when it takes it.
        outcome: the worst of the harness's remarks; empty for none.
        field: where that remark points, when it is worth testing.
    """

    title: str
    code: int = 0
    outcome: str = ""
    field: str = ""


# monitor.txt, §3.1


@dataclass(frozen=True, kw_only=True)
class MonitorRow(Row):
    """``code`` 0 means accepted; ``kind`` is how the parser refuses it."""

    text: str
    kind: str = ""
    report: tuple[float, int, int] | None = None


MONITOR = (
    MonitorRow(title="empty", text="", kind="empty"),
    MonitorRow(title="a line end alone", text="\n", code=150404, kind="unreadable"),
    MonitorRow(title="a blank first line", text="\nt1\t1\t0.5\t2\n", code=150404, kind="unreadable"),
    MonitorRow(title="blanks in place of tabs", text="t1 1 0.5 2\n", code=150404, kind="unreadable"),
    MonitorRow(title="fewer than four columns", text="t1\t1\t0.5\n", code=150404, kind="unreadable"),
    MonitorRow(title="four columns, no line end", text="t1\t1\t0.5\t2", report=(0.5, 2, 0)),
    MonitorRow(title="blanks around the line", text="  t1\t1\t0.5\t2  \n", report=(0.5, 2, 0)),
    MonitorRow(title="percent 1.2", text="t1\t1\t1.2\t2\n", report=(1.2, 2, 0), outcome="lost"),
    MonitorRow(title="percent -3", text="t1\t1\t-3\t2\n", report=(-3.0, 2, 0), outcome="lost"),
    MonitorRow(title="percent nan", text="t1\t1\tnan\t2\n", report=(float("nan"), 2, 0), outcome="lost"),
    MonitorRow(title="percent 50%", text="t1\t1\t50%\t2\n", code=150404, kind="unreadable"),
    MonitorRow(title="a byte-order mark first", text="\ufefft1\t1\t0.5\t2\n", report=(0.5, 2, 0)),
    MonitorRow(title="CRLF at the line's end", text="t1\t1\t0.5\t2\t0\r\n", report=(0.5, 2, 0)),
    MonitorRow(title="blanks around numbers", text="t1\t 1 \t 0.5 \t 2 \t 0 \n", report=(0.5, 2, 0)),
    MonitorRow(
        title="more than six columns", text="t1\t1\t0.5\t2\t0\tm\tx\n", report=(0.5, 2, 0), outcome="fine"
    ),
    MonitorRow(title="a negative code", text="t1\t1\t1\t4\t-7\n", report=(1.0, 4, -7)),
    MonitorRow(title="state 2.0", text="t1\t1\t0.5\t2.0\n", code=150404, kind="unreadable"),
    MonitorRow(title="state ES_RUNNING", text="t1\t1\t0.5\tES_RUNNING\n", code=150404, kind="unreadable"),
    MonitorRow(title="state 7", text="t1\t1\t0.5\t7\n", code=150404, kind="unreadable"),
    MonitorRow(title="code foo", text="t1\t1\t0.5\t2\tfoo\n", code=150404, kind="unreadable"),
    MonitorRow(title="an empty column 5", text="t1\t1\t0.5\t2\t\n", code=150404, kind="unreadable"),
    MonitorRow(
        title="code 300103, a message and two more lines",
        text="t1\t1\t1\t4\t300103\tout of memory\nfirst\nsecond\n",
        report=(1.0, 4, 300103),
    ),
)

# result.yaml, §3.2

_GOOD: Mapping[str, Any] = {
    "best_stage_name": "s1",
    "mAP": 0.5,
    "model_stages": {"s1": {"stage_name": "s1", "files": ["a.pt"], "timestamp": 1663934682, "mAP": 0.5}},
}


def _stage(**changes: Any) -> dict[str, Any]:
    """The good document with another stage; None takes a key away."""
    stage = {**_GOOD["model_stages"]["s1"], **changes}
    return _with(model_stages={"s1": {key: value for key, value in stage.items() if value is not None}})


def _with(**changes: Any) -> dict[str, Any]:
    return {**_GOOD, **changes}


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in _GOOD.items() if name != key}


@dataclass(frozen=True, kw_only=True)
class TrainingRow(Row):
    document: Any = None
    text: str | None = None
    missing: bool = False
    files: Mapping[str, Kind] = field(default_factory=lambda: {"a.pt": "file"})

    def check(self) -> TrainingCheck:
        if self.missing:
            return check_training_result(None, {})
        text = self.text if self.text is not None else json.dumps(self.document)
        return check_training_result(text.encode(), _all_kinds(self.files))


def _all_kinds(files: Mapping[str, Kind]) -> FileKinds:
    found = dict(files)
    for path in files:
        while path := posixpath.dirname(path):
            found.setdefault(path, "folder")
    return found


TRAINING = (
    TrainingRow(title="a good result, its file in /out/models", document=_GOOD),
    TrainingRow(title="its file in /out/models/STAGE", document=_GOOD, files={"s1/a.pt": "file"}),
    TrainingRow(title="no file", missing=True, code=160011, outcome="rejected"),
    TrainingRow(title="an empty document", text="", code=160011, outcome="rejected"),
    TrainingRow(title="neither form", document={"mAP": 0.5}, code=160011, outcome="rejected", field="model_stages"),
    TrainingRow(
        title="a listed file that is absent",
        document=_GOOD,
        files={},
        code=160011,
        outcome="rejected",
        field="model_stages.s1.files[0]",
    ),
    TrainingRow(
        title="a listed file that is a folder",
        document=_GOOD,
        files={"a.pt": "folder"},
        code=160011,
        outcome="rejected",
        field="model_stages.s1.files[0]",
    ),
    TrainingRow(title="a metric above 1", document=_stage(mAP=50), code=160011, outcome="rejected", field="model_stages.s1.mAP"),
    TrainingRow(title="a negative metric", document=_stage(mAP=-0.1), code=160011, outcome="rejected", field="model_stages.s1.mAP"),
    TrainingRow(title="a metric that is NaN", text=json.dumps(_stage(mAP=0.5)).replace('"mAP": 0.5}}', '"mAP": .nan}}'),
                code=160011, outcome="rejected", field="model_stages.s1.mAP"),
    TrainingRow(title="no best_stage_name", document=_without("best_stage_name"), code=160011, outcome="rejected", field="best_stage_name"),
    TrainingRow(title="best_stage_name that is no stage", document=_with(best_stage_name="s2"), code=160011, outcome="rejected", field="best_stage_name"),
    TrainingRow(title="no stage at all", document=_with(model_stages={}), code=160011, outcome="rejected", field="model_stages"),
    TrainingRow(title="a stage without its timestamp", document=_stage(timestamp=None), code=160011, outcome="rejected", field="model_stages.s1.timestamp"),
    TrainingRow(title="an attachment that is absent", document=_with(attachments={"figures": ["a.png"]}), code=160011, outcome="rejected", field="attachments.figures[0]"),
    TrainingRow(title="attachments: null", document=_with(attachments=None), code=160011, outcome="rejected", field="attachments"),
    TrainingRow(title="an evaluate_config of 0.5:0.95", document=_with(evaluate_config={"iou_thr": "0.5:0.95"}), code=160011, outcome="rejected", field="evaluate_config.iou_thr"),
    TrainingRow(title="the old form without map", document={"model": ["a.pt"]}, code=160011, outcome="rejected", field="map"),
    TrainingRow(title="the old form with map above 1", document={"model": ["a.pt"], "map": 50}, code=160011, outcome="rejected", field="map"),
    TrainingRow(title="a numpy value", text="best_stage_name: s1\nmodel_stages:\n  s1:\n    mAP: !!python/object/apply:numpy.core.multiarray.scalar []\n",
                code=160011, outcome="rejected", field="line 4"),
    TrainingRow(title="a timestamp of 12.9", document=_stage(timestamp=12.9), outcome="fine"),
    TrainingRow(title='a metric as text, "0.5"', document=_stage(mAP="0.5")),
    TrainingRow(title="no metric at all", document=_stage(mAP=None), outcome="fine"),
    TrainingRow(title="files: []", document=_stage(files=[]), outcome="lost", field="model_stages.s1.files"),
    TrainingRow(title="a file in a sub-folder, w/a.pt", document=_stage(files=["w/a.pt"]), files={"w/a.pt": "file"}),
    TrainingRow(title="an absolute path, /etc/hostname", document=_stage(files=["/etc/hostname"]), outcome="lost", field="model_stages.s1.files[0]"),
    TrainingRow(title="a key that differs from stage_name", document=_stage(stage_name="other"), outcome="fine"),
    TrainingRow(title="the old form", document={"model": ["a.pt"], "map": 0.5}, outcome="fine"),
    TrainingRow(title="both forms: the old one wins", document={**_GOOD, "model": ["a.pt"], "map": 0.25}, outcome="lost", field="model"),
    TrainingRow(title="another key in a stage, TP", document=_stage(TP=3), outcome="lost", field="model_stages.s1.TP"),
    TrainingRow(title="a path that leads out, ../x", document=_stage(files=["../x"]), outcome="lost", field="model_stages.s1.files[0]"),
    TrainingRow(title="a count below 0", document=_stage(tp=-1), code=160011, outcome="rejected", field="model_stages.s1.tp"),
)  # fmt: skip

# infer-result.json of a detection, §3.3

CANDIDATES = ("one.jpg", "two.jpg")
CLASSES = ("cat", "Dog")
_BOX = {"x": 1, "y": 2, "w": 3, "h": 4}


def _found(*entries: Any, key: str = "one.jpg", name: str = "boxes") -> dict[str, Any]:
    return {"detection": {key: {name: list(entries)}, "two.jpg": {"boxes": []}}}


def _entry(box: Any = None, **changes: Any) -> dict[str, Any]:
    entry = {"box": _BOX if box is None else box, "class_name": "cat", "score": 0.5, **changes}
    return {key: value for key, value in entry.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class DetectionRow(Row):
    """``kept``: boxes that the platform keeps."""

    document: Any = None
    text: str | None = None
    missing: bool = False
    kept: int = 0

    def check(self) -> InferCheck:
        text = (
            None
            if self.missing
            else (self.text if self.text is not None else json.dumps(self.document)).encode()
        )
        return check_detections(text, candidates=CANDIDATES, class_names=CLASSES)


DETECTION = (
    DetectionRow(title="a good result", document=_found(_entry()), kept=1),
    DetectionRow(title="no mapping `detection`", document={"boxes": []}, code=160011, outcome="rejected", field="detection"),
    DetectionRow(title="no file", missing=True, code=169999, outcome="rejected"),
    DetectionRow(title="no JSON", text="{", code=169999, outcome="rejected"),
    DetectionRow(title="whole floats in `box`, 1.0", document=_found(_entry({"x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0})), kept=1),
    DetectionRow(title="1.5 in `box`", document=_found(_entry({**_BOX, "x": 1.5})), code=169999, outcome="rejected", field="detection.one.jpg.boxes[0].box.x"),
    DetectionRow(title="an unknown key in `box`", document=_found(_entry({**_BOX, "z": 1})), code=169999, outcome="rejected", field="detection.one.jpg.boxes[0].box.z"),
    DetectionRow(title="`box` as a list", document=_found(_entry([1, 2, 3, 4])), code=169999, outcome="rejected", field="detection.one.jpg.boxes[0].box"),
    DetectionRow(title="`rotate_angle` in `box`", document=_found(_entry({**_BOX, "rotate_angle": 0.5})), kept=1),
    DetectionRow(title="`w` missing", document=_found(_entry({"x": 1, "y": 2, "h": 4})), kept=1, outcome="lost", field="detection.one.jpg.boxes[0].box.w"),
    DetectionRow(title="`w` negative", document=_found(_entry({**_BOX, "w": -3})), kept=1, outcome="lost", field="detection.one.jpg.boxes[0].box.w"),
    DetectionRow(title="no `box`", document=_found({"class_name": "cat", "score": 0.5}), code=169999, outcome="rejected", field="detection.one.jpg.boxes[0]"),
    DetectionRow(title="no `score`", document=_found(_entry(score=None)), outcome="lost", field="detection.one.jpg.boxes[0].score"),
    DetectionRow(title='a score as text, "0.5"', document=_found(_entry(score="0.5")), kept=1),
    DetectionRow(title="a score of 7", document=_found(_entry(score=7)), kept=1, outcome="fine"),
    DetectionRow(title="a score that is NaN", text=json.dumps(_found(_entry(score=float("nan")))), kept=1, outcome="lost"),
    DetectionRow(title="an empty list for a picture", document=_found()),
    DetectionRow(title="a full path as the key", document=_found(_entry(), key="/in/assets/aa/one.jpg"), kept=1, outcome="fine"),
    DetectionRow(title="`class_name` in another case", document=_found(_entry(class_name="dog")), kept=1, outcome="fine"),
    DetectionRow(title="a class that is not known", document=_found(_entry(class_name="cow")), outcome="lost", field="detection.one.jpg.boxes[0].class_name"),
    DetectionRow(title="pictures missing from the file", document={"detection": {"one.jpg": {"boxes": []}}}, outcome="fine"),
    DetectionRow(title="`annotations` in place of `boxes`", document=_found(_entry(), name="annotations"), kept=1, outcome="fine"),
    DetectionRow(title="a picture that was not given", document=_found(_entry(), key="three.jpg"), kept=1, outcome="lost"),
    DetectionRow(title="two entries of one base name", document={"detection": {"one.jpg": {"boxes": [_entry()]}, "a/one.jpg": {"boxes": []}, "two.jpg": {"boxes": []}}}, outcome="lost"),
    DetectionRow(title="a picture without a list of boxes", document={"detection": {"one.jpg": {}, "two.jpg": {"boxes": []}}}, outcome="unknown"),
)  # fmt: skip

# infer-result.json of a segmentation, §3.3

_MASK = {"counts": "52203", "size": [4, 4]}  # runs of 5, 2, 2, 2, 5


def _coco(annotation: Mapping[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    base = {
        "id": 1, "image_id": 1, "category_id": 0, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 0,
        "segmentation": [[0, 0, 2, 0, 2, 2]],
    }  # fmt: skip
    one = {**base, **(annotation or {})}
    document = {
        "images": [{"id": 1, "file_name": "one.jpg"}, {"id": 2, "file_name": "two.jpg"}],
        "categories": [{"id": 0, "name": "cat"}],
        "annotations": [{key: value for key, value in one.items() if value is not None}],
        **parts,
    }
    return {key: value for key, value in document.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class MaskRow(Row):
    """``kept``: annotations that the platform keeps."""

    document: Any = None
    missing: bool = False
    kept: int = 0

    def check(self) -> InferCheck:
        text = None if self.missing else json.dumps(self.document).encode()
        return check_segmentation(text, candidates=CANDIDATES, class_names=CLASSES)


_TWICE = [{"id": 1, "file_name": "one.jpg"}, {"id": 1, "file_name": "two.jpg"}]
_PATHS = [{"id": 1, "file_name": "/in/assets/one.jpg"}, {"id": 2, "file_name": "two.jpg"}]

SEGMENTATION = (
    MaskRow(title="a good result with one ring", document=_coco(), kept=1),
    MaskRow(title="a good result with a mask", document=_coco({"segmentation": _MASK}), kept=1),
    MaskRow(title="a mask whose runs do not fill its size", document=_coco({"segmentation": {**_MASK, "size": [5, 5]}}), kept=1, outcome="lost", field="annotations[0].segmentation"),
    MaskRow(title="no `images`", document=_coco(images=None), code=169999, outcome="rejected", field="images"),
    MaskRow(title="no `categories`", document=_coco(categories=None), code=169999, outcome="rejected", field="categories"),
    MaskRow(title="no `annotations`", document=_coco(annotations=None), code=169999, outcome="rejected", field="annotations"),
    MaskRow(title="a path as `file_name`", document=_coco(images=_PATHS), outcome="lost", field="images[0].file_name"),
    MaskRow(title="an id twice in `images`", document=_coco(images=_TWICE), outcome="lost", field="images[1].id"),
    MaskRow(title="an unknown `image_id`", document=_coco({"image_id": 9}), outcome="lost", field="annotations[0].image_id"),
    MaskRow(title="an unknown `category_id`", document=_coco({"category_id": 9}), outcome="lost", field="annotations[0].category_id"),
    MaskRow(title="`bbox` of three numbers", document=_coco({"bbox": [1, 2, 3]}), outcome="lost", field="annotations[0].bbox"),
    MaskRow(title="`bbox` with w = 0", document=_coco({"bbox": [1, 2, 0, 3]}), outcome="lost", field="annotations[0].bbox"),
    MaskRow(title="fractions in `bbox`", document=_coco({"bbox": [0.5, 0, 2.5, 2]}), kept=1, outcome="fine"),
    MaskRow(title="no `area`", document=_coco({"area": None}), code=169999, outcome="rejected", field="annotations[0].area"),
    MaskRow(title="a fraction as `area`", document=_coco({"area": 4.5}), kept=1),
    MaskRow(title="several rings", document=_coco({"segmentation": [[0, 0, 2, 0, 2, 2], [0, 0, 1, 0, 1, 1]]}), code=169999, outcome="rejected", field="annotations[0].segmentation"),
    MaskRow(title="`segmentation: []`", document=_coco({"segmentation": []}), code=169999, outcome="rejected", field="annotations[0].segmentation"),
    MaskRow(title="`counts` as a list", document=_coco({"segmentation": {"counts": [0, 4], "size": [2, 2]}}), code=169999, outcome="rejected", field="annotations[0].segmentation.counts"),
    MaskRow(title="no `segmentation`", document=_coco({"segmentation": None}), kept=1, outcome="lost", field="annotations[0].segmentation"),
    MaskRow(title="a `confidence`", document=_coco({"confidence": 0.5}), kept=1),
    MaskRow(title="`iscrowd: 1`", document=_coco({"iscrowd": 1}), kept=1),
    MaskRow(title="a detection mixed in", document=_coco(detection={}), kept=1, outcome="lost", field="detection"),
    MaskRow(title="no file", missing=True, code=169999, outcome="rejected"),
)  # fmt: skip

# result.tsv, §3.4

ASSETS = ("a" * 40, "b" * 40, "c" * 40)


def _lines(*rows: tuple[int, str]) -> str:
    return "".join(f"/in/assets/{ASSETS[place][-2:]}/{ASSETS[place]}.jpg\t{score}\n" for place, score in rows)


@dataclass(frozen=True, kw_only=True)
class MiningRow(Row):
    """``selected``: places in ``ASSETS``, or ids that are none of them."""

    text: str | None
    selected: Sequence[int | str] = ()

    def check(self) -> MiningCheck:
        text = None if self.text is None else self.text.encode()
        return check_mining(text, candidates=ASSETS, topk=2)


MINING = (
    MiningRow(title="a good result", text=_lines((2, "0.9"), (0, "0.5"), (1, "0.1")), selected=(2, 0)),
    MiningRow(title="no file", text=None, code=160011, outcome="rejected"),
    MiningRow(title="an empty file", text="", outcome="lost"),
    MiningRow(title="scores not sorted", text=_lines((0, "0.1"), (1, "0.5"), (2, "0.9")), selected=(0, 1), outcome="lost", field="line 2"),
    MiningRow(title="blanks in place of tabs", text="x.jpg 0.9\n" + _lines((0, "0.8"), (1, "0.5"), (2, "0.1")), selected=("x.jpg 0", 0), outcome="lost", field="line 1"),
    MiningRow(title="a line twice", text=_lines((0, "0.9"), (0, "0.9"), (1, "0.5"), (2, "0.1")), selected=(0, 0), outcome="lost", field="line 2"),
    MiningRow(title="pictures missing", text=_lines((0, "0.9")), selected=(0,), outcome="lost"),
    MiningRow(title="a score that is NaN", text=_lines((0, "nan"), (1, "0.5"), (2, "0.1")), selected=(0, 1), outcome="lost", field="line 1"),
    MiningRow(title="a picture that was not given", text="/in/assets/xx/x.jpg\t1\n" + _lines((0, "0.9"), (1, "0.5"), (2, "0.1")), selected=("x", 0), outcome="lost", field="line 1"),
)  # fmt: skip

# merged progress, §3.1


@dataclass(frozen=True, kw_only=True)
class MergeRow:
    """``files``: percent, state and weight of each; ``merged``: percent, state, whether it is final."""

    title: str
    files: Sequence[tuple[float, int, float]]
    merged: tuple[float, int, bool]


MERGE = (
    MergeRow(title="any file ERROR", files=[(0.4, 4, 1.0), (0.9, 2, 1.0)], merged=(1.0, 4, True)),
    MergeRow(title="all DONE", files=[(0.4, 3, 1.0), (0.1, 3, 1.0)], merged=(1.0, 3, False)),
    MergeRow(title="all PENDING", files=[(0.4, 1, 1.0), (0.1, 1, 1.0)], merged=(0.0, 1, False)),
    MergeRow(title="otherwise: by weight", files=[(0.5, 2, 3.0), (0.1, 1, 1.0)], merged=(0.4, 2, False)),
    MergeRow(
        title="the index sub-task, which has weight 0",
        files=[(0.5, 2, 1.0), (0.9, 2, 0.0)],
        merged=(0.5, 2, False),
    ),
    MergeRow(title="one DONE, one PENDING", files=[(1.0, 3, 1.0), (0.0, 1, 1.0)], merged=(0.5, 2, False)),
)

# the verdict, §4.2

VALID = ResultState(valid=True)
MISSING = ResultState(valid=False, code=160011, why="result.yaml is not valid: the file is missing")
UNREADABLE = ResultState(valid=False, code=169999, why="infer-result.json is not valid: it is no JSON")

_RUNNING = "t\t1\t0.5\t2\t0\n"


@dataclass(frozen=True, kw_only=True)
class VerdictRow:
    """``monitor`` and ``polled`` are texts of monitor.txt, at the end and at a poll before."""

    title: str
    task: Task = "training"
    exit_code: int = 0
    monitor: str = _RUNNING
    result: ResultState = VALID
    polled: str | None = None
    permission_error: str = ""
    honours_codes: bool = True
    code: int = 0
    package: bool = False

    def judge(self) -> Verdict:
        return judge(
            task=self.task,
            exit_code=self.exit_code,
            monitor=_monitor(self.monitor),
            result=self.result,
            polled=None if self.polled is None else from_poll(_monitor(self.polled)),
            permission_error=self.permission_error,
            honours_codes=self.honours_codes,
        )


def _monitor(text: str) -> MonitorReport | MonitorFault:
    try:
        return read_monitor(text)
    except MonitorFault as fault:
        return fault


_FAILED = "t\t1\t0.5\t4\t300103\tout of memory\n"

VERDICTS = (
    VerdictRow(title="0, a valid result", package=True),
    VerdictRow(title="0, a valid result, state 4 that no poll has seen", monitor=_FAILED, package=True),
    VerdictRow(title="0, a valid result, monitor.txt unreadable at the end", monitor="x\n", package=True),
    VerdictRow(title="0, no valid result", result=MISSING, code=160011),
    VerdictRow(
        title="0, a result of an infer that cannot be read", task="infer", result=UNREADABLE, code=169999
    ),
    VerdictRow(title="1, column 5 has 300103", exit_code=1, monitor=_FAILED, result=MISSING, code=300103),
    VerdictRow(title="137, column 5 has 300103", exit_code=137, monitor=_FAILED, result=MISSING, code=300103),
    VerdictRow(
        title="1, column 5 has 300103, a platform before 2.3",
        exit_code=1,
        monitor=_FAILED,
        result=MISSING,
        honours_codes=False,
        code=160004,
    ),
    VerdictRow(title="1, column 5 is zero", exit_code=1, result=MISSING, code=160004),
    VerdictRow(
        title="1, column 5 is absent", exit_code=1, monitor="t\t1\t0.5\t2\n", result=MISSING, code=160004
    ),
    VerdictRow(title="1, a valid result.yaml: the package is stored", exit_code=1, code=160004, package=True),
    VerdictRow(title="1, a mining, which has no package", task="mining", exit_code=1, code=160004),
    VerdictRow(title="1, monitor.txt is empty", exit_code=1, monitor="", result=MISSING, code=169999),
    VerdictRow(title="1, monitor.txt is unreadable", exit_code=1, monitor="x\n", result=MISSING, code=169999),
    VerdictRow(title="any, a file that may not be read", permission_error="/out/models/a.pt", code=160019),
    VerdictRow(
        title="0, a valid result, but a poll saw state 4", polled="t\t1\t0.5\t4\t300201\n", code=300201
    ),
    VerdictRow(
        title="0, a valid result, but a poll saw state 4 without a code", polled="t\t1\t0.5\t4\n", code=160004
    ),
    VerdictRow(title="0, a valid result, but a poll could not read monitor.txt", polled="x\n", code=150404),
    VerdictRow(title="0, a valid result, a poll met an empty file", polled="", package=True),
)

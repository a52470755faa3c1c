"""§3: the model of the platform's parsers gives the verdicts of the tables, so that tests against it mean something."""

import json

import pytest
import yaml

from model import infer, mining, monitor, training


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", EOFError),
        (b"\n", ValueError),
        (b"\nt1\t1\t0.5\t2\n", ValueError),
        (b"t1 1 0.5 2\n", ValueError),
        (b"t1\t1\t0.5\n", ValueError),
        (b"t1\t1\t50%\t2\n", ValueError),
        (b"t1\t1\t0.5\t2.0\n", ValueError),
        (b"t1\t1\t0.5\tES_RUNNING\n", ValueError),
        (b"t1\t1\t0.5\t7\n", ValueError),
        (b"t1\t1\t0.5\t2\tfoo\n", ValueError),
        (b"t1\t1\t0.5\t2\t\tmessage\n", ValueError),
    ],
)
def test_monitor_refused(content, error):
    with pytest.raises(error):
        monitor.parse(content)


@pytest.mark.parametrize(
    ("content", "percent", "code"),
    [
        (b"t1\t1\t0.5\t2", 0.5, 0),
        (b"  t1\t1\t0.5\t2  \n", 0.5, 0),
        (b"\xef\xbb\xbft1\t1\t0.5\t2\t0\r\n", 0.5, 0),
        (b"t1\t 1 \t 0.5 \t 2 \t 3 \ta\tb\tc\n", 0.5, 3),
        (b"t1\t1\t1.2\t2\t-5\n", 1.2, -5),
        (b"t1\t1\t-3\t2\n", -3, 0),
    ],
)
def test_monitor_accepted(content, percent, code):
    line = monitor.parse(content)
    assert (line.percent, line.code) == (percent, code)


def test_monitor_stack():
    line = monitor.parse(b"t1\t1\t0.5\t4\t300103\tno memory\na\nb\n")
    assert (line.code, line.message, line.stack) == (300103, "no memory", ("a", "b"))


def reports(*rows):
    return [
        (monitor.Line("t", float(moment), percent, state, code, "", ()), weight)
        for moment, percent, state, code, weight in rows
    ]


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        (reports((1, 0.2, 2, 0, 0.5), (2, 0.5, 4, 300103, 0.5)), (1.0, 4, 300103)),
        (reports((3, 0.2, 2, 0, 0.5), (2, 0.5, 4, 300103, 0.5)), (1.0, 4, 0)),
        (reports((1, 1, 3, 0, 0.5), (2, 1, 3, 0, 0.5)), (1.0, 3, 0)),
        (reports((1, 0, 1, 0, 0.5), (2, 0.3, 1, 0, 0.5)), (0.0, 1, 0)),
        (reports((1, 0.5, 2, 0, 0.6), (2, 1, 3, 0, 0.2), (3, 0.9, 2, 0, 0)), (0.625, 2, 0)),
    ],
)
def test_merge(files, answer):
    assert monitor.merge(files) == pytest.approx(answer)


def stage(**changes):
    entry = {"stage_name": "s1", "files": ["a.pt"], "timestamp": 1663934682, "mAP": 0.5, **changes}
    return {key: value for key, value in entry.items() if value is not None}


def result(**changes):
    document = {"best_stage_name": "s1", "mAP": 0.5, "model_stages": {"s1": stage()}, **changes}
    return {key: value for key, value in document.items() if value != "gone"}


@pytest.fixture
def judged(tmp_path):
    for name in ("a.pt", "s1/own.pt", "w/a.pt", "attachments/logs/a.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")

    def judge(document):
        text = document if isinstance(document, str) else yaml.safe_dump(document)
        (tmp_path / "result.yaml").write_text(text, encoding="utf-8")
        return training.read(str(tmp_path))

    return judge


@pytest.mark.parametrize(
    "document",
    [
        "",
        "a: 1\n",
        "!!python/object/apply:os.getcwd []\n",
        result(model_stages={"s1": stage(files=["gone.pt"])}),
        result(model_stages={"s1": stage(files=["w"])}),
        result(model_stages={"s1": stage(mAP=55)}),
        result(model_stages={"s1": stage(mAP=-0.1)}),
        result(model_stages={"s1": stage(mAP=float("nan"))}),
        result(best_stage_name="gone"),
        result(best_stage_name="s2"),
        result(model_stages={}),
        result(model_stages={"s1": stage(timestamp=None)}),
        result(attachments={"logs": ["gone.txt"]}),
        result(attachments=None),
        result(evaluate_config={"iou_thr": "0.5:0.95"}),
        {"model": ["a.pt"]},
        {"model": ["a.pt"], "map": 1.5},
        result(model_stages={"s1": stage(files=["/etc/hostname"])}),
    ],
)
def test_training_refused(judged, document):
    with pytest.raises(training.Refused):
        judged(document)


@pytest.mark.parametrize(
    ("document", "members"),
    [
        (result(), ["s1/a.pt"]),
        (result(model_stages={"s1": stage(files=["own.pt"])}), ["s1/own.pt"]),
        (result(model_stages={"s1": stage(timestamp=12.9)}), ["s1/a.pt"]),
        (result(model_stages={"s1": stage(mAP="0.5")}), ["s1/a.pt"]),
        (result(model_stages={"s1": stage(mAP=None)}), ["s1/a.pt"]),
        (result(model_stages={"s1": stage(files=[])}), []),
        (result(model_stages={"s1": stage(files=["w/a.pt"])}), ["s1/w/a.pt"]),
        (result(model_stages={"s1": stage(stage_name="other")}), ["s1/a.pt"]),
        (result(attachments={"logs": ["a.txt"]}, evaluate_config={"iou_thr": "0.5"}), ["s1/a.pt"]),
        (result(map=0.5), ["s1/a.pt"]),
    ],
)
def test_training_accepted(judged, document, members):
    assert judged(document).members == {"s1": members}


def test_the_old_form_wins(judged):
    found = judged(result(model=["w/a.pt"], map=0.25))
    assert (found.best, found.metrics["mAP"]) == ("default_best_stage", 0.25)


def detection(**changes):
    row = {"box": {"x": 1, "y": 2, "w": 3, "h": 4}, "class_name": "cat", "score": 0.5, **changes}
    return json.dumps(
        {"detection": {"a.jpg": {"boxes": [{k: v for k, v in row.items() if v is not None}]}}}
    ).encode()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 169999),
        (b"{", 169999),
        (b"{}", 160011),
        (b'{"detection": []}', 160011),
        (detection(box={"x": 1.5, "y": 2, "w": 3, "h": 4}), 169999),
        (detection(box={"x": 1, "y": 2, "w": 3, "h": 4, "z": 1}), 169999),
        (detection(box=[1, 2, 3, 4]), 169999),
        (detection(box=None), 169999),
    ],
)
def test_detection_refused(content, code):
    with pytest.raises(infer.Refused) as raised:
        infer.read_detection(content)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("content", "score", "box"),
    [
        (detection(box={"x": 1.0, "y": 2, "w": 3, "h": 4}), 0.5, (1, 2, 3, 4)),
        (detection(box={"x": 1, "y": 2, "w": 3, "h": 4, "rotate_angle": 0.5}), 0.5, (1, 2, 3, 4)),
        (detection(box={"x": 1, "y": 2, "h": -4}), 0.5, (1, 2, 0, -4)),
        (detection(score="0.5"), 0.5, (1, 2, 3, 4)),
        (detection(score=7), 7, (1, 2, 3, 4)),
        (detection().replace(b"a.jpg", b"/in/a.jpg").replace(b"boxes", b"annotations"), 0.5, (1, 2, 3, 4)),
    ],
)
def test_detection_accepted(content, score, box):
    assert infer.read_detection(content) == ({"a.jpg": [infer.Found("cat", score, box)]}, 0)


def test_detection_dropped():
    assert infer.read_detection(detection(score=None)) == ({}, 1)
    assert infer.read_detection(b'{"detection": {"a.jpg": {"boxes": []}}}') == ({}, 0)


def coco(image=None, **changes):
    row = {
        "image_id": 1,
        "category_id": 0,
        "bbox": [0, 0, 2, 2],
        "area": 4,
        "segmentation": [[0, 0, 2, 0, 2, 2]],
    }
    row = {key: value for key, value in {**row, **changes}.items() if value is not None}
    images = [{"id": 1, "file_name": "a.jpg", **(image or {})}]
    return {"images": images, "categories": [{"id": 0, "name": "cat"}], "annotations": [row]}


@pytest.mark.parametrize("segmentation", [[], [[0, 0], [1, 1]], {"counts": [1, 2], "size": [1, 3]}])
def test_coco_refused(segmentation):
    for document in (coco(segmentation=segmentation), coco(area=None), {"images": [], "annotations": []}):
        with pytest.raises(infer.Refused) as raised:
            infer.read_coco(json.dumps(document).encode())
        assert raised.value.code == 169999


@pytest.mark.parametrize(
    "document",
    [
        coco(image={"file_name": "/in/a.jpg"}),
        coco(image_id=2),
        coco(category_id=5),
        coco(bbox=[0, 0, 0, 2]),
        coco(bbox=[0, 0, 2]),
        {**coco(), "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]},
    ],
)
def test_coco_dropped(document):
    assert infer.read_coco(json.dumps(document).encode()) == ({}, 1)


@pytest.mark.parametrize(
    "document", [coco(), coco(segmentation={"counts": "a", "size": [1, 3]}), coco(segmentation=None)]
)
def test_coco_accepted(document):
    kept, dropped = infer.read_coco(json.dumps(document).encode())
    assert (list(kept), dropped) == (["a.jpg"], 0)


def test_mining():
    assert mining.select(b"/a/x.1.jpg\t0.1\n/b/y.jpg\t0.9\n/a/x.1.jpg\t0.1\n", 3) == ["x.1", "y", "x.1"]
    assert mining.select(b"x.jpg 0.9\n", 1) == ["x.jpg 0"]
    assert mining.select(b"", 5) == []

"""§5.6: boxes, infer-result.json and result.tsv."""

import json
import pickle

import numpy as np
import pytest

from model import infer as platform
from model import mining
from ymir_exc import result_writer as rw
from ymir_exc.result_writer import Annotation, Box


def annotation(**changes):
    return Annotation(**{"class_name": "cat", "score": 0.5, "box": Box(x=1, y=2, w=3, h=4), **changes})


def written(task):
    return json.loads((task.out / "infer-result.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("value", "cut"),
    [
        (10.7, 10),
        (-1.2, -1),
        ("5", 5),
        (True, 1),
        (np.float32(10.7), 10),
        (np.int64(3), 3),
        (np.array(2.5), 2),
    ],
)
def test_boxes_are_whole_numbers(value, cut):
    box = Box(x=value, y=0, w=1, h=1)
    assert box.dict() == {"x": cut, "y": 0, "w": 1, "h": 1}
    assert type(box.x) is int


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"x": "a"}, "Box: x: 'a' is not a whole number"),
        ({"x": "1.5"}, "Box: x: '1.5' is not a whole number"),
        ({"x": float("nan")}, "Box: x: nan is not a whole number"),
        ({"x": None}, "Box: x: None is not a whole number"),
        ({"x": [1]}, r"Box: x: \[1\] is not a whole number"),
    ],
)
def test_what_is_no_box(values, words):
    with pytest.raises(ValueError, match=words):
        Box(**{"x": 1, "y": 1, "w": 1, "h": 1, **values})
    with pytest.raises(ValueError, match="Box: h is missing"):
        Box(x=1, y=1, w=1)


def test_annotations_are_lenient_too():
    found = Annotation(class_name="cat", score="0.5", box={"x": 1.9, "y": 2, "w": 3, "h": 4})
    assert found.dict() == {"class_name": "cat", "score": 0.5, "box": {"x": 1, "y": 2, "w": 3, "h": 4}}
    assert annotation(score=np.float32(0.5)).score == 0.5
    assert pickle.loads(pickle.dumps(found)) == found
    with pytest.raises(ValueError, match="Annotation: box is missing"):
        Annotation(class_name="cat", score=1)
    with pytest.raises(ValueError, match="Annotation: box: Box: a mapping is wanted"):
        annotation(box=[1, 2, 3, 4])
    with pytest.raises(ValueError, match="Annotation: score: 'high' is not a number"):
        annotation(score="high")


@pytest.mark.parametrize(
    ("protocol", "key"),
    [
        ("1.0.0", "boxes"),
        ("1.1.0", "boxes"),
        ("2.0.0", "boxes"),
        (None, "annotations"),
        ("0.9", "annotations"),
    ],
)
def test_detection(task, protocol, key):
    task.mining(protocol_version=protocol)
    rw.write_infer_result({"/in/assets/a1/xa1.jpg": [annotation()], "/in/assets/b.png": []})
    one = {"class_name": "cat", "score": 0.5, "box": {"x": 1, "y": 2, "w": 3, "h": 4}}
    assert written(task) == {"detection": {"xa1.jpg": {key: [one]}, "b.png": {key: []}}}
    kept, dropped = platform.read_detection((task.out / "infer-result.json").read_bytes())
    assert (kept, dropped) == ({"xa1.jpg": [platform.Found("cat", 0.5, (1, 2, 3, 4))]}, 0)


def test_separators_and_escapes(task):
    rw.write_infer_result({"猫.jpg": [annotation(class_name="猫")]})
    text = (task.out / "infer-result.json").read_text(encoding="ascii")
    assert '"\\u732b.jpg": {"boxes": [{"class_name": "\\u732b", "score": 0.5, "box": {"x": 1, "y": 2' in text


def test_a_later_base_name_replaces_the_earlier(task):
    with pytest.warns(UserWarning, match="/a/x.jpg and /b/x.jpg have the same base name"):
        rw.write_infer_result({"/a/x.jpg": [annotation()], "/b/x.jpg": []})
    assert written(task) == {"detection": {"x.jpg": {"boxes": []}}}


def test_boxes_may_be_mappings(task):
    rw.write_infer_result(
        {
            "a.jpg": [
                {"class_name": "cat", "score": np.float32(0.5), "box": {"x": 1.5, "y": 2, "w": 3, "h": 4}}
            ]
        }
    )
    assert written(task)["detection"]["a.jpg"]["boxes"][0]["box"]["x"] == 1


def test_scores_that_are_no_numbers_are_left_out(task):
    with pytest.warns(UserWarning, match="1 boxes whose score is not a number are left out"):
        rw.write_infer_result({"a.jpg": [annotation(score=float("nan")), annotation()]})
    assert len(written(task)["detection"]["a.jpg"]["boxes"]) == 1
    assert "NaN" not in (task.out / "infer-result.json").read_text(encoding="utf-8")


def coco(**changes):
    return {
        "images": [{"id": 1, "file_name": "/in/assets/a1/xa1.jpg", "width": 4, "height": 4}],
        "categories": [{"id": 0, "name": "cat"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": np.int64(0),
                "bbox": np.array([0.0, 0.0, 2.0, 2.0]),
                "area": np.float32(4),
                "segmentation": {"counts": b"022", "size": [4, 4]},
                "confidence": 0.5,
            }
        ],
        **changes,
    }


def test_segmentation(task):
    given = coco()
    rw.write_infer_result(given, algorithm="segmentation")
    kept, dropped = platform.read_coco((task.out / "infer-result.json").read_bytes())
    assert dropped == 0
    assert kept["xa1.jpg"][0]["segmentation"] == {"counts": "022", "size": [4, 4]}
    assert given["images"][0]["file_name"] == "/in/assets/a1/xa1.jpg", "the caller's document is the caller's"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": None}, "has no annotations"),
        (
            {"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]},
            "1 entries .* have the id of another image",
        ),
        ({"annotations": [{"image_id": 1}]}, "1 entries of the result have no area"),
    ],
)
def test_what_the_platform_loses_in_segmentation_is_said(task, changes, words):
    document = coco(**changes)
    if "images" in changes and changes["images"] is None:
        del document["annotations"]
    with pytest.warns(UserWarning, match=words):
        rw.write_infer_result(document, algorithm="segmentation")


def test_other_algorithms(task):
    with pytest.raises(NotImplementedError, match="results of classification have no form yet"):
        rw.write_infer_result({}, algorithm="classification")
    with pytest.raises(AssertionError, match="there is no algorithm 'depth'"):
        rw.write_infer_result({}, algorithm="depth")


def test_mining(task):
    rw.write_mining_result(
        [("/a/x.jpg", 0.1), ("/b/y.jpg", 0.9), ("/c/z.jpg", 0.5), ("/d/w.jpg", 0.9), ("/e.jpg", 3)]
    )
    text = (task.out / "result.tsv").read_text(encoding="utf-8")
    assert text == "/e.jpg\t3\n/b/y.jpg\t0.9\n/d/w.jpg\t0.9\n/c/z.jpg\t0.5\n/a/x.jpg\t0.1\n"
    assert mining.select(text.encode(), 3) == ["e", "y", "w"]


def test_scores_of_other_libraries(task):
    rw.write_mining_result(
        [("a.jpg", np.float64(0.25)), ("b.jpg", np.float32(0.5)), ("c.jpg", np.array([0.75]))]
    )
    assert (task.out / "result.tsv").read_text(encoding="utf-8") == "c.jpg\t0.75\nb.jpg\t0.5\na.jpg\t0.25\n"


def test_text_scores_sort_as_numbers_and_stay_as_given(task):
    rw.write_mining_result([("a.jpg", "9"), ("b.jpg", "10.50"), ("c.jpg", 9.5)])
    assert (task.out / "result.tsv").read_text(encoding="utf-8") == "b.jpg\t10.50\nc.jpg\t9.5\na.jpg\t9\n"


def test_scores_that_are_no_numbers_come_last(task):
    with pytest.warns(UserWarning, match="1 scores are not a number; those images come last"):
        rw.write_mining_result(
            [("a.jpg", float("nan")), ("b.jpg", -5), ("c.jpg", float("-inf")), ("d.jpg", 1)]
        )
    assert mining.select((task.out / "result.tsv").read_bytes(), 9) == ["d", "b", "c", "a"]


def test_an_empty_ranking(task):
    rw.write_mining_result([])
    assert (task.out / "result.tsv").read_bytes() == b""


def test_duplicates_are_said(task):
    with pytest.warns(UserWarning, match="takes a place in the selection for each"):
        rw.write_mining_result([("a.jpg", 1), ("a.jpg", 2)])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("a\tb.jpg", 1), "would break the line"),
        (("a\nb.jpg", 1), "would break the line"),
        (("", 1), "would break the line"),
        (("a.jpg", "high"), "the score of a.jpg is 'high', which is not a number"),
    ],
)
def test_rows_that_cannot_be_written(task, row, words):
    with pytest.raises(ValueError, match=words):
        rw.write_mining_result([row])
    assert not (task.out / "result.tsv").exists()

"""Every row of the contract's tables of §3.2 to §3.4: the platform's verdict, and what the harness says of it."""

import posixpath

import pytest

from layerwright.ymir.remarks import Remark
from support.platform_rows import (
    ASSETS,
    DETECTION,
    MINING,
    SEGMENTATION,
    TRAINING,
    DetectionRow,
    MaskRow,
    MiningRow,
    Row,
    TrainingRow,
)


def titles(row: Row) -> str:
    return row.title


def agrees(row: Row, remarks: tuple[Remark, ...]) -> None:
    worst = remarks[0].outcome if remarks else ""
    assert worst == row.outcome, remarks
    if not row.outcome:
        return
    assert remarks[0].message
    assert remarks[0].rule.startswith("3.")
    assert remarks[0].repair
    if row.field:
        assert remarks[0].field == row.field
    if row.outcome == "rejected":
        assert remarks[0].code == row.code


@pytest.mark.parametrize("row", TRAINING, ids=titles)
def test_training(row: TrainingRow) -> None:
    check = row.check()
    assert check.state.code == row.code, check.remarks
    assert check.state.valid == (row.code == 0)
    assert (check.result is not None) == (row.code == 0)
    agrees(row, check.remarks)


@pytest.mark.parametrize("row", DETECTION, ids=titles)
def test_detection(row: DetectionRow) -> None:
    check = row.check()
    assert check.state.code == row.code, check.remarks
    assert sum(len(boxes) for boxes in check.boxes.values()) == row.kept
    agrees(row, check.remarks)


@pytest.mark.parametrize("row", SEGMENTATION, ids=titles)
def test_segmentation(row: MaskRow) -> None:
    check = row.check()
    assert check.state.code == row.code, check.remarks
    assert sum(len(boxes) for boxes in check.boxes.values()) == row.kept
    agrees(row, check.remarks)


@pytest.mark.parametrize("row", MINING, ids=titles)
def test_mining(row: MiningRow) -> None:
    check = row.check()
    assert check.state.code == row.code, check.remarks
    assert check.selected == tuple(ASSETS[one] if isinstance(one, int) else one for one in row.selected)
    agrees(row, check.remarks)


def test_values_become_the_platforms() -> None:
    by_title = {row.title: row for row in TRAINING}
    stage = by_title["a timestamp of 12.9"].check().result
    assert stage is not None
    assert stage.best_stage.timestamp == 12
    text = by_title['a metric as text, "0.5"'].check().result
    assert text is not None
    assert text.top_metric == ("mAP", 0.5)
    old = by_title["both forms: the old one wins"].check().result
    assert old is not None
    assert old.best == "default_best_stage"
    assert old.top_metric == ("mAP", 0.25)
    differs = by_title["a key that differs from stage_name"].check().result
    assert differs is not None
    assert differs.best_stage.name == "s1"
    nested = by_title["a file in a sub-folder, w/a.pt"].check().result
    assert nested is not None
    assert nested.best_stage.places == ("w/a.pt",)
    two = by_title["its file in /out/models/STAGE"].check().result
    assert two is not None
    assert two.best_stage.places == (posixpath.join("s1", "a.pt"),)


def test_an_absolute_path_of_the_container_is_known_again() -> None:
    from layerwright.ymir.training_result import check_training_result

    text = b"best_stage_name: s\nmodel_stages: {s: {stage_name: s, files: [/out/models/a.pt], timestamp: 1, mAP: 0.1}}"
    check = check_training_result(text, {"a.pt": "file"})
    assert check.remarks[0].repair == "write a.pt, relative to /out/models"
    assert check.result is not None
    assert check.result.best_stage.places == ("a.pt",)


def test_a_class_keeps_the_platforms_spelling() -> None:
    row = next(row for row in DETECTION if row.title == "`class_name` in another case")
    assert row.check().boxes["one.jpg"][0].class_name == "Dog"


def test_many_places_of_one_rule_are_one_remark() -> None:
    from layerwright.ymir.infer_result import check_detections

    entry = b'{"box": {"x": 1, "y": 1, "w": 1, "h": 1}, "class_name": "cow", "score": 1}'
    text = b'{"detection": {"one.jpg": {"boxes": [' + b", ".join([entry] * 50) + b"]}}}"
    check = check_detections(text, candidates=["one.jpg"], class_names=["cat"])
    assert [remark.count for remark in check.remarks] == [50]
    assert len(check.dropped) == 50


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{one}: &a{one} [{', '.join([f'*a{one - 1}'] * 9)}]\n" for one in range(1, 12)
)


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "rest",
    [
        "model_stages: *a11",
        "best_stage_name: *a11\nmodel_stages: {s: {stage_name: *a11, files: *a11, timestamp: *a11, mAP: *a11}}",
        "best_stage_name: s\nmodel_stages: {s: *a11}\nattachments: {x: *a11}\nevaluate_config: {x: *a11}",
        "model: *a11\nmap: *a11",
    ],
)
def test_a_document_that_stands_for_billions_of_values(rest: str) -> None:
    from layerwright.ymir.training_result import check_training_result

    check = check_training_result(f"{BOMB}{rest}\n".encode(), {})
    assert not check.state.valid
    assert all(len(remark.message) < 500 for remark in check.remarks)


def test_names_that_yaml_reads_as_numbers() -> None:
    from layerwright.ymir.training_result import check_training_result

    text = (
        b"best_stage_name: '10'\nmodel_stages: {10: {stage_name: 10, files: [a.pt], timestamp: 1, mAP: 0.1}}"
    )
    check = check_training_result(text, {"a.pt": "file"})
    assert check.result is not None
    assert check.result.best_stage.name == "10"

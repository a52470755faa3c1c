"""Whatever an executor or a person writes, the readers answer: with a value or with an error of ours, and soon."""

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import UsageError
from layerwright.ymir.infer_result import check_detections
from layerwright.ymir.inspection import object_types, read_mapping
from layerwright.ymir.labels import read_coco, read_voc, read_yolo, read_yolo_data
from layerwright.ymir.mask_result import check_segmentation
from layerwright.ymir.masks import compress_runs, expand_runs
from layerwright.ymir.mining_result import check_mining
from layerwright.ymir.monitor import MonitorFault, check_report, first_line, read_monitor
from layerwright.ymir.package import read_description
from layerwright.ymir.pictures import read_header
from layerwright.ymir.reading import Answer
from layerwright.ymir.training_result import check_training_result

pytestmark = pytest.mark.property

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a.pt", "s"])
)
KEYS = st.sampled_from(
    [
        "model_stages", "best_stage_name", "s", "stage_name", "files", "timestamp", "mAP", "tp", "attachments",
        "evaluate_config", "model", "map", "detection", "boxes", "annotations", "box", "x", "y", "w", "h", "score",
        "class_name", "images", "categories", "id", "file_name", "name", "image_id", "category_id", "bbox", "area",
        "segmentation", "counts", "size", "one.jpg", "names", "object_type", "package_version", "stages",
    ]
)  # fmt: skip
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=12,
)
lines = st.text(alphabet=st.sampled_from("t012.5-e\t \n:%\ufeffna"), max_size=40)


@given(documents | lines)
def test_results(document: Any) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    for data in (text.encode(errors="replace"), text.encode("utf-16", errors="replace")):
        training = check_training_result(data, {"a.pt": "file", "s": "folder", "s/a.pt": "file"})
        assert training.state.valid == (training.result is not None)
        for check in (
            check_detections(data, candidates=["one.jpg"], class_names=["s"]),
            check_segmentation(data, candidates=["one.jpg"], class_names=["s"]),
        ):
            assert check.state.valid or check.state.code in {160011, 169999}
        check_mining(data, candidates=["a"], topk=1)


@given(documents)
def test_what_yaml_alone_can_hold(document: Any) -> None:
    text = yaml.safe_dump(document).encode(errors="replace")
    check_training_result(text, {})
    read = read_mapping("f", Answer(stdout=text))
    object_types(read.values)
    with suppress(UsageError):
        read_yolo_data(text.decode(errors="replace"), "f")
    with suppress(UsageError):
        read_description(text, "f")


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    check_training_result(data, {})
    check_detections(data, candidates=[], class_names=[])
    check_segmentation(data, candidates=[], class_names=[])
    check_mining(data, candidates=[], topk=0)
    read_header(data)
    for magic in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"):
        read_header(magic + data)
    for read in (read_coco, read_voc, read_description):
        with suppress(UsageError):
            read(data, "f")
    with suppress(UsageError):
        read_yolo(data.decode(errors="replace"), "f", class_names=("a",), width=9, height=9)


@given(documents)
def test_coco_documents(document: Any) -> None:
    with suppress(UsageError):
        read_coco(json.dumps(document).encode(), "f")


@given(lines)
def test_monitor(text: str) -> None:
    try:
        read_monitor(text)
    except MonitorFault as fault:
        kind = fault.kind
    else:
        kind = ""
    assert (kind == "empty") == (text == "")
    if kind:
        return
    check_report(read_monitor(text))
    # What the platform's own parser does: four columns at least, numbers in three of them.
    columns = text.split("\n", maxsplit=1)[0].split("\t")
    assert len(columns) >= 4
    float(columns[1])
    float(columns[2])


@given(st.integers(min_value=0, max_value=2**31))
def test_the_platforms_own_line_can_be_read(now: int) -> None:
    assert read_monitor(first_line("t", now)).time == now


@given(st.lists(st.integers(min_value=0, max_value=10**7), max_size=40))
def test_run_lengths(runs: list[int]) -> None:
    assert expand_runs(compress_runs(runs)) == tuple(runs)


@given(st.text(max_size=30))
def test_no_run_lengths(text: str) -> None:
    with suppress(ValueError):
        assert all(run >= 0 for run in expand_runs(text))

"""What ``ymir_exc`` writes is what the validators take, without a remark: the two are written apart."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from layerwright.ymir.environment import environment
from layerwright.ymir.infer_result import check_detections
from layerwright.ymir.mask_result import check_segmentation
from layerwright.ymir.mining_result import check_mining
from layerwright.ymir.monitor import check_report, read_monitor
from layerwright.ymir.training_result import check_training_result

SDK = Path(__file__).parents[3] / "packages" / "ymir-exc" / "src"


@pytest.fixture
def sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The module, with /in and /out in a folder of the test's; gives /out."""
    monkeypatch.syspath_prepend(str(SDK))
    before = set(sys.modules)
    document = environment("t1", training=True, mining=True, infer=True)
    places: dict[str, Any] = yaml.safe_load(
        yaml.safe_dump(document).replace("/in/", f"{tmp_path}/in/").replace("/out", f"{tmp_path}/out")
    )
    places["input"]["root_dir"] = f"{tmp_path}/in"
    (tmp_path / "in").mkdir()
    (tmp_path / "out" / "models").mkdir(parents=True)
    (tmp_path / "in" / "env.yaml").write_text(yaml.safe_dump(places), encoding="utf-8")
    (tmp_path / "in" / "config.yaml").write_text("class_names: [cat]\n", encoding="utf-8")
    from ymir_exc import settings

    monkeypatch.setattr(settings, "DEFAULT_ENV_FILE_PATH", f"{tmp_path}/in/env.yaml")
    yield tmp_path / "out"
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "ymir_exc":
            del sys.modules[name]


def test_monitor(sdk: Path) -> None:
    from ymir_exc import monitor

    for percent in (0.0, 0.25, 1.0):
        monitor.write_monitor_logger(percent=percent)
        report = read_monitor((sdk / "monitor.txt").read_text(encoding="utf-8"))
        assert (report.percent, report.state, report.code) == (percent, 2, 0)
        assert check_report(report) == ()


def test_training(sdk: Path) -> None:
    from ymir_exc import result_writer

    for number in range(13):
        (sdk / "models" / f"{number}.pt").touch()
        result_writer.write_model_stage(
            stage_name=f"epoch_{number}", files=[f"{number}.pt"], evaluation_result={"mAP": number / 20}
        )
    kinds = {path.name: "file" for path in (sdk / "models").glob("*.pt")}
    check = check_training_result((sdk / "models" / "result.yaml").read_bytes(), kinds)  # type: ignore[arg-type]
    assert check.result is not None
    assert [remark for remark in check.remarks if remark.outcome != "fine"] == []
    assert (check.result.best, check.result.top_metric) == ("epoch_12", ("mAP", 0.6))


def test_mining(sdk: Path) -> None:
    from ymir_exc import result_writer

    assets = [f"{number:040x}" for number in range(5)]
    pairs = [(f"/in/assets/{one[-2:]}/{one}.jpg", place / 10) for place, one in enumerate(assets)]
    result_writer.write_mining_result(mining_result=pairs)
    check = check_mining((sdk / "result.tsv").read_bytes(), candidates=assets, topk=2)
    assert check.remarks == ()
    assert check.selected == (assets[4], assets[3])


def test_detection(sdk: Path) -> None:
    from ymir_exc import result_writer

    box = result_writer.Box(x=1, y=2, w=3, h=4)
    annotation = result_writer.Annotation(class_name="cat", score=0.5, box=box)
    result_writer.write_infer_result(
        infer_result={"/in/assets/aa/one.jpg": [annotation], "/in/assets/bb/two.jpg": []}
    )
    check = check_detections(
        (sdk / "infer-result.json").read_bytes(), candidates=["one.jpg", "two.jpg"], class_names=["cat"]
    )
    assert check.remarks == ()
    assert [len(boxes) for boxes in check.boxes.values()] == [1, 0]


def test_segmentation(sdk: Path) -> None:
    from ymir_exc import result_writer

    document = {
        "images": [{"id": 1, "file_name": "one.jpg", "width": 4, "height": 4}],
        "categories": [{"id": 0, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 0, "bbox": [1, 1, 2, 2], "area": 4, "iscrowd": 0,
             "segmentation": {"counts": "52203", "size": [4, 4]}}
        ],
    }  # fmt: skip
    result_writer.write_infer_result(infer_result=document, algorithm="segmentation")
    check = check_segmentation(
        (sdk / "infer-result.json").read_bytes(), candidates=["one.jpg"], class_names=["cat"]
    )
    assert check.remarks == ()
    assert len(check.boxes["one.jpg"]) == 1

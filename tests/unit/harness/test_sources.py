"""Labelled pictures on disk become a dataset: COCO, VOC, YOLO, a folder of pictures."""

import hashlib
import json
import struct
import zlib
from pathlib import Path

import pytest

from layerwright.core.errors import UsageError
from layerwright.harness.sources import DataSource, load_data


def png(width: int, height: int, salt: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"tEXt", b"n\0%d" % salt) + chunk(b"IEND", b"")


def pictures(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(40, 30, number))


def coco(file: Path, *names: str) -> None:
    document = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 2, 3, 4]}
            for number in range(len(names))
        ],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")


def test_coco_document(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a.png", "b.png")
    coco(tmp_path / "labels.json", "a.png", "b.png")
    for path in (tmp_path / "labels.json", tmp_path):
        data = load_data(DataSource(path=path), training=True)
        assert (len(data.dataset.training), len(data.dataset.validation)) == (1, 1)
        one = data.dataset.training[0]
        assert (one.width, one.height, one.depth, one.extension) == (40, 30, 3, "png")
        assert hashlib.sha1(data.files[one.asset_id].read_bytes()).hexdigest() == one.asset_id
        assert one.boxes[0].class_name == "cat"


def test_coco_as_its_own_archive_has_it(tmp_path: Path) -> None:
    pictures(tmp_path, "images/train2017/a.png", "images/val2017/b.png")
    coco(tmp_path / "annotations/instances_train2017.json", "a.png")
    coco(tmp_path / "annotations/instances_val2017.json", "b.png")
    coco(tmp_path / "annotations/person_keypoints_val2017.json", "not there.png")
    data = load_data(DataSource(path=tmp_path), training=True)
    assert [Path(one.source).name for one in data.dataset.training] == ["a.png"]
    assert [Path(one.source).name for one in data.dataset.validation] == ["b.png"]


def voc(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / "Annotations" / f"{name}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f"<annotation><filename>{name}.png</filename><object><name>dog</name><bndbox><xmin>0</xmin><ymin>0</ymin>"
            "<xmax>1</xmax><ymax>1</ymax></bndbox></object></annotation>",
            encoding="utf-8",
        )


def test_voc(tmp_path: Path) -> None:
    pictures(tmp_path / "JPEGImages", "a.png", "b.png", "c.png")
    voc(tmp_path, "a", "b", "c")
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nc\n", encoding="utf-8")
    (lists / "val.txt").write_text("b\n", encoding="utf-8")
    data = load_data(DataSource(path=tmp_path), training=True)
    assert data.dataset.class_names == ("dog",)
    assert [Path(one.source).stem for one in data.dataset.training] == ["a", "c"]
    assert [Path(one.source).stem for one in data.dataset.validation] == ["b"]


def test_yolo(tmp_path: Path) -> None:
    pictures(tmp_path, "images/train/a.png", "images/val/b.png")
    for name in ("train/a", "val/b"):
        label = tmp_path / "labels" / f"{name}.txt"
        label.parent.mkdir(parents=True)
        label.write_text("1 0.5 0.5 0.5 0.5\n", encoding="utf-8")
    (tmp_path / "data.yaml").write_text(
        "train: images/train\nval: images/val\nnames: [x, y]\n", encoding="utf-8"
    )
    described = load_data(DataSource(path=tmp_path), training=True)
    (tmp_path / "data.yaml").rename(tmp_path / "gone")
    (tmp_path / "classes.txt").write_text("x\ny\n", encoding="utf-8")
    bare = load_data(DataSource(path=tmp_path), training=True)
    for data in (described, bare):
        assert data.dataset.class_names == ("x", "y")
        (one,) = data.dataset.training
        (box,) = one.boxes
        assert (box.class_name, box.x, box.y, box.w, box.h) == ("y", 10, 8, 20, 14)
        assert [Path(one.source).name for one in data.dataset.validation] == ["b.png"]


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    pictures(tmp_path, "a.PNG", "deep/b.png", "c.txt")
    data = load_data(DataSource(path=tmp_path), training=False)
    assert [Path(one.source).name for one in data.dataset.candidates] == ["a.PNG", "b.png"]
    assert not data.dataset.class_names


def test_the_same_bytes_are_one_asset(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png(2, 2))
    data = load_data(DataSource(path=tmp_path), training=False)
    assert len(data.dataset.candidates) == 1


def test_a_split_is_the_same_every_time_and_has_its_share(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{number}.png" for number in range(20)))
    source = DataSource(path=tmp_path, class_names=("a",), validation_share=0.25)
    first, second = (load_data(source, training=True).dataset for _ in range(2))
    assert first == second
    assert (len(first.training), len(first.validation)) == (15, 5)
    limited = load_data(DataSource(path=tmp_path, limit=3), training=False)
    assert len(limited.dataset.candidates) == 3


def test_classes_that_are_named_alone_count(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a.png")
    coco(tmp_path / "x.json", "a.png")
    data = load_data(DataSource(path=tmp_path, class_names=("dog",)), training=False)
    assert data.dataset.class_names == ("dog",)
    assert data.dataset.candidates[0].boxes == ()
    assert [(remark.outcome, remark.field) for remark in data.remarks] == [("fine", "dog")]


def test_validation_from_another_place(tmp_path: Path) -> None:
    pictures(tmp_path / "one", "a.png")
    pictures(tmp_path / "two", "x.png", "b.png")
    (tmp_path / "two" / "x.png").unlink()
    data = load_data(
        DataSource(path=tmp_path / "one", validation=tmp_path / "two", class_names=("a",)), training=True
    )
    assert [len(data.dataset.training), len(data.dataset.validation)] == [1, 1]


def test_a_file_that_is_no_picture_is_handed_on(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"nonsense")
    data = load_data(DataSource(path=tmp_path), training=False)
    assert [remark.rule for remark in data.remarks] == ["2.6"]
    assert (data.dataset.candidates[0].width, data.dataset.candidates[0].extension) == (0, "jpg")


@pytest.mark.parametrize(
    ("files", "form", "what"),
    [
        ({}, "auto", "no picture"),
        ({}, "coco", "no COCO document"),
        ({"a.txt": "x"}, "yolo", "names their classes"),
        (
            {"a.json": '{"images": [{"id": 1, "file_name": "x.png"}], "categories": []}'},
            "auto",
            "not in",
        ),
        ({"Annotations/a.xml": "<annotation/>"}, "auto", "not in"),
        ({"data.yaml": "names: [a]\ntrain: nowhere\n"}, "auto", "neither a folder"),
    ],
)
def test_what_cannot_be_loaded(tmp_path: Path, files: dict[str, str], form: str, what: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=what):
        load_data(DataSource(path=tmp_path, form=form), training=True)  # type: ignore[arg-type]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_data(DataSource(path=tmp_path / "x"), training=True)


def test_a_class_that_no_label_has(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a.png", "b.png")
    coco(tmp_path / "labels.json", "a.png", "b.png")
    with pytest.raises(UsageError, match="is of class dog, cow") as caught:
        load_data(DataSource(path=tmp_path, class_names=("dog", "cow")), training=True)
    assert caught.value.hint == "its classes are cat"
    data = load_data(DataSource(path=tmp_path, class_names=("dog", "cat")), training=True)
    assert data.dataset.class_names == ("dog", "cat")
    assert [(remark.outcome, remark.field) for remark in data.remarks] == [("fine", "dog")]


def test_classes_of_pictures_without_labels_are_taken_as_they_are(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    data = load_data(DataSource(path=tmp_path, class_names=("dog",)), training=False)
    assert (data.dataset.class_names, data.remarks) == (("dog",), ())


def test_the_folder_above_the_labels(tmp_path: Path) -> None:
    pictures(tmp_path / "b" / "images", "a.png", "b.png")
    coco(tmp_path / "b" / "labels.json", "a.png", "b.png")
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match=r"there are no labels in .*, and some in b") as caught:
        load_data(DataSource(path=tmp_path), training=True)
    assert caught.value.hint == f"name that folder: --data {tmp_path / 'b'}"
    assert len(load_data(DataSource(path=tmp_path), training=False).dataset.candidates) == 2
    assert (
        len(load_data(DataSource(path=tmp_path, class_names=("cat",)), training=True).dataset.training) == 1
    )


def test_a_form_that_the_folder_does_not_have(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    with pytest.raises(UsageError, match="no file of VOC labels") as caught:
        load_data(DataSource(path=tmp_path, form="voc"), training=True)
    assert "another --format" in caught.value.hint

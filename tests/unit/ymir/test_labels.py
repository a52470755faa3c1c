"""Labels that people have: COCO, VOC, YOLO; and what pictures say of themselves."""

import json
import struct
import zlib

import pytest

from layerwright.core.errors import UsageError
from layerwright.ymir.labels import read_coco, read_voc, read_yolo, read_yolo_data
from layerwright.ymir.masks import compress_runs, expand_runs
from layerwright.ymir.pictures import read_header


def coco(**annotation: object) -> bytes:
    one = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], **annotation}
    return json.dumps(
        {
            "images": [
                {"id": 7, "file_name": "a.jpg", "width": 4, "height": 4},
                {"id": 8, "file_name": "b.jpg"},
            ],
            "categories": [{"id": 5, "name": "dog"}, {"id": 3, "name": "cat"}],
            "annotations": [{key: value for key, value in one.items() if value is not None}],
        }
    ).encode()


def test_coco() -> None:
    labels = read_coco(coco(), "x.json")
    assert labels.class_names == ("cat", "dog")
    assert labels.boxes["b.jpg"] == ()
    (box,) = labels.boxes["a.jpg"]
    assert (box.class_name, box.x, box.y, box.w, box.h) == ("cat", 1, 2, 3, 4)


def test_coco_shapes() -> None:
    mask = {"counts": [5, 2, 2, 2, 5], "size": [4, 4]}
    (box,) = read_coco(coco(segmentation=mask, iscrowd=1), "x").boxes["a.jpg"]
    assert (box.mask, box.is_crowd) == ("52203", True)
    (box,) = read_coco(coco(segmentation={**mask, "counts": "52203"}), "x").boxes["a.jpg"]
    assert box.mask == "52203"
    (box,) = read_coco(coco(segmentation=[[0, 0, 2, 0, 2, 3]], bbox=None), "x").boxes["a.jpg"]
    assert (box.rings, box.w, box.h) == (((0.0, 0.0, 2.0, 0.0, 2.0, 3.0),), 2, 3)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"{", "no JSON"),
        (b"[]", "another form"),
        (b'{"images": []}', "lacks 'categories'"),
        (coco(image_id=9), "`images` does not hold"),
        (coco(category_id=9), "`categories` does not hold"),
        (coco(segmentation={"counts": [1], "size": [4, 4]}), "does not fill"),
        (coco(segmentation={"counts": [4], "size": [2, 2]}), "another size"),
        (coco(bbox=[1, 2, 3, "x"]), "another form"),
    ],
)
def test_coco_that_cannot_be_read(text: bytes, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        read_coco(text, "x.json")


VOC = b"""<annotation><filename>a.jpg</filename><object><name> cat </name><bndbox>
<xmin>1</xmin><ymin>2</ymin><xmax>3.0</xmax><ymax>5</ymax></bndbox></object></annotation>"""


def test_voc_corners_are_inclusive() -> None:
    name, (box,) = read_voc(VOC, "a.xml")
    assert (name, box.class_name, box.x, box.y, box.w, box.h) == ("a.jpg", "cat", 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"<annotation>", "no XML"),
        (b"<x/>", "its root is <x>"),
        (b"<annotation><object/></annotation>", "object 1 lacks"),
        (VOC.replace(b">2<", b">two<"), "no number"),
    ],
)
def test_voc_that_cannot_be_read(text: bytes, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        read_voc(text, "a.xml")


def test_an_entity_bomb_is_refused() -> None:
    lines = ["<!DOCTYPE x [<!ENTITY a0 'aaaaaaaaaa'>"]
    lines += [f"<!ENTITY a{one} '{f'&a{one - 1};' * 10}'>" for one in range(1, 12)]
    with pytest.raises(UsageError):
        read_voc("".join([*lines, "]><annotation><filename>&a11;</filename></annotation>"]).encode(), "a.xml")


def test_yolo() -> None:
    boxes = read_yolo(
        "1 0.5 0.5 0.5 0.25\n\n0 0 0 1 0 1 1\n", "a.txt", class_names=("a", "b"), width=40, height=80
    )
    assert [(box.class_name, box.x, box.y, box.w, box.h) for box in boxes] == [
        ("b", 10, 30, 20, 20),
        ("a", 0, 0, 40, 80),
    ]
    assert boxes[1].rings == ((0.0, 0.0, 40.0, 0.0, 40.0, 80.0),)


def test_yolo_boxes_stay_inside_of_the_picture() -> None:
    (box,) = read_yolo("0 0.1 0.1 0.4 0.4\n", "a.txt", class_names=("a",), width=10, height=10)
    assert (box.x, box.y, box.w, box.h) == (0, 0, 3, 3)


@pytest.mark.parametrize(
    ("text", "what"), [("x 1 1 1 1", "no number"), ("2 1 1 1 1", "no class 2"), ("0 1", "2 columns")]
)
def test_yolo_that_cannot_be_read(text: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        read_yolo(text, "a.txt", class_names=("a", "b"), width=1, height=1)


def test_yolo_data() -> None:
    data = read_yolo_data(
        "path: x\ntrain: images/train\nval: images/val\nnames: {1: dog, 0: cat}\n", "data.yaml"
    )
    assert (data.class_names, data.root) == (("cat", "dog"), "x")
    assert data.parts == {"train": "images/train", "val": "images/val"}
    for text in ("names: []", "[", "train: x"):
        with pytest.raises(UsageError):
            read_yolo_data(text, "data.yaml")


def test_two_classes_of_one_name() -> None:
    with pytest.raises(UsageError, match="called 'a'"):
        read_yolo_data("names: [a, b, a]", "data.yaml")


@pytest.mark.parametrize("runs", [(16,), (0, 16), (5, 2, 2, 2, 5), (1, 1000, 1, 2, 100000, 3), ()])
def test_run_lengths(runs: tuple[int, ...]) -> None:
    assert expand_runs(compress_runs(runs)) == runs


@pytest.mark.parametrize("text", [" ", "é", "o", "O"])
def test_no_run_lengths(text: str) -> None:
    with pytest.raises(ValueError, match=r"run length|number"):
        expand_runs(text)


def png(width: int, height: int, colour: int = 2) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xdb\x00\x02\xff\xc4\x00\x02\xff\xc2\x00\x0b\x08" + struct.pack(
    ">HHB", 30, 40, 3
)
BMP = b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 40, -30, 1, 24)
OLD_BMP = b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 40, 30, 1, 8)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(40, 30), ("png", 40, 30, 3)),
        (png(40, 30, 0), ("png", 40, 30, 1)),
        (png(40, 30, 6), ("png", 40, 30, 4)),
        (JPEG, ("jpg", 40, 30, 3)),
        (BMP, ("bmp", 40, 30, 3)),
        (OLD_BMP, ("bmp", 40, 30, 1)),
    ],
)
def test_headers(data: bytes, expected: tuple[str, int, int, int]) -> None:
    header = read_header(data)
    assert header is not None
    assert (header.extension, header.width, header.height, header.depth) == expected
    for end in range(len(data) - 3):
        shorter = read_header(data[:end])
        assert shorter is None or shorter == header


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8\xff", b"BM", png(0, 3), JPEG[:4] + b"\x00\x00"])
def test_no_picture(data: bytes) -> None:
    assert read_header(data) is None

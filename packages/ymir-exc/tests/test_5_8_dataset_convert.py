"""§5.8: the data set in other forms."""

import json
import os

import pytest
import yaml
from PIL import Image

from ymir_exc import dataset_convert, util
from ymir_exc.dataset_convert import ymir2coco, ymir2mmseg, ymir2yolov5


@pytest.fixture
def boxes(task):
    """Two images for training, one of them without boxes, and one for validation."""
    rows = {
        "train": [
            ("aa/0aa", (20, 10), "0, 1, 2, 5, 8, -1.0, 0.0\n1, 0, 0, 19, 9, 7, 0.0\n"),
            ("bb/1bb", (8, 8), ""),
        ]
    }
    rows["val"] = [("cc/2cc", (16, 16), "1, 3, 3, 4, 4\n\n")]
    for split, images in rows.items():
        lines = []
        for name, size, text in images:
            asset, annotation = task.inside / f"assets/{name}.png", task.inside / f"annotations/{name}.txt"
            for path in (asset, annotation):
                path.parent.mkdir(exist_ok=True)
            Image.new("RGB", size).save(asset)
            annotation.write_text(text, encoding="utf-8")
            lines.append(f"{asset}\t{annotation}\n")
        (task.inside / f"{split}-index.tsv").write_text("".join(lines), encoding="utf-8")
    return task


def loaded(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


@pytest.mark.parametrize("form", ["ark:raw", "det-ark:raw"])
@pytest.mark.parametrize(("from_zero", "first"), [(False, 1), (True, 0)])
def test_coco(boxes, form, from_zero, first):
    boxes.write_config(class_names=["cat", "dog"], export_format=form)
    found = dataset_convert.convert_ymir_to_coco(cat_id_from_zero=from_zero)
    folder = boxes.out / "ymir_dataset"
    assets = str(boxes.inside / "assets")
    assert found == {
        "train": {"img_dir": assets, "ann_file": str(folder / "ymir_train.json")},
        "val": {"img_dir": assets, "ann_file": str(folder / "ymir_val.json")},
    }
    train = loaded(found["train"]["ann_file"])
    assert sorted(train) == ["annotations", "categories", "images", "licenses"]
    assert train["images"] == [
        {"id": 0, "file_name": f"{assets}/aa/0aa.png", "width": 20, "height": 10},
        {"id": 1, "file_name": f"{assets}/bb/1bb.png", "width": 8, "height": 8},
    ]
    assert train["categories"] == [
        {"id": first, "name": "cat", "supercategory": "none"},
        {"id": first + 1, "name": "dog", "supercategory": "none"},
    ]
    assert train["annotations"] == [
        {
            "id": 0,
            "image_id": 0,
            "category_id": first,
            "bbox": [1, 2, 4, 6],
            "area": 24,
            "segmentation": [[1, 2, 1, 8, 5, 8, 5, 2]],
            "iscrowd": 0,
            "score": 1.0,
            "bbox_quality": 1,
        },
        {
            "id": 1,
            "image_id": 0,
            "category_id": first + 1,
            "bbox": [0, 0, 19, 9],
            "area": 171,
            "segmentation": [[0, 0, 0, 9, 19, 9, 19, 0]],
            "iscrowd": 0,
            "score": 1.0,
            "bbox_quality": 7,
        },
    ]
    assert loaded(found["val"]["ann_file"])["annotations"][0]["bbox"] == [3, 3, 1, 1]


def test_coco_by_its_place_in_sdk_1(boxes):
    assert util.convert_ymir_to_coco() == dataset_convert.convert_ymir_to_coco()
    assert util.convert_ymir_to_coco(cat_id_from_zero=True)


@pytest.mark.parametrize("form", ["voc:raw", "", "ark:lmdb", "seg-coco:raw"])
def test_coco_of_another_form(boxes, form):
    boxes.write_config(export_format=form)
    with pytest.raises(AssertionError, match="boxes are converted from 'ark:raw' or 'det-ark:raw'"):
        dataset_convert.convert_ymir_to_coco()


def test_coco_is_made_once_by_the_first_process(boxes, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(AssertionError, match="RANK is 1, and only the first process converts"):
        dataset_convert.convert_ymir_to_coco()
    assert not (boxes.out / "ymir_dataset").exists()
    for rank in ("0", "-1"):
        monkeypatch.setenv("RANK", rank)
        made = dataset_convert.convert_ymir_to_coco()
    before = os.stat(made["train"]["ann_file"]).st_ino
    monkeypatch.setenv("RANK", "3")
    assert dataset_convert.convert_ymir_to_coco() == made
    assert os.stat(made["train"]["ann_file"]).st_ino == before


def test_coco_is_made_anew_for_another_count(boxes, monkeypatch):
    made = dataset_convert.convert_ymir_to_coco()
    dataset_convert.convert_ymir_to_coco(cat_id_from_zero=True)
    assert loaded(made["train"]["ann_file"])["categories"][0]["id"] == 0
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(AssertionError, match="RANK is 1"):
        dataset_convert.convert_ymir_to_coco(cat_id_from_zero=False)


def test_a_folder_that_others_made_is_taken_as_it_is(boxes):
    (boxes.out / "ymir_dataset").mkdir()
    assert dataset_convert.convert_ymir_to_coco()["train"]
    assert os.listdir(boxes.out / "ymir_dataset") == []


def test_a_failure_leaves_no_folder(boxes):
    (boxes.inside / "annotations/aa/0aa.txt").write_text("0, 1, 2\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"0aa\.txt:1: '0, 1, 2' is no box"):
        dataset_convert.convert_ymir_to_coco()
    (boxes.inside / "annotations/aa/0aa.txt").write_text("", encoding="utf-8")
    (boxes.inside / "assets/aa/0aa.png").write_text("no image", encoding="utf-8")
    with pytest.raises(ValueError, match=r"0aa\.png is no image whose size can be read"):
        dataset_convert.convert_ymir_to_coco()
    assert os.listdir(boxes.out) == ["models", "tensorboard"] or sorted(os.listdir(boxes.out)) == [
        "models",
        "tensorboard",
    ]


def test_yolov5(boxes):
    cfg = util.get_merged_config()
    for _ in range(2):  # S raises FileExistsError the second time
        path = dataset_convert.convert_ymir_to_yolov5(cfg)
    out = boxes.out
    assert path == str(out / "data.yaml")
    with open(path, encoding="utf-8") as file:
        assert yaml.safe_load(file) == {
            "path": str(out),
            "nc": 2,
            "names": ["cat", "dog"],
            "train": "train-index.txt",
            "val": "val-index.txt",
            "test": "test-index.txt",
        }
    assert os.readlink(out / "images") == str(boxes.inside / "assets")
    assert (out / "train-index.txt").read_text(
        encoding="utf-8"
    ) == f"{out}/images/aa/0aa.png\n{out}/images/bb/1bb.png"
    assert (out / "labels/aa/0aa.txt").read_text(
        encoding="utf-8"
    ) == "0 0.15 0.5 0.2 0.6\n1 0.475 0.45 0.95 0.9\n"
    assert (out / "labels/bb/1bb.txt").read_text(encoding="utf-8") == ""


def test_yolov5_elsewhere_and_without_training(boxes, tmp_path):
    boxes.mining()
    boxes.write_config(class_names=["cat"])
    path = dataset_convert.convert_ymir_to_yolov5(util.get_merged_config(), out_dir=str(tmp_path / "yolo"))
    assert os.listdir(tmp_path / "yolo") == ["data.yaml"]
    assert path == str(tmp_path / "yolo/data.yaml")


@pytest.mark.parametrize("form", [{"export_format": "voc:raw"}, {}])
def test_yolov5_of_another_form(boxes, form):
    boxes.write_config(**form)
    with pytest.raises(ValueError, match="labels are made of ark text alone"):
        dataset_convert.convert_ymir_to_yolov5(util.get_merged_config())


def test_yolov5_does_not_replace_what_is_there(boxes):
    (boxes.out / "images").mkdir()
    with pytest.raises(FileExistsError, match="is not a link to"):
        dataset_convert.convert_ymir_to_yolov5(util.get_merged_config())


def test_paths_of_labels():
    assert ymir2yolov5.img2label_paths(["/x/images/aa/b.c.jpg", "/images/images/a.png"]) == [
        "/x/labels/aa/b.c.txt",
        "/images/labels/a.txt",
    ]


# Segmentation. The run lengths of the middle columns of 4 x 4 pixels: 4 empty, 8 full, 4 empty.


@pytest.fixture
def masks(task):
    task.write_config(export_format="seg-coco:raw", class_names=["cat", "dog"])
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 4, "height": 4}],
        "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "area": 8,
                "segmentation": {"counts": "484", "size": [4, 4]},
            }
        ],
    }

    def write(annotations=None):
        if annotations is not None:
            document["annotations"] = annotations
        (task.inside / "annotations/coco-annotations.json").write_text(json.dumps(document), encoding="utf-8")
        line = f"{task.inside}/assets/a.png\t{task.inside}/annotations/coco-annotations.json\n"
        for split in ("train", "val"):
            (task.inside / f"{split}-index.tsv").write_text(line, encoding="utf-8")
        return util.get_merged_config()

    return write


FULL = {
    "id": 2,
    "image_id": 1,
    "category_id": 0,
    "area": 16,
    "segmentation": {"counts": "0`0", "size": [4, 4]},
}
RING = {"id": 2, "image_id": 1, "category_id": 0, "area": 16.0, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]}


@pytest.mark.parametrize(
    ("annotations", "blank"), [(None, True), ([FULL], False), ([RING], False), ([], True)]
)
def test_blank_areas(masks, annotations, blank):
    assert dataset_convert.find_blank_area_in_dataset(masks(annotations)) is blank


def test_the_area_of_polygons_without_one(masks):
    assert dataset_convert.find_blank_area_in_dataset(masks([{**RING, "area": None}])) is False


@pytest.mark.parametrize("told", ["true", "TRUE", "false", "False"])
def test_the_environment_decides(masks, monkeypatch, told):
    monkeypatch.setenv("WITH_BLANK_AREA", told)
    assert ymir2mmseg.train_with_black_area_or_not(masks()) is (told.lower() == "true")


def test_what_was_found_is_kept_in_the_environment(masks, monkeypatch):
    monkeypatch.setenv("WITH_BLANK_AREA", "x")
    monkeypatch.delenv("WITH_BLANK_AREA")
    assert ymir2mmseg.train_with_black_area_or_not(masks()) is True
    assert os.environ["WITH_BLANK_AREA"] == "TRUE"
    assert ymir2mmseg.train_with_black_area_or_not(masks([FULL])) is True
    monkeypatch.delenv("WITH_BLANK_AREA")
    assert ymir2mmseg.train_with_black_area_or_not(masks([FULL])) is False
    assert os.environ["WITH_BLANK_AREA"] == "FALSE"


def test_the_hyper_parameter_comes_first(masks, monkeypatch, task):
    monkeypatch.setenv("WITH_BLANK_AREA", "perhaps")
    cfg = masks()
    with pytest.raises(ValueError, match="WITH_BLANK_AREA is 'perhaps', and true or false is wanted"):
        ymir2mmseg.train_with_black_area_or_not(cfg)
    cfg.param.ignore_blank_area = "True"
    assert ymir2mmseg.train_with_black_area_or_not(cfg) is False


def test_blank_areas_need_coco(boxes):
    (boxes.inside / "train-index.tsv").write_text("/a.png\n", encoding="utf-8")
    with pytest.raises(ValueError, match="names no annotations; set export_format to 'seg-coco:raw'"):
        dataset_convert.find_blank_area_in_dataset(util.get_merged_config())
    (boxes.inside / "train-index.tsv").write_text(f"/a.png\t{boxes.inside}/config.yaml\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is no COCO file"):
        dataset_convert.find_blank_area_in_dataset(util.get_merged_config())


def pixels(path):
    with Image.open(path) as image:
        width, height = image.size
        return [[image.getpixel((x, y)) for x in range(width)] for y in range(height)]


def test_masks_of_run_lengths_and_polygons(masks, task):
    half = {**RING, "segmentation": [[0, 0, 3, 0, 3, 1, 0, 1]]}
    found = dataset_convert.convert_ymir_to_mmseg(
        masks([half, {**FULL, "category_id": 1, "segmentation": {"counts": "484", "size": [4, 4]}}])
    )
    assert found == {split: str(task.out / f"ymir_dataset/{split}-index.tsv") for split in ("train", "val")}
    with open(found["train"], encoding="utf-8") as file:
        image, mask = file.read().strip().split("\t")
    assert image == str(task.inside / "assets/a.png")
    assert pixels(mask) == [[0, 1, 1, 0], [0, 1, 1, 0], [255, 1, 1, 255], [255, 1, 1, 255]]


def test_masks_of_colours(task):
    task.write_config(export_format="seg-mask:raw", class_names=["cat", "dog"])
    picture = Image.new("RGB", (2, 1), (1, 2, 3))
    picture.putpixel((1, 0), (9, 9, 9))
    picture.save(task.inside / "annotations/a.png")
    (task.inside / "annotations/labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\ndog:1,2,3::\nsky:9,9,9::\n", encoding="utf-8"
    )
    for split in ("train", "val"):
        (task.inside / f"{split}-index.tsv").write_text(
            f"/a.jpg\t{task.inside}/annotations/a.png\n", encoding="utf-8"
        )
    dataset_convert.convert_ymir_to_mmseg(util.get_merged_config())
    assert pixels(task.out / "ymir_dataset/masks/a.png") == [[1, 255]]


def test_masks_of_another_form(task):
    with pytest.raises(ValueError, match="masks are made of 'seg-coco:raw' or 'seg-mask:raw'"):
        dataset_convert.convert_ymir_to_mmseg(util.get_merged_config())


def test_colours_to_numbers():
    found = dataset_convert.convert_rgb_to_label_id(
        [[[0, 0, 1], [255, 255, 255]]], {(0, 0, 1): 3, (1, 0, 0): 4}
    )
    assert found.tolist() == [[3, 255]]


def test_modules_by_name():
    assert ymir2coco.convert_ymir_to_coco is dataset_convert.convert_ymir_to_coco
    assert ymir2mmseg.train_with_black_area_or_not is dataset_convert.train_with_black_area_or_not

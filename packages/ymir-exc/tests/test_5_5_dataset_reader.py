"""§5.5: index files."""

import pytest
from PIL import Image

from ymir_exc import dataset_reader, util
from ymir_exc.env import DatasetType


def index(task, name, text):
    (task.inside / name).write_text(text, encoding="utf-8")


def test_two_columns(task):
    index(
        task,
        "train-index.tsv",
        "/in/assets/a.jpg\t/in/annotations/a.txt\n/in/assets/b.jpg\t/in/annotations/b.txt\n",
    )
    assert list(dataset_reader.item_paths(DatasetType.TRAINING)) == [
        ("/in/assets/a.jpg", "/in/annotations/a.txt"),
        ("/in/assets/b.jpg", "/in/annotations/b.txt"),
    ]


def test_one_column_more_columns_blank_lines_and_no_last_line_end(task):
    index(task, "val-index.tsv", "/a b.jpg\n\n/c.jpg\t/c.txt\tmore\tstill\r\n \n/d.jpg\t/d.txt")
    assert list(dataset_reader.item_paths(DatasetType.VALIDATION)) == [
        ("/a b.jpg", ""),
        ("", ""),
        ("/c.jpg", "/c.txt"),
        ("", ""),
        ("/d.jpg", "/d.txt"),
    ]
    assert dataset_reader.items_count(DatasetType.VALIDATION) == 5


def test_candidates(task):
    task.mining()
    index(task, "candidate-index.tsv", "/a.jpg\n/b.jpg\n")
    assert list(dataset_reader.item_paths(DatasetType.CANDIDATE)) == [("/a.jpg", ""), ("/b.jpg", "")]
    assert dataset_reader.items_count(DatasetType.CANDIDATE) == 2
    assert dataset_reader.images_count(util.get_merged_config(), "candidate") == 2


def test_nothing_is_read_before_the_first_is_asked_for(task):
    for kind, error in ((DatasetType.CANDIDATE, ValueError), (DatasetType.UNKNOWN, KeyError)):
        items = dataset_reader.item_paths(kind)
        with pytest.raises(error):
            next(items)


def test_counting_is_eager(task):
    with pytest.raises(
        ValueError, match=r"no such set of images: input\.candidate_index_file is empty in env\.yaml"
    ):
        dataset_reader.items_count(DatasetType.CANDIDATE)
    with pytest.raises(KeyError, match="there are TRAINING, VALIDATION, CANDIDATE"):
        dataset_reader.items_count(DatasetType.UNKNOWN)


@pytest.mark.parametrize(("split", "count"), [("train", 2), ("training", 2), ("val", 1), ("validation", 1)])
def test_images_count(task, split, count):
    index(task, "train-index.tsv", "/a\t/a\n/b\t/b\n")
    index(task, "val-index.tsv", "/a\t/a")
    assert dataset_reader.images_count(util.get_merged_config(), split) == count


@pytest.mark.parametrize("split", ["test", "infer", "candidate"])
def test_splits_of_candidates(task, split):
    task.mining()
    index(task, "candidate-index.tsv", "/a\n")
    assert dataset_reader.images_count(util.get_merged_config(), split) == 1


def test_unknown_splits_and_splits_that_the_task_lacks(task):
    cfg = util.get_merged_config()
    with pytest.raises(ValueError, match="there is no split 'holdout'; splits are train, training, val"):
        dataset_reader.images_count(cfg, "holdout")
    with pytest.raises(ValueError, match="no such set of images"):
        dataset_reader.images_count(cfg, "test")
    with pytest.raises(ValueError, match="the split 'candidate' has no annotations"):
        dataset_reader.bboxes_count(cfg, "candidate")


@pytest.mark.parametrize("form", ["ark:raw", "det-ark:raw", "ARK:RAW"])
def test_bboxes_count(task, form):
    task.write_config(export_format=form)
    (task.inside / "annotations/a.txt").write_text(
        "0, 1, 1, 5, 5, -1.0, 0.0\n1, 2, 2, 3, 3, 0.5, 0.0\n", encoding="utf-8"
    )
    (task.inside / "annotations/b.txt").write_text("", encoding="utf-8")
    (task.inside / "annotations/c.txt").write_text("0, 1, 1, 5, 5", encoding="utf-8")
    lines = "".join(f"/{each}.jpg\t{task.inside}/annotations/{each}.txt\n" for each in "abc")
    index(task, "train-index.tsv", lines + "/d.jpg\n")
    assert dataset_reader.bboxes_count(util.get_merged_config(), "train") == 3


@pytest.mark.parametrize(
    "values", [{"export_format": "voc:raw"}, {"export_format": "seg-coco:raw"}, {"export_format": ""}, {}]
)
def test_boxes_are_counted_in_ark_only(task, values):
    task.write_config(**values)
    with pytest.raises(
        ValueError, match="boxes are counted in ark text only; set export_format to 'ark:raw'"
    ):
        dataset_reader.bboxes_count(util.get_merged_config(), "train")


def test_platforms_without_a_protocol_write_ark(task):
    task.write_env(protocol_version=None)
    task.write_config()
    index(task, "train-index.tsv", "")
    assert dataset_reader.bboxes_count(util.get_merged_config(), "train") == 0


def test_broken_images(task, capsys):
    good, cut = str(task.root / "good.png"), str(task.root / "cut.jpg")
    Image.new("L", (4, 4)).save(good)
    Image.effect_noise((64, 64), 50).save(cut)
    data = (task.root / "cut.jpg").read_bytes()
    (task.root / "cut.jpg").write_bytes(data[:20])
    (task.root / "text.png").write_text("no image", encoding="utf-8")
    absent = str(task.root / "absent.png")
    found = dataset_reader.filter_broken_images([good, cut, str(task.root / "text.png"), absent])
    assert found == [good]
    printed = capsys.readouterr().out
    assert all(name in printed for name in (cut, "text.png", absent))
    assert good not in printed

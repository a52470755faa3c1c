"""Files of /in, byte for byte; the golden ones are made by hand from the contract's text (§2)."""

import json
from pathlib import Path

import pytest

from layerwright.core.errors import UsageError
from layerwright.ymir.dataset import Box, Dataset, Picture
from layerwright.ymir.environment import env_yaml, environment, make_task_id
from layerwright.ymir.exports import FORMS, ark_text, export_files, parse_form, voc_text

GOLDEN = Path(__file__).parent / "golden"
TASK = "t0000001000002ebb7f11653630774"

FIRST = Picture(
    asset_id="0123456789" * 4,
    extension="jpg",
    width=400,
    height=300,
    quality=0.5,
    tags={"camera": "a & b"},
    boxes=(
        Box(class_name="cat", x=104, y=78, w=272, h=105),
        Box(class_name="cow", x=1, y=1, w=1, h=1),
        Box(class_name="dog", x=0, y=0, w=1, h=1, quality=0.9, rotate_angle=0.25, tags={"side": "left"}),
    ),
)
SECOND = Picture(
    asset_id="abcdef" * 6 + "abcd",
    extension="png",
    width=4,
    height=4,
    boxes=(
        Box(class_name="dog", x=1, y=1, w=2, h=2, mask="52203", is_crowd=True),
        Box(class_name="cat", x=0, y=0, w=2, h=2, rings=((0.0, 0.0, 2.0, 0.0, 2.0, 2.0),)),
    ),
)
BARE = Picture(asset_id="f" * 40, extension="bmp", width=1, height=1)
DATA = Dataset(class_names=("cat", "dog"), training=(FIRST,), validation=(SECOND,))


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def exported(text: str, protocol: str = "1.1.0") -> dict[str, bytes]:
    return export_files(DATA, parse_form(text).form, training=True, protocol=protocol)


def test_ark() -> None:
    assert ark_text(FIRST, DATA.class_names).encode() == golden("ark.txt")
    assert ark_text(FIRST, DATA.class_names, columns=5).encode() == golden("ark-5.txt")
    assert ark_text(BARE, DATA.class_names) == ""


def test_voc() -> None:
    assert voc_text(FIRST, DATA.class_names).encode() == golden("voc.xml")
    assert "<object>" not in voc_text(BARE, DATA.class_names)


@pytest.mark.parametrize("text", ["ark:raw", "det-ark:raw", "ARK:RAW"])
def test_ark_files(text: str) -> None:
    files = exported(text)
    assert files["/in/train-index.tsv"] == golden("train-index-ark.tsv")
    assert files[f"/in/annotations/89/{FIRST.asset_id}.txt"] == golden("ark.txt")
    assert exported(text, "0.0.0")[f"/in/annotations/89/{FIRST.asset_id}.txt"] == golden("ark-5.txt")


@pytest.mark.parametrize("text", ["voc:raw", "det-voc:raw"])
def test_voc_files(text: str) -> None:
    files = exported(text)
    assert files["/in/val-index.tsv"] == golden("val-index-voc.tsv")
    assert files[f"/in/annotations/89/{FIRST.asset_id}.xml"] == golden("voc.xml")


@pytest.mark.parametrize("text", ["seg-coco:raw", "coco:raw"])
def test_coco_files(text: str) -> None:
    files = exported(text)
    assert files["/in/annotations/coco-annotations.json"] == golden("coco.json")
    assert files["/in/train-index.tsv"] == golden("train-index-coco.tsv")
    assert [name for name in files if name.startswith("/in/annotations/")] == [
        "/in/annotations/coco-annotations.json"
    ]


@pytest.mark.parametrize("text", ["none:raw", "ins-seg:raw", "seg-poly:raw", "ls_json:raw"])
def test_none_and_unknown_forms(text: str) -> None:
    files = exported(text)
    empty = {"train", "val", "test", "pred-train", "pred-val", "pred-test"}
    assert {name for name in empty if files[f"/in/{name}-index.tsv"] == b""} == empty
    assert files["/in/idx-assets.tsv"] == golden("idx-assets.tsv")
    assert not any("/annotations/" in name for name in files)
    assert parse_form(text).known == (text == "none:raw")


@pytest.mark.parametrize("text", ["ark", "ark:raw:x", "ark:lmdb"])
def test_forms_that_the_platform_fails_on(text: str) -> None:
    with pytest.raises(UsageError, match=r"rule 2\.5"):
        parse_form(text)


def test_every_index_of_a_training() -> None:
    files = exported("ark:raw")
    assert sorted(name for name in files if name.endswith(".tsv")) == [
        "/in/idx-assets.tsv", "/in/idx-gt.tsv", "/in/idx-pred.tsv", "/in/pred-test-index.tsv",
        "/in/pred-train-index.tsv", "/in/pred-val-index.tsv", "/in/test-index.tsv", "/in/train-index.tsv",
        "/in/val-index.tsv",
    ]  # fmt: skip
    assert files["/in/idx-gt.tsv"].count(b"\n") == 2


@pytest.mark.parametrize("name", FORMS)
def test_candidates_have_one_index_whatever_the_form(name: str) -> None:
    data = Dataset(class_names=(), candidates=(SECOND, FIRST))
    files = export_files(data, parse_form(f"{name}:raw").form, training=False, protocol="1.1.0")
    assert files == {
        "/in/candidate-index.tsv": f"/in/assets/cd/{SECOND.name}\n/in/assets/89/{FIRST.name}\n".encode()
    }


def test_environment() -> None:
    assert env_yaml(environment(TASK, training=True)).encode() == golden("env-training.yaml")
    assert env_yaml(environment(TASK, mining=True, infer=True)).encode() == golden("env-mining.yaml")


def test_older_protocols() -> None:
    middle = environment(TASK, training=True, protocol="1.0.0")
    assert "manifest_file" not in middle
    assert middle["output"]["executor_log_file"]
    old = environment(TASK, training=True, protocol="0.0.0")
    assert "protocol_version" not in old
    assert "executor_log_file" not in old["output"]
    with pytest.raises(UsageError):
        environment(TASK, protocol="two")


def test_task_ids() -> None:
    assert make_task_id(1653630774.9, "ebb7f1") == "t0000001000002ebb7f11653630774"
    assert len(make_task_id(1653630774.9, "ebb7f1")) == 30


def test_coco_categories_count_from_0_and_pictures_from_1() -> None:
    document = json.loads(exported("coco:raw")["/in/annotations/coco-annotations.json"])
    assert [one["id"] for one in document["categories"]] == [0, 1]
    assert [one["id"] for one in document["images"]] == [1, 2]
    assert all("/" not in one["file_name"] for one in document["images"])

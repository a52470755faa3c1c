"""The reference executor: it learns, finds, ranks and segments through the harness, natively and in Docker."""

import hashlib
import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.command import Command

pytestmark = [pytest.mark.engine, pytest.mark.network]

EXAMPLE = Path(__file__).parents[3] / "examples" / "executor-digits"
SIZES = ("--train", "240", "--val", "60", "--pool", "40")
ALGORITHMS = ("entropy", "cald", "aldd", "core-set")  # one of each protocol; the others differ in numpy alone


@pytest.fixture(scope="module")
def digits(debian_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The example, built for the native engine, with small data sets in ``scenes``."""
    root = tmp_path_factory.mktemp("digits")
    folder = root / "executor-digits"
    # The link to the package becomes a copy of it.
    left_out = shutil.ignore_patterns("layerwright.lock", "out", "executor-runs", "tests", "__pycache__")
    shutil.copytree(EXAMPLE, folder, ignore=left_out)
    spec = folder / "layerwright.toml"
    # Compiling all of PyTorch takes longer than the few runs here would save.
    text = spec.read_text(encoding="utf-8").replace('workdir = "/app"', 'workdir = "/app"\nbytecode = false')
    spec.write_text(text, encoding="utf-8")
    passed = {key: value for key, value in os.environ.items() if key.startswith("LAYERWRIGHT_INDEX_")}
    command = Command(folder=folder, store=debian_store, home=root, variables=passed)
    command("build", timeout=900)
    command("run", "digits", "python", "make_scenes.py", "--out", "scenes", *SIZES, timeout=120)
    return command


def run(command: Command, task: str, work: str, *more: str, engine: str = "native") -> Any:
    """A job through the harness, and its report."""
    data = "scenes/labelled" if task == "training" else "scenes/pool"
    common = ("executor", "run", "digits", "--json", "--poll", "0.5", "--timeout", "200")
    done = command(
        *common, "--engine", engine, "--task", task, "--data", data, "--work", work, *more, timeout=300
    )
    report = done.json()
    assert report["verdict"]["success"], done
    assert report["summary"]["rejected"] == report["summary"]["lost"] == 0, done
    return report


@pytest.fixture(scope="module")
def trained(digits: Command) -> Any:
    """A training of a few seconds."""
    return run(digits, "training", "trained", "--param", "epochs=8")


def truth(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The annotations of the pool by asset id, which is the sha1 of a picture's bytes."""
    document = json.loads((folder / "scenes/pool/pool.json").read_text(encoding="utf-8"))
    known: dict[str, list[dict[str, Any]]] = {}
    for image in document["images"]:
        data = (folder / "scenes/pool/images" / image["file_name"]).read_bytes()
        asset = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        known[asset] = [each for each in document["annotations"] if each["image_id"] == image["id"]]
    return known


def overlap(first: list[float], second: list[float]) -> float:
    """Intersection over union of two boxes: left, top, width, height."""
    sides = [
        max(0.0, min(first[i] + first[i + 2], second[i] + second[i + 2]) - max(first[i], second[i]))
        for i in (0, 1)
    ]
    common = sides[0] * sides[1]
    return common / (first[2] * first[3] + second[2] * second[3] - common)


def test_scenes_are_the_same_for_the_same_numbers(digits: Command) -> None:
    digits("run", "digits", "python", "make_scenes.py", "--out", "again", *SIZES, timeout=120)
    trees = []
    for name in ("scenes", "again"):
        root = digits.folder / name
        files = sorted(path for path in root.rglob("*") if path.is_file())
        trees.append([(path.relative_to(root), path.read_bytes()) for path in files])
    assert len(trees[0]) == 340 + 3
    assert trees[0] == trees[1]


def test_it_learns(digits: Command, trained: Any) -> None:
    training = trained["training"]
    assert training["best"] == "best"
    assert training["metric"] == "mAP"
    assert training["value"] > 0.25
    assert training["event_files"] == 1
    assert {"best/best.pt", "last/last.pt"} < set(training["package"]["members"])
    (log,) = (digits.folder / "trained" / "tensorboard").iterdir()
    assert b"quality/ap50" in log.read_bytes()
    assert trained["timings"]["reports"] >= 2
    assert "epoch   8" in (digits.folder / "trained/out/ymir-executor-out.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found(digits: Command, trained: Any) -> dict[str, Any]:
    """What the trained model finds on the pool."""
    report = run(digits, "infer", "found", "--model", "trained")
    assert report["infer"]["pictures"] == 40
    document = json.loads((digits.folder / "found/out/infer-result.json").read_text(encoding="utf-8"))
    return document["detection"]


def test_what_it_finds_is_there(digits: Command, found: dict[str, Any]) -> None:
    known = truth(digits.folder)
    assert {name.partition(".")[0] for name in found} == set(known)
    hits = sum(
        any(overlap(each["bbox"], list(box["box"].values())) > 0.5 for box in found[f"{asset}.png"]["boxes"])
        for asset, annotations in known.items()
        for each in annotations
    )
    assert hits > 0.6 * sum(map(len, known.values()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_it_ranks(digits: Command, trained: Any, algorithm: str) -> None:
    work = f"mined-{algorithm}"
    model = ("--model", "trained", "--topk", "10")
    report = run(digits, "mining", work, *model, "--param", f"mining_algorithm={algorithm}")
    assert report["mining"] is not None
    lines = (digits.folder / work / "out/result.tsv").read_text(encoding="utf-8").splitlines()
    order = [Path(line.partition("\t")[0]).stem for line in lines]
    known = truth(digits.folder)
    assert Counter(order) == Counter(list(known))
    if algorithm == "entropy":
        # A fourth of the scenes holds nearly all that can be learnt; they come first.
        assert sum(len(known[asset]) for asset in order[:10]) > 0.5 * sum(map(len, known.values()))


def test_docker_finds_the_same(digits: Command, trained: Any, found: dict[str, Any], docker: str) -> None:
    try:
        run(digits, "infer", "found-docker", "--model", "trained", engine="docker")
    finally:
        subprocess.run(
            [docker, "rmi", "--force", "executor-digits:1.0.0"], capture_output=True, timeout=60, check=False
        )
    document = json.loads((digits.folder / "found-docker/out/infer-result.json").read_text(encoding="utf-8"))
    assert document["detection"] == found


@pytest.fixture(scope="module")
def segmenter(digits: Command) -> Any:
    return run(digits, "training", "segmenter", "--object-type", "4", "--param", "epochs=6")


def test_it_learns_and_finds_masks(digits: Command, segmenter: Any) -> None:
    assert segmenter["training"]["metric"] == "maskAP"
    assert segmenter["training"]["value"] > 0.1
    run(digits, "infer", "masks", "--object-type", "4", "--model", "segmenter")
    document = json.loads((digits.folder / "masks/out/infer-result.json").read_text(encoding="utf-8"))
    assert len(document["images"]) == 40
    assert len(document["annotations"]) > 20
    for each in document["annotations"]:
        assert each["segmentation"]["size"] == [96, 96]
        assert 0 < each["area"] <= (each["bbox"][2] + 2) * (each["bbox"][3] + 2)


FEW = """
import numpy as np
import torch
torch.set_num_threads(1)
from digits import scenes
from digits.detector import DigitDetector
from digits.training import Example, measure, train
for kinds in ((0, 0, 1), (1, 0, 0)):  # only crowded scenes, only empty ones
    made = scenes.many(scenes.Digits(), 17, kinds, 1)
    examples = [Example(each.picture, each.boxes, each.classes, each.masks) for each in made]
    # Pictures of other forms: wide with digits at its left, high without any.
    wide = np.pad(made[0].picture, ((0, 0), (0, 70)))
    examples[0] = Example(wide, made[0].boxes, made[0].classes, np.pad(made[0].masks, ((0, 0), (0, 0), (0, 70))))
    examples[1] = Example(wide.T, np.zeros((0, 4)), np.zeros(0, int), np.zeros((0, *wide.T.shape), bool))
    for count in (1, 17):
        for epochs in (1, 5):
            detector = DigitDetector.new(scenes.NAMES, width=8, masks=True)
            assert len(list(train(detector, examples[:count], epochs))) == epochs
    assert 0 <= measure(detector, examples)["mask_ap50"] <= 1
    detector.threshold = 0.0
    for example, (found, masks) in zip(examples, detector.segment([each.picture for each in examples])):
        assert masks.shape == (len(found), *example.picture.shape)
"""


def test_few_pictures_and_empty_ones_are_enough_to_train(digits: Command) -> None:
    digits("run", "digits", "python", "-c", FEW, timeout=120)


def test_every_form_of_annotations_trains_alike(digits: Command) -> None:
    logs = set()
    for form in ("ark", "voc", "seg-coco"):
        more = ("--limit", "20", "--param", "epochs=2", "--param", f"export_format={form}:raw")
        run(digits, "training", f"form-{form}", *more)
        logs.add((digits.folder / f"form-{form}" / "out/ymir-executor-out.log").read_text(encoding="utf-8"))
    assert len(logs) == 1
    assert "20 pictures to train on, 20 to measure with" in logs.pop()


def test_a_parameter_out_of_its_range_is_named(digits: Command) -> None:
    done = digits(
        *("executor", "run", "digits", "--json", "--engine", "native", "--task", "training"),
        *("--data", "scenes/labelled", "--work", "wrong", "--poll", "0.5", "--param", "learning_rate=7"),
        status=1,
        timeout=120,
    )
    report = done.json()
    assert report["verdict"]["code"] == 300001
    log = (digits.folder / "wrong/out/ymir-executor-out.log").read_text(encoding="utf-8")
    assert "learning_rate is 7" in log.splitlines()[-1]
    assert "1e-06 to 1 is wanted" in log.splitlines()[-1]

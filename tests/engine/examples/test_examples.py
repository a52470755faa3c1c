"""Every example does what its first lines say."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import Command

pytestmark = [pytest.mark.engine, pytest.mark.network]

Example = Callable[[str], Command]


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_ocr_reads_the_page_and_draws_boxes(example: Example) -> None:
    command = example("ocr")
    done = command("run", "ocr", "read_page.py", "page.png", "out/read.png", timeout=900)
    read = [line.partition("  ")[2] for line in done.out.splitlines()]
    for expected in ("Corner Hardware Ltd", "Date 17 March 2024", "149.90"):
        assert expected in read
    assert any("185.40" in line for line in read)
    assert picture_size(command.folder / "out" / "read.png") == (900, 720)
    assert (command.folder / "out" / "read.png").read_bytes() != (command.folder / "page.png").read_bytes()


def test_ocr_with_docker_gives_the_same_text(example: Example, docker: str) -> None:
    command = example("ocr")
    native = command("run", "ocr", "read_page.py", "page.png", timeout=900)
    with_docker = command("run", "--engine", "docker", "ocr", "read_page.py", "page.png", timeout=900)
    assert with_docker.out == native.out


def test_training_learns_the_digits(example: Example) -> None:
    command = example("train-digits")
    done = command("run", "train", "train.py", "--epochs", "6", timeout=900)
    found = re.search(r"^accuracy (0\.\d+) on 450 pictures", done.out, re.MULTILINE)
    assert found is not None, done
    assert float(found[1]) > 0.94
    assert picture_size(command.folder / "out" / "loss.png")[0] > 300
    (log,) = (command.folder / "out" / "tensorboard").iterdir()
    assert b"accuracy/test" in log.read_bytes()


def test_capybara_straightens_a_page(example: Example) -> None:
    command = example("capybara")
    done = command("run", "capybara", "straighten.py", timeout=900)
    found = re.search(r"overlap with the truth (\d\.\d+)", done.out)
    assert found is not None, done
    assert float(found[1]) > 0.95
    assert picture_size(command.folder / "out" / "straight.png") == (620, 877)


def test_matrix_builds_six_images_that_share_layers(example: Example) -> None:
    command = example("matrix")
    images = command("build", "--json", timeout=1200).json()["images"]
    assert [image["cell"] for image in images] == [
        f"tools-{python}-{variant}"
        for python in ("py39", "py311", "py313")
        for variant in ("tables", "pictures")
    ]
    layers = {image["cell"]: [layer["digest"] for layer in image["layers"]] for image in images}
    for python in ("py39", "py311", "py313"):
        shared = set(layers[f"tools-{python}-tables"]) & set(layers[f"tools-{python}-pictures"])
        assert len(shared) >= 5  # base, environment, numpy, its bytecode, the project's own
    for python, cell in (("3.9", "tools-py39-pictures"), ("3.13", "tools-py313-tables")):
        report = command("run", cell, "report.py", timeout=120).out
        assert report.startswith(f"python {python}.")
        assert "matrix-checks 0.1.0" in report
        assert report.endswith("trace 4\n")


def test_every_example_is_tested() -> None:
    tested = set(re.findall(r'example\("([a-z-]+)"\)', Path(__file__).read_text(encoding="utf-8")))
    here = {folder.name for folder in (Path(__file__).parents[3] / "examples").iterdir() if folder.is_dir()}
    # tests/engine/seeds, tests/engine/executor, tests/engine/musa
    elsewhere = {"seeds", "executor-hello", "executor-digits", "musa"}
    assert tested | elsewhere == here

"""The six variants of torch_musa's build_all.sh from one spec: order, one that fails, going on, other values."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.command import Command, Done

pytestmark = pytest.mark.engine

REPOSITORY = "sh-harbor.example/mt-ai/musa-pytorch"
PYTHONS = ("38", "39", "310")
VARIANTS = [f"{kind}-py{python}" for kind in ("dev", "release") for python in PYTHONS]
"""In the order of build_all.sh."""


def _command(python: str) -> str:
    return "echo built; exit 7" if python == "39" else f"echo musa {python} > /torch_musa"


def spec(base: str) -> str:
    """A small stand-in: what a variant compiles or installs is a command that leaves a file."""
    parts = [
        f'[project]\nname = "musa"\n[defaults]\naccelerator = "mthreads"\ngpu_arch = "qy1"\nfrom = "{base}"\n'
    ]
    parts += [
        f'[images.base-py{python}]\nrole = "base"\nname = "{REPOSITORY}-dev-py{python}"\n'
        f'tags = ["base-pytorch2.0.0"]\nrun = [{{ script = "echo pytorch > /pytorch" }}]\n'
        for python in PYTHONS
    ]
    parts += [
        f'[images.dev-py{python}]\nfrom = "image:base-py{python}"\nrole = "dev"\n'
        f'name = "{REPOSITORY}-dev-py{python}"\ntags = ["dev1.5.1-qy1"]\n'
        f"run = [{{ script = '{_command(python)}' }}]\n"
        for python in PYTHONS
    ]
    parts += [
        f'[images.release-py{python}]\nrole = "release"\nname = "{REPOSITORY}-release-py{python}"\n'
        f'tags = ["dev1.5.1-qy1"]\nrun = [{{ script = "echo wheels > /whls" }}]\n'
        for python in PYTHONS
    ]
    return "".join(parts)


@pytest.fixture
def command(tmp_path: Path, home: Path, small_base: str) -> Command:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "layerwright.toml").write_text(spec(small_base), encoding="utf-8")
    return Command(folder=folder, store=tmp_path / "store", home=home)


def built(done: Done) -> dict[str, Any]:
    return {image["cell"]: image for image in done.json()["images"]}


MENDED = "images.dev-py39.run=[{ script = 'echo musa 39 > /torch_musa' }]"


def test_f13_six_variants_in_order_one_failure_and_going_on(command: Command) -> None:
    done = command("build", *VARIANTS, status=4)
    rows = [line.split() for line in done.out.splitlines()[1:7]]
    assert [row[0] for row in rows] == VARIANTS
    assert [row[1] for row in rows] == [f"{REPOSITORY}-{variant}:dev1.5.1-qy1" for variant in VARIANTS]
    assert [variant for variant, row in zip(VARIANTS, rows, strict=True) if "failed" in row] == ["dev-py39"]
    assert "exit 7" in done.err
    assert "status 7" in done.err
    assert "layerwright.toml" in done.err
    # Only what is left is done when it goes on, and what was done has the same digests.
    first = {row[0]: row[2] for row in rows}
    again = built(command("build", "--json", "--set", MENDED, *VARIANTS))
    assert list(again) == VARIANTS
    fresh = {cell for cell, image in again.items() if any(not layer["cached"] for layer in image["layers"])}
    assert fresh == {"dev-py39"}
    for cell, digest in first.items():
        assert cell == "dev-py39" or again[cell]["digest"].startswith(digest.rstrip("…"))


def test_f14_values_from_the_command_line(command: Command) -> None:
    before = (command.folder / "layerwright.toml").read_bytes()
    values = [
        "images.release-py310.tags=['rc4.0.1-qy2']",
        "images.release-py310.name=registry.example/mine",
        "defaults.gpu_arch=qy2",
    ]
    words = [word for value in values for word in ("--set", value)]
    image = built(command(*words[:2], "build", "--json", *words[2:], "release-py310"))["release-py310"]
    assert image["reference"] == "registry.example/mine:rc4.0.1-qy2"
    assert (command.folder / "layerwright.toml").read_bytes() == before
    # The build without them is another one, and is not taken for it.
    other = built(command("build", "--json", "release-py310"))["release-py310"]
    assert other["reference"] == f"{REPOSITORY}-release-py310:dev1.5.1-qy1"
    assert other["config_digest"] != image["config_digest"]
    assert json.loads(command("plan", "--json", "release-py310").out)["images"][0]["cell"] == "release-py310"

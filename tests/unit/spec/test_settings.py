"""Values of the spec from the command line."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import LayerwrightError, SpecError, UsageError
from layerwright.spec.model import Spec
from layerwright.spec.parse import parse_spec
from layerwright.spec.settings import parse_setting

TEXT = """\
[project]
name = "demo"
version = "1"
[defaults]
from = "debian:bookworm"
python = "3.11"
[images.dev]
packages = ["numpy"]
tags = ["1.0"]
[images.other]
[images.dev.run]
stop_timeout = 5
"""


def read(*settings: str, text: str = TEXT) -> Spec:
    return parse_spec(text.encode(), file="layerwright.toml", root=Path("/x"), settings=settings)


def test_f14_values_without_an_edit() -> None:
    cell = read(
        "images.dev.tags=[\"2.0\", 'latest']",
        "images.dev.env.MAX_JOBS=4",
        "images.dev.accelerator=nvidia",
        "images.dev.sealed=false",
        "images.dev.run.gpus=2",
        "images.dev.run.stop_timeout=7",
        'images.dev.labels."org.example.v"=a=b c',
        'images.dev.packages=["numpy==2.0.0"]',
        'images.dev.name="registry.example.org/dev"',
    ).cells["dev"]  # fmt: skip
    assert cell.references == ("registry.example.org/dev:2.0", "registry.example.org/dev:latest")
    assert cell.env == {"MAX_JOBS": "4"}
    assert (cell.accelerator, cell.sealed) == ("nvidia", False)
    assert (cell.run_options.gpus, cell.run_options.stop_timeout) == ("2", 7)
    assert cell.labels == {"org.example.v": "a=b c"}
    assert [package.requirement for package in cell.packages] == ["numpy==2.0.0"]  # type: ignore[union-attr]


def test_f14_a_version_stays_a_text() -> None:
    assert read("defaults.python=3.10", "defaults.from=ubuntu:22.04").cells["dev"].python == "3.10"
    assert read("project.version=2.0").cells["other"].tags == ("2.0",)


def test_f14_the_last_counts() -> None:
    assert read("images.dev.tags=['a']", "images.dev.tags=['b']").cells["dev"].tags == ("b",)


def test_f14_a_new_image_and_a_new_axis() -> None:
    spec = read(
        "images.more.from=image:dev",
        "images.dev.matrix.variant=['x', 'y']",
        "images.more.matrix.variant=['x']",
    )
    assert {"dev-x", "dev-y", "more-x"} <= set(spec.cells)


def test_f14_in_pyproject() -> None:
    text = '[project]\nname = "demo"\n[tool.layerwright.images.app]\nfrom = "debian:bookworm"\n'
    spec = parse_spec(
        text.encode(), file="pyproject.toml", root=Path("/x"), settings=["images.app.tags=['t']"]
    )
    assert spec.cells["app"].tags == ("t",)


@pytest.mark.parametrize(
    "text", ["", "a", "=1", "a b=1", "a.=1", "[a]\nb=1", "a\nb=1", "{a=1}", "a.b.=", "'a=1"]
)
def test_f14_no_setting(text: str) -> None:
    with pytest.raises(UsageError, match="is no setting") as caught:
        parse_setting(text)
    assert "--set KEY=VALUE" in caught.value.hint


def test_f14_a_way_through_no_table() -> None:
    with pytest.raises(UsageError, match="'tags' is no table"):
        read("images.dev.tags.first=x")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("images.dev.pyhton=3.10", "unknown key 'pyhton'"),
        ("images.dev.accelerator=amd", "accelerator"),
        ("images.dev.from=image:nothing", "no image 'nothing'"),
        ("images.dev.sealed=perhaps", "sealed"),
    ],
)
def test_f14_a_fault_of_a_setting_lies_in_the_setting(setting: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(setting)
    (problem,) = caught.value.problems
    assert words in problem.what + str(problem.where)
    assert problem.where.file == f"--set {setting}"
    assert problem.where.line == 0


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    with suppress(LayerwrightError):
        read(text)

"""Images for Moore Threads' GPUs: labels against what is installed, and what is installed against the records."""

import json
from pathlib import Path

import pytest

from layerwright.verify.checks import musa, pairs
from layerwright.verify.checks.musa import toolkit_release
from support.made_image import Content, Link, debian, dist, inspect_image

TOOLKIT = "usr/local/musa-4.0.1/version.json"


def image(scratch: Path, release: str = "", labels: dict[str, str] | None = None, **packages: str):
    files: dict[str, Content] = {}
    if release:
        files = {
            TOOLKIT: json.dumps({"musa_toolkits": {"version": release, "git": "x"}}).encode(),
            "usr/local/musa": Link(target="musa-4.0.1"),
        }
    for name, version in packages.items():
        files |= dist(name.replace("_", "-"), version)
    return inspect_image(
        scratch, debian(), files, labels={"dev.layerwright.accelerator": "mthreads", **(labels or {})}
    )


def labels(**values: str) -> dict[str, str]:
    return {f"dev.layerwright.{name.replace('__', '.').replace('torch_musa', 'torch-musa')}": value
            for name, value in values.items()}  # fmt: skip


def test_g01_labels_that_are_true(tmp_path: Path) -> None:
    said = labels(component__musa_toolkit="rc4.0.1", source__torch="2.2.0", source__torch_musa="2.0.1")
    made = image(tmp_path, "4.0.1", said, torch="2.2.0a0+git1234", torch_musa="2.0.1+abc")
    assert toolkit_release(made) == "4.0.1"
    assert list(musa.check(made)) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            labels(component__musa_toolkit="rc3.1.0"),
            "says rc3.1.0, and the image holds the MUSA toolkit 4.0.1",
        ),
        (
            labels(source__torch="2.0.0"),
            "dev.layerwright.source.torch says 2.0.0, and the image holds torch 2.2.0",
        ),
        (labels(source__torch_musa="1.3.0"), "says 1.3.0, and the image holds torch-musa 2.0.1"),
    ],
)
def test_g01_labels_that_are_not(tmp_path: Path, said: dict[str, str], words: str) -> None:
    (one,) = musa.check(image(tmp_path, "4.0.1", said, torch="2.2.0", torch_musa="2.0.1"))
    assert (one.code, one.level) == ("LW-DECLARED-MUSA", "error")
    assert words in one.message
    assert one.where.path


def test_g01_what_is_not_there_says_nothing(tmp_path: Path) -> None:
    said = labels(component__musa_toolkit="rc3.1.0", source__torch="2.0.0")
    assert list(musa.check(image(tmp_path, "", said))) == []


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"musa_toolkits": 1}', b'{"musa_toolkits": {"version": 4}}', b"\xff"]
)
def test_a_version_file_of_anything(tmp_path: Path, text: bytes) -> None:
    made = inspect_image(tmp_path, debian(), {"usr/local/musa/version.json": text})
    assert toolkit_release(made) == ""


def test_f20_what_is_installed_goes_together(tmp_path: Path) -> None:
    found = {
        one.code: one.message
        for one in pairs.check(image(tmp_path, "rc4.0.1", torch="2.0.0", torch_musa="1.3.0"))
        if one.level == "error"
    }
    assert "was made for torch 2.2.0, and the image has torch 2.0.0" in found["LW-MUSA-TORCH"]
    assert (
        "needs the MUSA SDK toolkit rc3.1.0, and the component musa_toolkit is rc4.0.1"
        in found["LW-MUSA-SDK"]
    )

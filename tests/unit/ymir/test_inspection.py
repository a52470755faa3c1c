"""What the platform makes of /img-man when it reads it through an entrypoint (§1.2)."""

from typing import Any

import pytest

from layerwright.ymir.inspection import object_types, read_mapping, template_place
from layerwright.ymir.reading import Answer
from layerwright.ymir.remarks import Remark

FILE = "/img-man/training-template.yaml"


def said(text: str, status: int = 0, error: str = "") -> Answer:
    return Answer(exit_code=status, stdout=text.encode(), stderr=error.encode())


def test_a_mapping() -> None:
    read = read_mapping(FILE, said("epochs: 10\n"))
    assert (read.values, read.remark) == ({"epochs": 10}, None)


@pytest.mark.parametrize("text", ["", "# only comments\n", "- a\n", "text"])
def test_absent(text: str) -> None:
    assert read_mapping(FILE, said(text)).values is None


def test_a_banner_is_named_with_its_repair() -> None:
    read = read_mapping(FILE, said("=== CUDA ===\n\nNVIDIA Deep Learning\nepochs: 10\n"))
    assert read.values is None
    assert read.remark is not None
    assert (read.remark.outcome, read.remark.rule, read.remark.code) == ("rejected", "1.2", 130401)
    assert "=== CUDA === / NVIDIA Deep Learning" in read.remark.message
    assert 'exec "$@"' in read.remark.repair


@pytest.mark.parametrize(
    "text", ["banner\n!!int ''", "banner\n!!float ''", "banner\n!!int '-'", "banner\n!!timestamp ''"]
)
def test_tags_that_yaml_itself_stumbles_over(text: str) -> None:
    assert read_mapping(FILE, said(text)).values is None


def test_an_error_text_counts_as_the_file() -> None:
    read = read_mapping(FILE, said("", 1, "exec failed: nope"))
    assert read.values == {"exec failed": "nope"}
    assert read.remark is not None
    assert read.remark.outcome == "lost"


def test_an_absent_file_is_no_remark() -> None:
    for error in ("cat: /img-man/x: No such file or directory", ""):
        read = read_mapping(FILE, said("", 1, error))
        assert (read.values, read.remark) == (None, None)


def test_a_date_fails_the_request() -> None:
    read = read_mapping(FILE, said("day: 2020-01-01\n"))
    assert read.values is None
    assert read.remark is not None
    assert (read.remark.code, read.remark.field) == (169999, "day")


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (None, ((2,), False)),
        ({}, ((2,), False)),
        ({"object_type": 3}, ((3,), False)),
        ({"object_type": 7}, ((7,), False)),
        ({"object_type": True}, ((1,), False)),
        ({"object_type": [2, 4]}, ((2, 4), True)),
        ({"object_type": "2"}, 130401),
        ({"object_type": 2.0}, 130401),
        ({"object_type": None}, 130401),
        ({"object_type": []}, 130401),
        ({"object_type": [7]}, 169999),
    ],
)
def test_object_types(manifest: dict[str, Any] | None, expected: object) -> None:
    found = object_types(manifest)
    assert (found.code if isinstance(found, Remark) else found) == expected


def test_places() -> None:
    assert template_place("mining", 2, listed=False) == "/img-man/mining-template.yaml"
    assert template_place("infer", 4, listed=True) == "/img-man/instance-seg/infer-template.yaml"

"""Model packages: members, description, and what is read of one (§3.2)."""

import pytest
import yaml

from layerwright.core.errors import UsageError
from layerwright.ymir.package import describe_package, package_members, read_description
from layerwright.ymir.stages import Stage, TrainingResult

RESULT = TrainingResult(
    stages=(
        Stage(
            name="s1",
            files=("a.pt", "w/b.pt"),
            places=("a.pt", "s1/w/b.pt"),
            timestamp=5,
            metrics={"mAP": 0.25},
        ),
        Stage(
            name="s2",
            files=("/etc/hostname",),
            places=("",),
            timestamp=6,
            metrics={"mAP": 0.5},
            counts={"tp": 3},
        ),
    ),
    best="s2",
    attachments={"figures": ("f.png",)},
    evaluate_config={"iou_thr": 0.5},
)


def test_members() -> None:
    assert [(one.name, one.place) for one in package_members(RESULT)] == [
        ("s1/a.pt", "a.pt"),
        ("s1/w/b.pt", "s1/w/b.pt"),
        ("attachments/figures/f.png", "attachments/figures/f.png"),
    ]


def test_description() -> None:
    text = describe_package(
        RESULT, configuration={"class_names": ["cat"], "lr": 0.1}, context={"producer": "ymir"}, object_type=4
    )
    document = yaml.safe_load(text)
    assert sorted(document) == [
        "attachments", "best_stage_name", "evaluate_config", "executor_config", "model_hash", "object_type",
        "package_version", "stage_name", "stages", "task_context",
    ]  # fmt: skip
    assert (document["model_hash"], document["stage_name"], document["package_version"]) == ("", "", "2.0.0")
    assert document["stages"]["s2"] == {
        "stage_name": "s2", "files": ["/etc/hostname"], "timestamp": 6, "mAP": 0.5, "tp": 3
    }  # fmt: skip
    info = read_description(text.encode(), "x")
    assert (info.object_type, info.class_names, info.best) == (4, ("cat",), "s2")
    assert info.stages["s1"] == ("a.pt", "w/b.pt")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"[", "cannot be read"),
        (b"{}", "missing"),
        (b"[]", "missing"),
        (b"package_version: 1.0.0", "version 1.0.0"),
    ],
)
def test_no_package(text: bytes, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        read_description(text, "x")

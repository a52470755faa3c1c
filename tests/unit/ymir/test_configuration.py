"""From template to config.yaml: the form, what it drops, the platform's keys (§1.3, §1.4, §2.3)."""

from pathlib import Path
from typing import Any

import pytest

from layerwright.core.errors import UsageError
from layerwright.ymir.codes import Task
from layerwright.ymir.configuration import (
    PlatformValues,
    config_yaml,
    export_format_of,
    fill_form,
    make_configuration,
)

GOLDEN = Path(__file__).parent / "golden"
TEMPLATE: dict[str, Any] = {
    "epochs": 5,
    "lr": 0.01,
    "sync_bn": True,
    "verbose": False,
    "warmup": 0,
    "note": "",
    "export_format": "ark:raw",
    "shm_size": "16G",
    "gpu_count": 4,
}
PLATFORM = PlatformValues(
    task_id="t0000001000002ebb7f11653630774",
    class_names=("cat", "dog"),
    gpus=1,
    model_files=("/in/models/stage_a/best.pt",),
)


def test_config_yaml() -> None:
    form = fill_form(TEMPLATE, {"epochs": "10", "lr": "0.001", "sync_bn": "False"})
    made = make_configuration("training", form, PLATFORM)
    assert config_yaml(made.values).encode() == (GOLDEN / "config-training.yaml").read_bytes()
    assert made.dropped == ("note",)


DROPPED: list[tuple[Task, set[str]]] = [
    ("training", {"empty"}),
    ("mining", {"zero", "no", "empty", "nothing", "gpu_count", "openpai_enable", "real_zero"}),
    ("infer", {"zero", "no", "empty", "nothing", "gpu_count", "openpai_enable", "real_zero"}),
]


@pytest.mark.parametrize(("task", "dropped"), DROPPED)
def test_what_the_web_drops(task: Task, dropped: set[str]) -> None:
    form = {
        "zero": 0,
        "real_zero": 0.0,
        "no": False,
        "empty": "",
        "nothing": None,
        "list": [],
        "one": 1,
        "text": "0",
    }
    made = make_configuration(task, form, PlatformValues(task_id="t", class_names=("a",)))
    assert set(made.dropped) == dropped
    assert not dropped & made.values.keys()
    assert {"list", "one", "text"} <= made.values.keys()


def test_a_number_stays_one_and_all_else_becomes_text() -> None:
    form = fill_form(
        {"count": 1, "rate": 0.5, "flag": True, "none": None, "list": [1], "text": "a"},
        {"count": "7", "rate": "1", "flag": "True", "none": "x", "list": "[2]", "new": "3"},
    )
    assert form == {
        "count": 7, "rate": 1, "flag": "True", "none": "x", "list": "[2]", "text": "a", "new": "3"
    }  # fmt: skip
    assert fill_form({"rate": 1}, {"rate": "1e-3"}) == {"rate": 0.001}


@pytest.mark.parametrize(
    ("edits", "what"),
    [
        ({"count": "many"}, "no number"),
        ({"count": "1" * 21}, "21 digits"),
        ({"count": "inf"}, "no number"),
        ({"text": "x" * 101}, "101 characters"),
        ({"k" * 51: "x"}, "51 characters"),
        ({"gpu_count": "2"}, "does not show"),
    ],
)
def test_limits_of_the_form(edits: dict[str, str], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        fill_form({"count": 1, "text": "a", "gpu_count": 1}, edits)


def test_platform_keys() -> None:
    values = make_configuration("training", {}, PlatformValues(task_id="t", class_names=("a",))).values
    assert (values["gpu_id"], values["gpu_count"]) == ("", 0)
    assert "pretrained_model_params" not in values
    two = make_configuration("training", {}, PlatformValues(task_id="t", class_names=("a",), gpus=2)).values
    assert two["gpu_id"] == "0,1"
    mining = make_configuration(
        "mining", {}, PlatformValues(task_id="t", class_names=("a",), run_mining=True, object_type=None)
    ).values
    assert (mining["run_mining"], mining["run_infer"], mining["model_params_path"]) == (True, False, [])
    assert "object_type" not in mining
    # what a template says of a start model is not heard
    old = make_configuration(
        "training", {"pretrained_model_params": ["/x"]}, PlatformValues(task_id="t", class_names=("a",))
    )
    assert "pretrained_model_params" not in old.values


@pytest.mark.parametrize(
    ("values", "form"),
    [({}, "voc:raw"), ({"export_format": ""}, "voc:raw"), ({"export_format": "ark:raw"}, "ark:raw")],
)
def test_export_format(values: dict[str, Any], form: str) -> None:
    assert export_format_of(values) == form

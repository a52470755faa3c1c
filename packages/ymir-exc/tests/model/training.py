"""result.yaml as the platform judges it (§3.2)."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import yaml

FRACTIONS = ("mAP", "mAR", "mIoU", "mAcc", "maskAP", "boxAP")
COUNTS = ("tp", "fp", "fn")


class Refused(Exception):
    """160011, with what was wrong."""


class Package(NamedTuple):
    """What the platform packs: stage → members, the best stage, its metrics."""

    members: dict[str, list[str]]
    best: str
    metrics: dict[str, float]
    attachments: dict[str, list[str]]
    evaluate_config: dict[str, float]


def read(models_dir: str, name: str = "result.yaml") -> Package:
    try:
        with open(os.path.join(models_dir, name), encoding="utf-8") as file:
            document = yaml.safe_load(file)
    except (OSError, yaml.YAMLError) as error:
        raise Refused(str(error)) from error
    if not document:
        raise Refused("empty")
    if "model" in document:
        return _old(document, models_dir)
    stages = document.get("model_stages")
    if not stages:
        raise Refused("no stages")
    best = document.get("best_stage_name")
    if best not in stages:
        raise Refused("no best stage")
    attachments = _attachments(document, models_dir)
    config = document.get("evaluate_config", {})
    try:
        evaluate_config = {key: float(value) for key, value in config.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise Refused("evaluate_config") from error
    metrics = {key: _metrics(stage) for key, stage in stages.items()}
    members = {key: _files(key, stage, models_dir) for key, stage in stages.items()}
    return Package(members, best, metrics[best], attachments, evaluate_config)


def _old(document: dict[str, Any], models_dir: str) -> Package:
    if "map" not in document:
        raise Refused("no map")
    stage = {
        "files": document["model"],
        "mAP": document["map"],
        "timestamp": 0,
        "stage_name": "default_best_stage",
    }
    name = "default_best_stage"
    return Package({name: _files(name, stage, models_dir)}, name, _metrics(stage), {}, {})


def _metrics(stage: dict[str, Any]) -> dict[str, float]:
    try:
        int(stage["timestamp"])
        str(stage["stage_name"])
        found = {key: float(stage.get(key, 0)) for key in FRACTIONS}
        counts = {key: int(stage.get(key, 0)) for key in COUNTS}
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"stage: {error!r}") from error
    if not all(0 <= each <= 1 for each in found.values()):
        raise Refused(f"metrics {found}")
    if not all(each >= 0 for each in counts.values()):
        raise Refused(f"counts {counts}")
    return {**found, **counts}


def _files(name: str, stage: dict[str, Any], models_dir: str) -> list[str]:
    members = []
    for each in stage["files"]:
        if os.path.isabs(each):
            raise Refused(f"{each}: taken, and packs a file of the host")
        if not any(
            os.path.isfile(os.path.join(folder, each))
            for folder in (os.path.join(models_dir, name), models_dir)
        ):
            raise Refused(f"{each} is absent")
        members.append(f"{name}/{each}")
    return members


def _attachments(document: dict[str, Any], models_dir: str) -> dict[str, list[str]]:
    found = document.get("attachments", {})
    if found is None:
        raise Refused("attachments: null")
    for section, names in found.items():
        for name in names:
            if not os.path.isfile(os.path.join(models_dir, "attachments", section, name)):
                raise Refused(f"attachment {name} is absent")
    return dict(found)

"""A task as the platform lays it out, in a folder of the test's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, settings

from ymir_exc import settings as paths

# The same as the repository's own tests have: how long an example takes says something about the machine.
settings.register_profile("ymir-exc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ymir-exc")

SOURCES = Path(__file__).parents[1] / "src"


class Task:
    """The folders of a task, and the files in them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inside = root / "in"
        self.out = root / "out"
        self.models = self.out / "models"
        for folder in (self.inside / "assets", self.inside / "annotations", self.inside / "models"):
            folder.mkdir(parents=True)
        self.models.mkdir(parents=True)
        (self.out / "tensorboard").mkdir()

    def document(self, **changes: Any) -> dict[str, Any]:
        """env.yaml of a training task; ``None`` takes a key away."""
        document: dict[str, Any] = {
            "task_id": "t0000001000002ebb7f11653630774",
            "protocol_version": "1.1.0",
            "manifest_file": str(self.root / "img-man/manifest.yaml"),
            "run_training": True,
            "run_mining": False,
            "run_infer": False,
            "input": {
                "root_dir": str(self.inside),
                "assets_dir": str(self.inside / "assets"),
                "annotations_dir": str(self.inside / "annotations"),
                "models_dir": str(self.inside / "models"),
                "training_index_file": str(self.inside / "train-index.tsv"),
                "val_index_file": str(self.inside / "val-index.tsv"),
                "candidate_index_file": "",
                "config_file": str(self.inside / "config.yaml"),
            },
            "output": {
                "root_dir": str(self.out),
                "models_dir": str(self.models),
                "tensorboard_dir": str(self.out / "tensorboard"),
                "training_result_file": str(self.models / "result.yaml"),
                "mining_result_file": str(self.out / "result.tsv"),
                "infer_result_file": str(self.out / "infer-result.json"),
                "monitor_file": str(self.out / "monitor.txt"),
                "executor_log_file": str(self.out / "ymir-executor-out.log"),
            },
        }
        document.update(changes)
        return {key: value for key, value in document.items() if value is not None}

    def write_env(self, **changes: Any) -> None:
        (self.inside / "env.yaml").write_text(yaml.safe_dump(self.document(**changes)), encoding="utf-8")

    def mining(self, *, mining: bool = True, infer: bool = False, **changes: Any) -> None:
        """env.yaml of a mining or infer task."""
        inputs = dict(self.document()["input"], training_index_file="", val_index_file="")
        inputs["candidate_index_file"] = str(self.inside / "candidate-index.tsv")
        self.write_env(run_training=False, run_mining=mining, run_infer=infer, input=inputs, **changes)

    def write_config(self, **values: Any) -> None:
        (self.inside / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    def weights(self, *names: str) -> list[str]:
        """Files below /out/models."""
        for name in names:
            path = self.models / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"weights of {name}", encoding="utf-8")
        return list(names)

    @property
    def monitor(self) -> bytes:
        return (self.out / "monitor.txt").read_bytes()

    @property
    def result(self) -> dict[str, Any]:
        return yaml.safe_load((self.models / "result.yaml").read_text(encoding="utf-8"))

    def variables(self) -> dict[str, str]:
        """The environment of a program that runs this task."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join([str(SOURCES), *(path for path in sys.path if path)]),
            "DEFAULT_ENV_FILE_PATH": str(self.inside / "env.yaml"),
            "DEFAULT_CONFIG_FILE_PATH": str(self.inside / "config.yaml"),
        }


@pytest.fixture
def task(tmp_path, monkeypatch):
    made = Task(tmp_path)
    made.write_env()
    made.write_config(class_names=["cat", "dog"], export_format="ark:raw")
    monkeypatch.setattr(paths, "DEFAULT_ENV_FILE_PATH", str(made.inside / "env.yaml"))
    monkeypatch.setattr(paths, "DEFAULT_CONFIG_FILE_PATH", str(made.inside / "config.yaml"))
    monkeypatch.setattr(paths, "PARAMETERS_FILE_PATH", str(tmp_path / "img-man/parameters.json"))
    for name in (
        "YMIR_VERSION",
        "RANK",
        "WITH_BLANK_AREA",
        "PREPROCESS_WEIGHT",
        "TASK_WEIGHT",
        "POSTPROCESS_WEIGHT",
    ):
        monkeypatch.delenv(name, raising=False)
    return made

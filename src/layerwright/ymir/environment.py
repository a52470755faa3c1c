"""/in/env.yaml (§2.2) and the numbers of task ids."""

import re
from typing import Any, Final

import yaml

from layerwright.core.errors import UsageError

__all__ = ["PROTOCOLS", "env_yaml", "environment", "make_task_id", "takes_boxes"]

PROTOCOLS: Final = ("1.1.0", "1.0.0", "0.0.0")
"""Versions of the protocol that platforms announce (§0.1); 0.0.0 stands for the absent key of 1.1 and earlier."""

_VERSION = re.compile(r"\d+(\.\d+)*")


def environment(
    task_id: str,
    *,
    training: bool = False,
    mining: bool = False,
    infer: bool = False,
    protocol: str = PROTOCOLS[0],
) -> dict[str, Any]:
    """The document of env.yaml; every value is literal.

    Args:
        task_id: opaque text without white space.
        training: whether this is to run.
        mining: likewise.
        infer: likewise; it may go together with mining.
        protocol: the platform's; 0.0.0 leaves the key out, as old platforms do.
    """
    parts = version_parts(protocol)
    document: dict[str, Any] = {
        "task_id": task_id,
        "run_training": training,
        "run_mining": mining,
        "run_infer": infer,
        "input": {
            "root_dir": "/in",
            "assets_dir": "/in/assets",
            "annotations_dir": "/in/annotations",
            "models_dir": "/in/models",
            "training_index_file": "/in/train-index.tsv" if training else "",
            "val_index_file": "/in/val-index.tsv" if training else "",
            "candidate_index_file": "" if training else "/in/candidate-index.tsv",
            "config_file": "/in/config.yaml",
        },
        "output": {
            "root_dir": "/out",
            "models_dir": "/out/models",
            "tensorboard_dir": "/out/tensorboard",
            "training_result_file": "/out/models/result.yaml",
            "mining_result_file": "/out/result.tsv",
            "infer_result_file": "/out/infer-result.json",
            "monitor_file": "/out/monitor.txt",
        },
    }
    if parts > (0, 0, 0):
        document["protocol_version"] = protocol
        document["output"]["executor_log_file"] = "/out/ymir-executor-out.log"
    if parts >= (1, 1, 0):
        document["manifest_file"] = "/img-man/manifest.yaml"
    return document


def env_yaml(document: dict[str, Any]) -> str:
    """As the platform writes it: sorted keys, block style."""
    return yaml.safe_dump(document, sort_keys=True, default_flow_style=False, allow_unicode=True)


def version_parts(text: str) -> tuple[int, ...]:
    """The numbers of a version, to compare.

    Raises:
        UsageError: it is none.
    """
    if not _VERSION.fullmatch(text):
        raise UsageError(
            f"{text!r} is no protocol version", hint=f"platforms announce {', '.join(PROTOCOLS)}"
        )
    return tuple(int(part) for part in text.split("."))


def takes_boxes(protocol: str) -> bool:
    """Whether infer results name their boxes ``boxes``; before 1.0.0 it is ``annotations`` (§3.3)."""
    return version_parts(protocol) >= (1, 0, 0)


_USER, _REPOSITORY = 1, 2


def make_task_id(now: float, salt: str) -> str:
    """A task id of 30 characters in the platform's form (§2.2): user 1, repository 2.

    Args:
        now: seconds of the Unix clock.
        salt: 6 hexadecimal digits.
    """
    return f"t000{_USER:04d}{_REPOSITORY:06d}{salt}{int(now):010d}"

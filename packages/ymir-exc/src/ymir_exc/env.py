"""What the task is: /in/env.yaml (§2.2, §5.2)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar, Mapping

from ymir_exc import _files, settings
from ymir_exc._model import Field, Model, ValidationError, boolean, text

__all__ = [
    "DatasetType",
    "EnvConfig",
    "EnvInputConfig",
    "EnvOutputConfig",
    "get_current_env",
    "get_executor_config",
    "get_manifest_object_type",
]

_DETECTION = 2


class DatasetType(IntEnum):
    """The sets of images a task may have."""

    UNKNOWN = 1
    TRAINING = 2
    VALIDATION = 3
    CANDIDATE = 4


def _path(default: str) -> Field:
    return Field(text, lambda: default)


class EnvInputConfig(Model):
    """Where the input is, as paths inside of the container."""

    root_dir: str
    assets_dir: str
    annotations_dir: str
    models_dir: str
    training_index_file: str
    val_index_file: str
    candidate_index_file: str
    config_file: str

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "root_dir": _path("/in"),
        "assets_dir": _path("/in/assets"),
        "annotations_dir": _path("/in/annotations"),
        "models_dir": _path("/in/models"),
        "training_index_file": _path(""),
        "val_index_file": _path(""),
        "candidate_index_file": _path(""),
        "config_file": Field(text, lambda: settings.DEFAULT_CONFIG_FILE_PATH),
    }


class EnvOutputConfig(Model):
    """Where results are to be written, as paths inside of the container."""

    root_dir: str
    models_dir: str
    tensorboard_dir: str
    training_result_file: str
    mining_result_file: str
    infer_result_file: str
    monitor_file: str
    executor_log_file: str

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "root_dir": _path("/out"),
        "models_dir": _path("/out/models"),
        "tensorboard_dir": _path("/out/tensorboard"),
        "training_result_file": _path("/out/models/result.yaml"),
        "mining_result_file": _path("/out/result.tsv"),
        "infer_result_file": _path("/out/infer-result.json"),
        "monitor_file": _path("/out/monitor.txt"),
        "executor_log_file": _path("/out/ymir-executor-out.log"),
    }


class EnvConfig(Model):
    """The whole of env.yaml; what it does not say has the platform's usual values."""

    task_id: str
    protocol_version: str
    manifest_file: str
    run_training: bool
    run_mining: bool
    run_infer: bool
    input: EnvInputConfig
    output: EnvOutputConfig

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "task_id": _path("default-task"),
        "protocol_version": _path("0.0.1"),
        "manifest_file": _path("/img-man/manifest.yaml"),
        "run_training": Field(boolean, lambda: False),
        "run_mining": Field(boolean, lambda: False),
        "run_infer": Field(boolean, lambda: False),
        "input": Field(EnvInputConfig.parse_obj, EnvInputConfig),
        "output": Field(EnvOutputConfig.parse_obj, EnvOutputConfig),
    }


def get_current_env() -> EnvConfig:
    """The task at hand; a record of the caller's own, so that changing it changes nothing else.

    The file is looked at on each call, and parsed only when it changed.

    Raises:
        FileNotFoundError: there is no env.yaml.
        ValidationError: it is empty or does not fit; a ValueError.

    """
    path = settings.DEFAULT_ENV_FILE_PATH
    try:
        document = _files.read_yaml(path)
    except FileNotFoundError as error:
        msg = "YMIR's description of the task; outside of a task set DEFAULT_ENV_FILE_PATH to a file of your own"
        raise FileNotFoundError(error.errno, f"{error.strerror} ({msg})", path) from None
    try:
        return EnvConfig.parse_obj(document)
    except ValidationError as error:
        msg = f"{path}: {error}"
        raise ValidationError(msg) from None


def get_executor_config() -> dict[str, Any]:
    """The hyper-parameters of the task: the file that ``input.config_file`` names (§2.3).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something other than a mapping.

    """
    import copy  # noqa: PLC0415 - start-up

    path = get_current_env().input.config_file
    document = _files.read_yaml(path)
    if document is None:
        return {}
    if not isinstance(document, dict):
        msg = f"{path} holds a {type(document).__name__}, and a mapping of hyper-parameters is wanted"
        raise ValueError(msg)  # noqa: TRY004 - the file is at fault, not a call
    return copy.deepcopy(document)


def get_manifest_object_type() -> int:
    """The task's object type (§0.3): of config.yaml (platform 2.4 and newer), else of the image's manifest, else 2.

    Raises:
        ValueError: the manifest names several and config.yaml none, or it is no number.

    """
    told = get_executor_config().get("object_type")
    if told is None:
        path = get_current_env().manifest_file
        try:
            document = _files.read_yaml(path)
        except FileNotFoundError:
            return _DETECTION
        told = document.get("object_type", _DETECTION) if isinstance(document, dict) else _DETECTION
        if isinstance(told, list) and len(told) == 1:
            told = told[0]
        if isinstance(told, list):
            msg = f"{path} names the object types {told}, and config.yaml does not say which one this task is for"
            raise ValueError(msg)
    try:
        return int(told)
    except (TypeError, ValueError):
        msg = f"object_type is {told!r}, and a number is wanted (2 detection, 3 semantic, 4 instance segmentation)"
        raise ValueError(msg) from None

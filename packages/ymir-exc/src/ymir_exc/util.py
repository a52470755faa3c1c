"""What executors use most: the merged configuration, stages of progress, weights, results (§5.7)."""

from __future__ import annotations

import math
import os
import warnings
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from ymir_exc import _files, _saved_files, _shapes, env, monitor
from ymir_exc._plain import number
from ymir_exc.monitor import YmirTask

if TYPE_CHECKING:
    from easydict import EasyDict

__all__ = [
    "YmirStage",
    "YmirStageWeight",
    "YmirTask",
    "convert_ymir_to_coco",
    "filter_saved_files",
    "find_free_port",
    "format_saved_files",
    "get_bool",
    "get_merged_config",
    "get_weight_files",
    "get_ymir_process",
    "write_ymir_monitor_process",
    "write_ymir_training_result",
]

_TRUE = ("t", "true", "1")
_FALSE = ("f", "false", "0")
_WEIGHTS = (("PREPROCESS_WEIGHT", 0.00001), ("TASK_WEIGHT", 0.99998), ("POSTPROCESS_WEIGHT", 0.00001))

filter_saved_files = _saved_files.filter_saved_files
format_saved_files = _saved_files.format_saved_files


class YmirStage(IntEnum):
    """The stages of a task."""

    PREPROCESS = 1
    TASK = 2
    POSTPROCESS = 3


class YmirStageWeight:
    """How much of a task's progress each of its three stages is.

    Args:
        weights: of pre-process, task and post-process, with the sum 1. When not given, the environment variables
            PREPROCESS_WEIGHT, TASK_WEIGHT and POSTPROCESS_WEIGHT, else 0.00001, 0.99998, 0.00001.

    Raises:
        AssertionError: the sum is not 1, or there are not three.

    """

    def __init__(self, weights: Sequence[float] | None = None) -> None:
        told = list(weights) if weights is not None and len(weights) else _default_weights()
        self.weights: list[float] = [float(number(each, "a stage's weight")) for each in told]
        if not math.isclose(sum(self.weights), 1.0, rel_tol=1e-5):
            msg = (
                f"the weights of the stages, {self.weights}, add up to {sum(self.weights):g}, and 1 is wanted"
            )
            raise AssertionError(msg)
        if len(self.weights) != len(YmirStage):
            msg = f"there are {len(self.weights)} weights, and one for each of three stages is wanted"
            raise AssertionError(msg)

    def get_stage_process(self, stage: Any, p: float) -> float:
        """Progress of the task when one stage is at ``p``, a fraction from 0 to 1.

        Raises:
            NotImplementedError: there is no such stage.

        """
        index = _stage_of(stage) - 1
        return sum(self.weights[:index]) + self.weights[index] * float(number(p, "p"))


def find_free_port() -> int:
    """A TCP port that is free on this machine at this moment."""
    import socket  # noqa: PLC0415 - start-up

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("", 0))
        return int(place.getsockname()[1])


def get_ymir_process(
    stage: Any,
    p: float,
    task_idx: int = 0,
    task_num: int = 1,
    weights: Sequence[float] | None = None,
) -> float:
    """Progress of a container with several tasks; old, ``write_ymir_monitor_process`` does it and writes it.

    Raises:
        ValueError: ``p`` is not from 0 to 1.

    """
    warnings.warn("get_ymir_process is old; use write_ymir_monitor_process", DeprecationWarning, stacklevel=2)
    share = _fraction(p, "p")
    return (task_idx + YmirStageWeight(weights).get_stage_process(stage, share)) / task_num


def write_ymir_monitor_process(
    cfg: Any,
    task: Any,
    naive_stage_percent: float,
    stage: Any,
    stage_weights: YmirStageWeight | Sequence[float] | None = None,
    task_order: str = "tmi",
) -> None:
    """Report progress: one stage of one task is at ``naive_stage_percent``.

    Args:
        cfg: what ``get_merged_config`` gave.
        task: a YmirTask, or ``training``, ``mining``, ``infer``.
        naive_stage_percent: from 0 to 1.
        stage: a YmirStage, or ``preprocess``, ``task``, ``postprocess``.
        stage_weights: how much each stage is.
        task_order: which of mining and infer comes first, when both are asked for: ``tmi`` or ``tim``.

    Raises:
        ValueError: the percent is not from 0 to 1.
        AssertionError: the task or the order is unknown.

    """
    share = _fraction(naive_stage_percent, "naive_stage_percent")
    weights = stage_weights if isinstance(stage_weights, YmirStageWeight) else YmirStageWeight(stage_weights)
    percent = min(weights.get_stage_process(stage, share), 1.0)
    monitor.write_monitor_logger_for_multiple_tasks(cfg, task=task, percent=percent, order=task_order)


def get_merged_config() -> EasyDict:
    """All that a task is made of: ``.param``, its hyper-parameters, and ``.ymir``, its env.yaml.

    For live code (``git_url``), the file ``code_config`` gives defaults for hyper-parameters.

    Raises:
        FileNotFoundError: env.yaml, config.yaml or the file of ``code_config`` is not there.
        ValueError: one of them holds something else.

    """
    from easydict import EasyDict  # noqa: PLC0415 - start-up

    values = env.get_executor_config()
    code_config = values.get("code_config")
    if values.get("git_url") and code_config:
        values = {**_code_values(str(code_config)), **values}
    merged = EasyDict()
    merged.param = EasyDict({str(key): value for key, value in values.items()})
    merged.ymir = env.get_current_env()
    return merged


def get_weight_files(cfg: Any, suffix: str | Sequence[str] = (".pt", ".pth")) -> list[str]:
    """The weights the task starts from, as paths: those that exist and whose names end with a suffix.

    Args:
        cfg: what ``get_merged_config`` gave.
        suffix: one ending or several.

    Raises:
        AttributeError: mining or infer without ``model_params_path``.

    """
    training = cfg.ymir.run_training
    names = (cfg.param.get("pretrained_model_params") or []) if training else cfg.param.model_params_path
    ends = suffix if isinstance(suffix, str) else tuple(suffix)
    paths = [os.path.join(cfg.ymir.input.models_dir, name) for name in _shapes.names_of(names)]
    return [path for path in paths if path.endswith(ends) and os.path.isfile(path)]


def get_bool(cfg: Any, key: str, default_value: bool = True) -> bool:
    """A hyper-parameter that is true or false; the platform's form makes text of it.

    Text is f, false, 0, t, true or 1 in any case; 0 and 1 are taken too.

    Args:
        cfg: what ``get_merged_config`` gave.
        key: its name in ``cfg.param``.
        default_value: what it is when the platform left it out, as it does with every false.

    Raises:
        ValueError: it is something else.

    """
    value = cfg.param.get(key, default_value)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    msg = f"{key} is {value!r}, and true or false is wanted (or t, f, 1, 0)"
    raise ValueError(msg)


def write_ymir_training_result(
    cfg: Any,
    files: Any,
    id: Any = None,  # noqa: A002 - the contract's name
    map50: Any = None,
    evaluation_result: Mapping[str, Any] | None = None,
    evaluate_config: Mapping[str, float] | None = None,
    attachments: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write the result of training so far; call it after each saved weight.

    Files elsewhere and in sub-folders are copied into the models' folder. With no files at all, everything that lies
    there is taken. SDK 1.0's order (cfg, map50, files, id) is understood.

    Args:
        cfg: what ``get_merged_config`` gave.
        files: weights and whatever else belongs to the model; all of the folder when empty.
        id: the name of the stage; a number n becomes ``stage_n``.
        map50: for executors of SDK 1.x, in place of evaluation_result.
        evaluation_result: metrics, see ``result_writer.write_model_stage``.
        evaluate_config: how it was measured.
        attachments: section → names of files.

    Raises:
        ValueError: see ``result_writer.write_model_stage``.

    """
    from ymir_exc import result_writer  # noqa: PLC0415 - start-up

    if _shapes.is_number(files):
        files, id, map50 = id, map50, files  # noqa: A001
    if id is None:
        msg = "write_ymir_training_result() needs id, the name of the stage, such as 'epoch_10' or 'best'"
        raise TypeError(msg)
    names = format_saved_files(cfg, filter_saved_files(cfg, files))
    if not names:
        warnings.warn(f"no file is left for the stage {id}, and nothing is written", stacklevel=2)
        return
    name = str(id)
    if name.isdigit():
        warnings.warn(f"the stage {name} is called stage_{name}: a name may not be a number", stacklevel=2)
        name = f"stage_{name}"
    if result_writer.wants_old_form():
        result_writer.write_old_result(name, names, map50)
        return
    metrics = dict(evaluation_result or {})
    if not metrics and map50 is not None:
        metrics = {"mAP": map50}
    if not metrics:
        msg = f"the stage {name} has no metric; give evaluation_result={{'mAP': …}} or map50"
        raise ValueError(msg)
    result_writer.write_model_stage(
        stage_name=name,
        files=names,
        evaluation_result=metrics,
        attachments=attachments,
        evaluate_config=evaluate_config,
    )


def convert_ymir_to_coco(cat_id_from_zero: bool = False) -> dict[str, dict[str, str]]:
    """The data set as COCO files; its place in SDK 1.x, see ``dataset_convert.convert_ymir_to_coco``."""
    from ymir_exc.dataset_convert import ymir2coco  # noqa: PLC0415 - start-up

    return ymir2coco.convert_ymir_to_coco(cat_id_from_zero=cat_id_from_zero)


def _default_weights() -> list[float]:
    weights = []
    for name, default in _WEIGHTS:
        told = os.environ.get(name)
        weights.append(float(number(told, name)) if told else default)
    return weights


def _stage_of(stage: Any) -> YmirStage:
    try:
        return YmirStage[stage.upper()] if isinstance(stage, str) else YmirStage(stage)
    except (KeyError, ValueError):
        names = ", ".join(each.name.lower() for each in YmirStage)
        msg = f"there is no stage {stage!r}; stages are {names}"
        raise NotImplementedError(msg) from None


def _fraction(value: Any, what: str) -> float:
    share = float(number(value, what))
    if 0 <= share <= 1:
        return share
    msg = f"{what} is {share}, and a fraction from 0 to 1 is wanted"
    raise ValueError(msg)


def _code_values(path: str) -> dict[str, Any]:
    """The hyper-parameters that live code brings."""
    try:
        document = _files.read_yaml(path)
    except FileNotFoundError as error:
        msg = f"{error.strerror} (the hyper-parameter code_config names it)"
        raise FileNotFoundError(error.errno, msg, path) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        msg = f"{path} (code_config) holds a {type(document).__name__}, and a mapping of hyper-parameters is wanted"
        raise ValueError(msg)  # noqa: TRY004 - the file is at fault, not a call
    return dict(document)

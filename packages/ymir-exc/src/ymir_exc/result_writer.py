"""Results: result.yaml of training, result.tsv of mining, infer-result.json (§3.2 to §3.4, §5.6)."""

from __future__ import annotations

import math
import os
import time
import warnings
from typing import Any, ClassVar, Iterable, Mapping, Sequence

from ymir_exc import _files, _infer, _shapes, _stages, env
from ymir_exc._formats import at_least
from ymir_exc._model import Field, Model, integer, real, text
from ymir_exc._plain import number, plain

__all__ = [
    "Annotation",
    "Box",
    "multiple_model_stages_supportable",
    "write_infer_result",
    "write_mining_result",
    "write_model_stage",
    "write_training_result",
]

DEFAULT_STAGE = "default_best_stage"
"""The stage of results that name none."""

_RESERVED = ("model", "map", "mAP", "model_stages", "best_stage_name", "class_aps")


class Box(Model):
    """A box in pixels: left, top, width, height; fractions are cut off toward zero."""

    x: int
    y: int
    w: int
    h: int

    FIELDS: ClassVar[Mapping[str, Field]] = {name: Field(integer) for name in ("x", "y", "w", "h")}


class Annotation(Model):
    """A detected object."""

    class_name: str
    score: float
    box: Box

    FIELDS: ClassVar[Mapping[str, Field]] = {
        "class_name": Field(text),
        "score": Field(real),
        "box": Field(Box.parse_obj),
    }


def multiple_model_stages_supportable() -> bool:
    """Whether the platform says that it knows several stages of a model: protocol 1.0.0 and newer.

    Older platforms say nothing; images for them set YMIR_VERSION (1.1.0 when it is not set), and 1.2.0 knows stages.
    """
    if at_least(env.get_current_env().protocol_version, (1, 0, 0)):
        return True
    told = os.environ.get("YMIR_VERSION") or "1.1.0"
    answer = at_least(told, (1, 2, 0))
    if answer is None:
        warnings.warn(f"YMIR_VERSION is {told!r}, which is no version; taken for an old one", stacklevel=2)
    return bool(answer)


def wants_old_form() -> bool:
    """Whether result.yaml is to be written as platform 1.1 reads it.

    Only where that is said: by a protocol version before 1.0.0 in env.yaml, or by YMIR_VERSION before 1.2.0. Where
    neither is there, stages are written (§5.9).
    """
    if multiple_model_stages_supportable():
        return False
    told = "protocol_version" in env.get_current_env().__fields_set__
    return told or bool(os.environ.get("YMIR_VERSION"))


def write_model_stage(
    stage_name: str,
    files: Sequence[str],
    evaluation_result: Mapping[str, Any] | float | None = None,
    mAP: float | None = None,  # noqa: N803 - the contract's name
    timestamp: float | None = None,
    attachments: Mapping[str, Sequence[str]] | None = None,
    evaluate_config: Mapping[str, float] | None = None,
) -> None:
    """Add a stage (a set of weights with its metrics) to result.yaml, or replace the stage of that name.

    Nothing is written unless everything is right, and then the file is replaced as a whole: call it after each
    evaluation, and what was reached stays even if the executor is killed.

    SDK 1.x has mAP in the third place, the platform's SDK 2.0.1 the timestamp in the fourth; both are understood.

    Args:
        stage_name: an identifier; ``-`` becomes ``_``.
        files: names relative to ``/out/models/STAGE`` or ``/out/models``.
        evaluation_result: metrics from 0 to 1 (``maskAP``, ``mIoU``, ``mAP``, ``mAR``, ``mAcc``, ``boxAP``), counts
            (``tp``, ``fp``, ``fn``) and whatever else; numbers of any library.
        mAP: for executors of SDK 1.x, in place of evaluation_result.
        timestamp: unix seconds; now when it is not given.
        attachments: section → names of files in ``/out/models/attachments/SECTION``.
        evaluate_config: how it was measured, such as ``iou_thr`` and ``conf_thr``.

    Raises:
        ValueError: the name is no identifier, there are no files or no metric to compare stages by, a metric is above
            1, or a file is outside of the models' folder.

    """
    call = _shapes.stage_call(evaluation_result, mAP, timestamp, attachments, evaluate_config)
    metrics = dict(call.evaluation_result)
    if not metrics and call.mAP is not None:
        warnings.warn("mAP= is of SDK 1.x; give evaluation_result={'mAP': …}", stacklevel=2)
        metrics = {"mAP": call.mAP}
    _write_stage(stage_name, files, metrics, call)


def write_training_result(*args: Any, **kwargs: Any) -> None:
    """Write the result of training, in whichever way the executor's SDK has it.

    * ``(stage_name, files, evaluation_result, timestamp, attachments, evaluate_config)``, SDK 2.1: a stage;
    * ``(model_names, mAP, **more)``, SDKs 1.1.1 and 2.0.0, and ``(model_names, mAP, classAPs, **more)``, SDK 1.1.0 and
      the platform's 2.0.1: the stage ``default_best_stage``; what else is given stands beside it.

    They are told apart by the first argument: the name of a stage is text, names of files are a list.

    Raises:
        TypeError: the arguments are of neither form.
        ValueError: as for ``write_model_stage``.

    """
    if "model_names" in kwargs or (args and not isinstance(args[0], str)):
        _write_named_files(*args, **kwargs)
        return
    _write_named_stage(*args, **kwargs)


def write_mining_result(mining_result: Iterable[tuple[str, float]]) -> None:
    """Write the images with their scores, highest first; the platform takes as many from the top as it wants (§3.4).

    Images with equal scores keep their order. A score that is not a number comes last.

    Args:
        mining_result: (path, score) pairs; scores of any library.

    Raises:
        ValueError: a path would break the line, or a score is no number.

    """
    pairs = mining_result.items() if isinstance(mining_result, Mapping) else mining_result
    rows = [_mining_row(pair) for pair in pairs]
    rows.sort(key=lambda row: (0, -row[2]) if not math.isnan(row[2]) else (1, 0.0))
    strange = sum(math.isnan(row[2]) for row in rows)
    if strange:
        warnings.warn(f"{strange} scores are not a number; those images come last", stacklevel=2)
    if len({row[0] for row in rows}) < len(rows):
        warnings.warn(
            "an image has several scores, and takes a place in the selection for each", stacklevel=2
        )
    _files.write_text(
        env.get_current_env().output.mining_result_file,
        "".join(f"{path}\t{score}\n" for path, score, _ in rows),
    )


def write_infer_result(infer_result: Mapping[str, Any], algorithm: str = "detection") -> None:
    """Write what was found in the images (§3.3).

    Args:
        infer_result: for ``detection`` path of an image → list of Annotation (or of mappings like it); for
            ``segmentation`` a COCO document with ``images``, ``categories`` and ``annotations``.
        algorithm: ``detection`` or ``segmentation``.

    Raises:
        NotImplementedError: the algorithm is ``classification``, which no platform has.
        AssertionError: there is no such algorithm.
        ValidationError: an annotation does not fit; a ValueError.

    """
    import json  # noqa: PLC0415 - start-up

    if algorithm == "detection":
        key = "boxes" if at_least(env.get_current_env().protocol_version, (1, 0, 0)) else "annotations"
        document = _infer.detection_document(infer_result, key, Annotation.parse_obj)
    elif algorithm == "segmentation":
        document = _infer.coco_document(infer_result)
    elif algorithm == "classification":
        msg = "results of classification have no form yet; the platform reads detection and segmentation"
        raise NotImplementedError(msg)
    else:
        msg = f"there is no algorithm {algorithm!r}; give 'detection' or 'segmentation'"
        raise AssertionError(msg)
    _files.write_text(env.get_current_env().output.infer_result_file, json.dumps(document))


def write_old_result(name: str, files: Sequence[str], map50: Any) -> None:
    """Write result.yaml as ``util.write_ymir_training_result`` does for platform 1.1: these files, the best map so far.

    Raises:
        ValueError: there is no map50.

    """
    if not map50:
        msg = f"the stage {name} has no map50, which platforms without stages need"
        raise ValueError(msg)
    share = float(_stages.clean_metrics({"mAP": map50}).get("mAP", 0.0))
    path = env.get_current_env().output.training_result_file
    document = _stages.old_document(
        {**_known_document(path), "model": []}, files, {"mAP": share}, int(time.time())
    )
    document[name] = share
    _write_document(path, {key: value for key, value in document.items() if key != "mAP"})


def _write_document(path: str, document: Mapping[str, Any]) -> None:
    import yaml  # noqa: PLC0415 - start-up

    _files.write_text(path, yaml.safe_dump(dict(document), default_flow_style=False, sort_keys=True))


def _write_named_stage(
    stage_name: str,
    files: Sequence[str],
    evaluation_result: Any = None,
    timestamp: Any = None,
    attachments: Any = None,
    evaluate_config: Any = None,
    **more: Any,
) -> None:
    if _shapes.is_number(evaluation_result):
        evaluation_result = {"mAP": evaluation_result}
    if not evaluation_result and more.get("mAP") is not None:
        evaluation_result = {"mAP": more.pop("mAP")}
    if more:
        msg = f"write_training_result() with the name of a stage does not take {', '.join(more)}"
        raise TypeError(msg)
    call = _shapes.StageCall(evaluation_result or {}, None, timestamp, attachments, evaluate_config)
    _write_stage(stage_name, files, dict(call.evaluation_result), call)


def _write_named_files(
    model_names: Sequence[str],
    mAP: Any,  # noqa: N803 - the contract's name
    classAPs: Any = None,  # noqa: N803
    **more: Any,
) -> None:
    call = _shapes.StageCall(
        {},
        mAP,
        more.pop("timestamp", None),
        more.pop("attachments", None),
        more.pop("evaluate_config", None),
    )
    metrics = {"mAP": mAP, **dict(more.pop("evaluation_result", None) or {})}
    stage_name = str(more.pop("stage_name", DEFAULT_STAGE))
    beside = {key: plain(value, key) for key, value in more.items() if key not in _RESERVED}
    if classAPs is not None:
        beside["class_aps"] = plain(classAPs, "classAPs")
    _write_stage(stage_name, model_names, metrics, call, beside)


def _write_stage(
    stage_name: str,
    files: Any,
    metrics: dict[str, Any],
    call: _shapes.StageCall,
    beside: Mapping[str, Any] | None = None,
) -> None:
    """Check everything, then replace the file."""
    output = env.get_current_env().output
    names = _shapes.names_of(files)
    if not names:
        msg = f"the stage {str(stage_name)!r} has no files; give the names of its weights"
        raise ValueError(msg)
    names = [_relative(name, output.models_dir) for name in names]
    name = _stages.stage_name_of(stage_name)
    top_metric = _stages.top_metric_of(metrics)
    values = _stages.clean_metrics(metrics)
    moment = int(time.time() if call.timestamp is None else number(call.timestamp, "timestamp"))
    document = _known_document(output.training_result_file)
    document.update(beside or {})
    attachments: dict[str, list[str]] = {}
    if wants_old_form():
        document = _stages.old_document(document, names, values, moment)
        document["stage_name"] = name
    else:
        entry = {"stage_name": name, "files": names, "timestamp": moment, **values}
        document = _stages.add_stage(document, top_metric, entry)
        if call.attachments:
            found = _shapes.mapping(call.attachments, "attachments")
            attachments = {str(section): _shapes.names_of(each) for section, each in found.items()}
            document["attachments"] = attachments
        if call.evaluate_config:
            config = _shapes.mapping(call.evaluate_config, "evaluate_config")
            document["evaluate_config"] = _stages.clean_evaluate_config(config)
    _write_document(output.training_result_file, document)
    _warn_of_absent(name, names, attachments, output.models_dir)


def _known_document(path: str) -> dict[str, Any]:
    """What result.yaml holds so far; nothing, with a warning, where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            document = _files.parse_yaml(file.read(), path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        warnings.warn(f"stages so far are lost, and the file is begun anew: {error}", stacklevel=4)
        return {}
    if isinstance(document, dict):
        return dict(document)
    warnings.warn(f"{path} holds no result and is begun anew", stacklevel=4)
    return {}


def _relative(name: str, models_dir: str) -> str:
    """A name as the platform wants it: relative to the models' folder."""
    if not os.path.isabs(name) and os.pardir not in name.split(os.sep):
        return name
    name = os.path.join(models_dir, name)
    for folder, path in ((models_dir, name), (os.path.realpath(models_dir), os.path.realpath(name))):
        relative = os.path.relpath(path, folder)
        if relative.split(os.sep)[0] != os.pardir:
            return relative
    msg = (
        f"{name} is outside of {models_dir}, and the platform would take the file of that path on its own machine; "
        "copy it there first, or use util.write_ymir_training_result, which does"
    )
    raise ValueError(msg)


def _warn_of_absent(
    stage: str, names: Iterable[str], attachments: Mapping[str, Iterable[str]], models_dir: str
) -> None:
    """Say which files the platform will look for in vain; they may still come."""
    absent = [
        name
        for name in names
        if not any(os.path.isfile(os.path.join(models_dir, *part, name)) for part in ((stage,), ()))
    ]
    absent += [
        f"attachments/{section}/{name}"
        for section, each in attachments.items()
        for name in each
        if not os.path.isfile(os.path.join(models_dir, "attachments", section, name))
    ]
    if absent:
        warnings.warn(
            f"files of the stage {stage} that are not in {models_dir}: {', '.join(absent)}; the platform refuses a "
            "result without them (160011)",
            stacklevel=4,
        )


def _mining_row(pair: Any) -> tuple[str, Any, float]:
    """An image's path, its score as it is to be written, and as it is to be sorted."""
    path, score = pair
    name = str(os.fspath(path))
    if not name or any(each in name for each in "\t\r\n"):
        msg = f"the path {name!r} would break the line of result.tsv"
        raise ValueError(msg)
    value = number(score, f"the score of {name}")
    return name, score if isinstance(score, str) else value, float(value)

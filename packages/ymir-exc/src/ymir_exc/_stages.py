"""The document of result.yaml: stages, the best of them, and the old form (§3.2, §5.6). No file is touched here."""

from __future__ import annotations

import math
import warnings
from typing import Any, Iterable, Mapping

from ymir_exc._plain import number, plain

__all__ = ["MOST_STAGES", "add_stage", "clean_metrics", "old_document", "stage_name_of", "top_metric_of"]

TOP_METRICS = ("maskAP", "mIoU", "mAP")
"""What the best stage is chosen by: the first of these that there is."""

FRACTIONS = ("mAP", "mAR", "mIoU", "mAcc", "maskAP", "boxAP")
COUNTS = ("tp", "fp", "fn")
MOST_STAGES = 11

_ROUNDING = 1e-6
_OWN_KEYS = ("stage_name", "files", "timestamp")
_STACK = 5


def stage_name_of(name: Any) -> str:
    """The name of a stage: ``-`` becomes ``_``, and the rest must be an identifier of Python.

    Raises:
        ValueError: it is empty or no identifier.

    """
    text = str(name or "").replace("-", "_")
    if not text:
        msg = "the name of the stage is empty; name it after what it is, such as 'epoch_10' or 'best'"
        raise ValueError(msg)
    if not text.isidentifier():
        msg = (
            f"the stage is called {str(name)!r}, and letters, digits and _ are wanted, with no digit first; "
            f"'stage_{name}' would do"
        )
        raise ValueError(msg)
    return text


def clean_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics as Python's numbers, within what the platform takes.

    A metric that is not a number or negative is left out with a warning, and counts as 0: one such value would have the
    platform refuse the whole result (160011), and metrics are like that when there was nothing to measure.

    Raises:
        ValueError: a fraction is above 1, as a percentage is; the platform refuses the whole result.

    """
    found = {}
    for key, value in metrics.items():
        if key in _OWN_KEYS:
            continue
        if key in FRACTIONS:
            fraction = _fraction(key, value)
            if fraction is not None:
                found[key] = fraction
        elif key in COUNTS:
            count = float(number(value, key))
            if math.isfinite(count) and count >= 0:
                found[key] = int(count)
            else:
                _left_out(key, value)
        else:
            found[str(key)] = plain(value, str(key))
    return found


def top_metric_of(metrics: Mapping[str, Any]) -> str:
    """The metric that stages are compared by.

    Raises:
        ValueError: there is none.

    """
    for name in TOP_METRICS:
        if name in metrics:
            return name
    msg = (
        f"evaluation_result has {', '.join(map(str, metrics)) or 'nothing'}, and one of {', '.join(TOP_METRICS)} is "
        "wanted to tell which stage is best"
    )
    raise ValueError(msg)


def add_stage(document: Mapping[str, Any], top_metric: str, stage: Mapping[str, Any]) -> dict[str, Any]:
    """The document with one more stage, or with a stage in place of the one of its name.

    The best stage has the highest top metric, and the latest time among equals; one without that metric counts as 0,
    so that stages may have different metrics. The oldest goes when there are more than 11, but never the best.

    Args:
        document: what result.yaml held; its old form (``model``) is dropped, since the platform would read that alone.
        top_metric: what stages are compared by.
        stage: the entry, with ``stage_name``, ``files``, ``timestamp`` and metrics.

    """
    result = {key: value for key, value in document.items() if key not in ("model", "map", *TOP_METRICS)}
    known = result.get("model_stages")
    entries = known.items() if isinstance(known, Mapping) else ()
    stages = {name: dict(entry) for name, entry in entries if _is_entry(entry)}
    for key in ("attachments", "evaluate_config"):
        if not isinstance(result.get(key, {}), Mapping):
            del result[key]
    stages.pop(stage["stage_name"], None)
    stages[stage["stage_name"]] = dict(stage)

    def order(name: str) -> tuple[float, float]:
        return _known_number(stages[name], top_metric), _known_number(stages[name], "timestamp")

    best = max(stages, key=order)
    ages = sorted(
        (name for name in stages if name != best), key=lambda name: _known_number(stages[name], "timestamp")
    )
    for name in ages[: max(0, len(stages) - MOST_STAGES)]:
        del stages[name]
    top = _known_number(stages[best], top_metric)
    result.update(model_stages=stages, best_stage_name=best)
    result[top_metric] = top
    if top_metric == "mAP":
        result["map"] = (
            top  # what readers of the SDKs 1.x look for; the platform knows the old form by `model` alone
        )
    return result


def old_document(
    document: Mapping[str, Any], files: Iterable[str], metrics: Mapping[str, Any], timestamp: int
) -> dict[str, Any]:
    """The document that platform 1.1 reads: all files, and the best ``map`` so far."""
    result = {key: value for key, value in document.items() if key not in ("model_stages", "best_stage_name")}
    known = result.get("model")
    before = [str(each) for each in known] if isinstance(known, (list, tuple)) else []
    result.update(metrics)
    result["model"] = list(dict.fromkeys([*before, *files]))
    result["timestamp"] = timestamp
    top = next((metrics[name] for name in TOP_METRICS if name in metrics), 0.0)
    result["map"] = max(_known_number(document, "map"), float(top))
    return result


def clean_evaluate_config(config: Mapping[str, Any]) -> dict[str, float]:
    """How metrics were measured, as numbers; what is none is left out with a warning, since the platform refuses it."""
    found = {str(key): _number_or_none(value) for key, value in config.items()}
    for key, value in found.items():
        if value is None:
            _left_out(f"evaluate_config.{key}", config.get(key))
    return {key: value for key, value in found.items() if value is not None}


def _number_or_none(value: Any) -> float | None:
    try:
        return float(number(value, ""))
    except (TypeError, ValueError):
        return None


def _is_entry(entry: Any) -> bool:
    """Whether a stage that stood in the file is one; another would have the platform refuse all."""
    return isinstance(entry, Mapping) and isinstance(entry.get("files"), list) and "timestamp" in entry


def _fraction(key: str, value: Any) -> float | None:
    fraction = float(number(value, key))
    if 1 < fraction <= 1 + _ROUNDING:
        return 1.0
    if -_ROUNDING <= fraction < 0:
        return 0.0
    if fraction > 1:
        msg = (
            f"{key} is {fraction:g}, and the platform takes 0 to 1 alone (160011); divide a percentage by 100"
        )
        raise ValueError(msg)
    if math.isnan(fraction) or fraction < 0:
        _left_out(key, fraction)
        return None
    return fraction


def _known_number(values: Mapping[str, Any], key: str) -> float:
    """A number of a document that others may have written; 0 where there is none."""
    try:
        found = float(values.get(key) or 0)
    except (TypeError, ValueError, AttributeError):
        return 0.0
    return 0.0 if math.isnan(found) else found


def _left_out(key: str, value: Any) -> None:
    warnings.warn(
        f"{key} is {value!r}, which the platform would refuse together with the whole result (160011); it is left out",
        stacklevel=_STACK,
    )

"""Calls of the SDKs' several versions told apart (§0.2, §5.9)."""

from __future__ import annotations

import os
from typing import Any, Mapping, NamedTuple

from ymir_exc._plain import number

__all__ = ["StageCall", "is_number", "mapping", "names_of", "stage_call"]

# A moment after the first eleven days of 1970 in seconds; no metric that is a fraction reaches it.
_EARLIEST_TIME = 1e6


class StageCall(NamedTuple):
    """What a call of ``write_model_stage`` means."""

    evaluation_result: Mapping[str, Any]
    mAP: Any  # noqa: N815 - the contract's name
    timestamp: Any
    attachments: Any
    evaluate_config: Any


def is_number(value: Any) -> bool:
    """Whether a value is one number, of whatever library, and no text or collection."""
    if value is None or isinstance(value, (str, bytes, Mapping, list, tuple, set)):
        return False
    try:
        number(value, "")
    except (TypeError, ValueError):
        return False
    return True


def stage_call(
    evaluation_result: Any,
    mAP: Any,  # noqa: N803 - the contract's name
    timestamp: Any,
    attachments: Any,
    evaluate_config: Any,
) -> StageCall:
    """The arguments after stage and files, given by their places or by name, in the order of SDK 2.1.

    * SDK 2.1: evaluation_result, mAP, timestamp, attachments, evaluate_config;
    * the platform's SDK 2.0.1 has no mAP, so that its timestamp comes in mAP's place;
    * SDKs 1.x and 2.0.0: mAP, timestamp, attachments: everything comes one place early.

    Raises:
        TypeError: evaluation_result is neither a mapping nor a number.

    """
    if evaluation_result is None:
        evaluation_result = {}
    if is_number(evaluation_result):
        early = (mAP, timestamp, attachments)
        mean, evaluation_result = evaluation_result, {}
        if mAP is not None:
            timestamp, attachments, evaluate_config = early
        return StageCall(evaluation_result, mean, timestamp, attachments, evaluate_config)
    if not isinstance(evaluation_result, Mapping):
        msg = (
            f"evaluation_result is a {type(evaluation_result).__name__}, and a mapping of metrics such as "
            "{'mAP': 0.5} is wanted"
        )
        raise TypeError(msg)
    if is_number(mAP) and number(mAP, "mAP") >= _EARLIEST_TIME:
        early = (mAP, timestamp, attachments)
        mAP, (timestamp, attachments, evaluate_config) = None, early  # noqa: N806
    return StageCall(evaluation_result, mAP, timestamp, attachments, evaluate_config)


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """The value, which is a mapping.

    Raises:
        TypeError: it is none.

    """
    if isinstance(value, Mapping):
        return value
    msg = f"{what} is {value!r}, and a mapping is wanted"
    raise TypeError(msg)


def names_of(files: Any) -> list[str]:
    """Names of files from a list of texts or paths, or from one alone.

    Raises:
        TypeError: it is something else.

    """
    if isinstance(files, (str, os.PathLike)):
        files = [files]
    try:
        return [str(os.fspath(each)) for each in files if each]
    except TypeError:
        msg = f"files is {files!r}, and a list of file names is wanted"
        raise TypeError(msg) from None

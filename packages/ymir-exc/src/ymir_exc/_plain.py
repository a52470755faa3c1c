"""Numbers of any library as Python's own, and whole documents made of them; no library is imported for it."""

from __future__ import annotations

import os
from typing import Any, Mapping

__all__ = ["number", "plain"]


def number(value: Any, what: str) -> float:
    """An int or a float, from a number of Python, numpy, torch or another library, or from numeric text.

    Args:
        value: the number; a tensor or array must hold one element.
        what: what it is, for the message.

    Raises:
        TypeError: it is no number.
        ValueError: it is text that is no number, or it has several elements.

    """
    if isinstance(value, (int, float)):
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, (str, bytes)):
        try:
            return float(value)
        except ValueError:
            msg = f"{what} is {value!r}, which is not a number"
            raise ValueError(msg) from None
    item = getattr(value, "item", None)
    if callable(item):
        try:
            return number(item(), what)
        except (ValueError, RuntimeError) as error:  # numpy's and torch's answer to several elements
            msg = (
                f"{what} has several elements, and one number is wanted; take its mean() or the one you mean"
            )
            raise ValueError(msg) from error
    for kind in (float, int):
        if hasattr(value, f"__{kind.__name__}__"):
            return kind(value)
    msg = f"{what} is a {type(value).__name__}, and a number is wanted"
    raise TypeError(msg)


def plain(value: Any, what: str) -> Any:
    """A value of mappings, lists, texts, numbers and nothing else, that YAML and JSON can hold.

    Arrays and tensors become lists, sets are sorted, bytes become text (pycocotools gives run lengths as bytes), paths
    become text.

    Raises:
        TypeError: something in it has no plain form; the message says where.

    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {_key(key, what): plain(each, f"{what}.{key}") for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each, f"{what}[{index}]") for index, each in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(each, what) for each in value)
    return _plain_leaf(value, what)


def _plain_leaf(value: Any, what: str) -> Any:
    if isinstance(value, (str, bytes, os.PathLike)):
        return value.decode("ascii") if isinstance(value, bytes) else str(os.fspath(value))
    if isinstance(value, (int, float)):  # an enumeration, a class of numbers of another library
        return float(value) if isinstance(value, float) else int(value)
    for method in ("tolist", "dict"):  # arrays, their scalars and tensors; records
        convert = getattr(value, method, None)
        if callable(convert):
            return plain(convert(), what)
    if hasattr(value, "__float__"):
        return float(value)
    msg = f"{what} is a {type(value).__module__}.{type(value).__name__}, which no result file can hold"
    raise TypeError(msg)


def _key(key: Any, what: str) -> Any:
    if isinstance(key, (str, int)):
        return plain(key, what)
    msg = f"{what} has the key {key!r}; keys are text"
    raise TypeError(msg)

"""The documents of infer-result.json (§3.3). No file is touched here."""

from __future__ import annotations

import math
import os
import warnings
from typing import TYPE_CHECKING, Any, Callable, Mapping

from ymir_exc._plain import plain

if TYPE_CHECKING:
    from ymir_exc._model import Model

__all__ = ["coco_document", "detection_document"]

_STACK = 3


def detection_document(found: Mapping[str, Any], key: str, parse: Callable[[Any], Model]) -> dict[str, Any]:
    """Base name of an image → its boxes under ``key``.

    Of images with the same base name the last one counts, and boxes whose score is not a number are left out; both
    with a warning.

    Raises:
        ValidationError: an annotation does not fit; a ValueError.

    """
    images: dict[str, Any] = {}
    seen: dict[str, str] = {}
    strange = 0
    for path, objects in found.items():
        name = os.path.basename(os.fspath(path))
        if name in seen:
            warnings.warn(
                f"{seen[name]} and {path} have the same base name, by which the platform knows images; "
                "the detections of the second are kept",
                stacklevel=_STACK,
            )
        seen[name] = str(path)
        boxes = [plain(parse(each).dict(), name) for each in objects]
        images[name] = {key: [each for each in boxes if not math.isnan(each["score"])]}
        strange += len(boxes) - len(images[name][key])
    if strange:
        warnings.warn(f"{strange} boxes whose score is not a number are left out", stacklevel=_STACK)
    return {"detection": images}


def coco_document(found: Mapping[str, Any]) -> dict[str, Any]:
    """A COCO document with plain values, and with base names in ``file_name``.

    What the platform would refuse or lose in it is said as a warning.
    """
    document: dict[str, Any] = plain(found, "the result")
    missing = [key for key in ("images", "categories", "annotations") if key not in document]
    if missing:
        warnings.warn(
            f"the result has no {', '.join(missing)}; the platform refuses it (169999)", stacklevel=_STACK
        )
    images = _mappings(document.get("images"))
    for image in images:
        name = image.get("file_name")
        if isinstance(name, str) and os.path.basename(name) != name:
            image["file_name"] = os.path.basename(name)
    faults = {
        "have the id of another image, and the platform drops their annotations": _repeated(images),
        "have no area, and the platform refuses the whole result (169999)": sum(
            "area" not in each for each in _mappings(document.get("annotations"))
        ),
    }
    for fault, count in faults.items():
        if count:
            warnings.warn(f"{count} entries of the result {fault}", stacklevel=_STACK)
    return document


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _repeated(images: list[dict[str, Any]]) -> int:
    ids = [str(each.get("id")) for each in images]
    return len(ids) - len(set(ids))

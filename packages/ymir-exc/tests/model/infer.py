"""infer-result.json as the platform reads it (§3.3)."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

BOX_FIELDS = {"x", "y", "w", "h", "rotate_angle"}


class Refused(Exception):
    """The task fails; ``code`` is 160011 or 169999."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


class Found(NamedTuple):
    class_name: str
    score: float
    box: tuple[int, int, int, int]


def read_detection(content: bytes) -> tuple[dict[str, list[Found]], int]:
    """Base name → what is kept, and how many boxes were dropped."""
    try:
        document = json.loads(content)
    except ValueError as error:
        raise Refused(169999, "not JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("detection"), dict):
        raise Refused(160011, "no detection")
    kept: dict[str, list[Found]] = {}
    dropped = 0
    for key, entry in document["detection"].items():
        rows = entry.get("boxes", entry.get("annotations", []))
        found = []
        for row in rows:
            if "score" not in row:
                dropped += 1
                continue
            if "box" not in row:
                raise Refused(169999, "no box")
            found.append(Found(row["class_name"], float(row["score"]), _box(row["box"])))
        if found:
            kept[os.path.basename(key)] = found
    return kept, dropped


def _box(box: Any) -> tuple[int, int, int, int]:
    if not isinstance(box, dict) or set(box) - BOX_FIELDS:
        raise Refused(169999, f"box {box!r}")
    values = [box.get(key, 0) for key in ("x", "y", "w", "h")]
    if any(
        isinstance(each, bool) or not isinstance(each, (int, float)) or each != int(each) for each in values
    ):
        raise Refused(169999, f"box {box!r}")
    return tuple(int(each) for each in values)  # type: ignore[return-value]


def read_coco(content: bytes) -> tuple[dict[str, list[dict[str, Any]]], int]:
    """Base name → annotations that are kept, and how many were dropped."""
    try:
        document = json.loads(content)
        images, categories = document["images"], document["categories"]
        annotations = document["annotations"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(169999, repr(error)) from error
    ids = [image["id"] for image in images]
    names = {
        image["id"]: image["file_name"]
        for image in images
        if ids.count(image["id"]) == 1 and os.path.basename(image["file_name"]) == image["file_name"]
    }
    known = {category["id"] for category in categories}
    kept: dict[str, list[dict[str, Any]]] = {}
    dropped = 0
    for each in annotations:
        if "area" not in each:
            raise Refused(169999, "no area")
        _check_segmentation(each)
        box = each.get("bbox")
        good = isinstance(box, list) and len(box) == 4 and box[2] > 0 and box[3] > 0
        if not good or each["image_id"] not in names or each["category_id"] not in known:
            dropped += 1
            continue
        kept.setdefault(names[each["image_id"]], []).append(each)
    return kept, dropped


def _check_segmentation(annotation: dict[str, Any]) -> None:
    if "segmentation" not in annotation:
        return
    value = annotation["segmentation"]
    mask = isinstance(value, dict) and isinstance(value.get("counts"), str) and "size" in value
    one_ring = isinstance(value, list) and len(value) == 1
    if not mask and not one_ring:
        raise Refused(169999, f"segmentation {value!r}")

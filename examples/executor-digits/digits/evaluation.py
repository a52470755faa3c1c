"""Average precision by pycocotools, the COCO API's own implementation."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from ymir_exc.mining import Detections


def encode(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's run-length code, its text readable as JSON."""
    code = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode("ascii")}


def _annotation(
    number: int, image: int, box: np.ndarray, label: int, mask: np.ndarray | None
) -> dict[str, Any]:
    x1, y1, x2, y2 = (float(value) for value in box)
    made: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": int(label),
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1),
        "iscrowd": 0,
    }
    if mask is not None:
        made["segmentation"] = encode(mask)
        made["area"] = float(mask.sum())
    return made


def _summary(truth: COCO, answers: list[dict[str, Any]], kind: str) -> dict[str, float]:
    """COCO's mean average precision over IoU 0.5 to 0.95, at 0.5, and the mean recall at 100 boxes."""
    if not answers:
        return {"ap": 0.0, "ap50": 0.0, "recall": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCOeval(truth, truth.loadRes(answers), kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    # -1 is COCO's word for "no truth to measure against".
    return {
        name: max(0.0, float(judge.stats[place])) for name, place in (("ap", 0), ("ap50", 1), ("recall", 8))
    }


def evaluate(
    boxes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    found: Sequence[Detections],
    classes: int,
    masks: Sequence[np.ndarray] | None = None,
    found_masks: Sequence[np.ndarray] | None = None,
) -> dict[str, float]:
    """``ap``, ``ap50``, ``recall`` of boxes, and ``mask_ap``, ``mask_ap50`` when there are masks: all 0 to 1."""
    sizes = [(0, 0)] * len(found) if masks is None else [each.shape[1:] for each in masks]
    truth: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for image, each in enumerate(found):
        for index, box in enumerate(boxes[image]):
            mask = None if masks is None else masks[image][index]
            truth.append(_annotation(len(truth) + 1, image, box, labels[image][index], mask))
        best = each.probabilities.argmax(1) if len(each) else []
        for index, box in enumerate(each.boxes):
            mask = None if found_masks is None else found_masks[image][index]
            answer = _annotation(len(answers) + 1, image, box, best[index], mask)
            answers.append({**answer, "score": float(each.scores[index])})
    if not truth:  # COCO's judge wants something to measure against
        nothing = {"ap": 0.0, "ap50": 0.0, "recall": 0.0}
        return nothing if masks is None else {**nothing, **{f"mask_{name}": 0.0 for name in nothing}}
    document = COCO()
    document.dataset = {
        "info": {},
        "images": [{"id": image, "height": high, "width": wide} for image, (high, wide) in enumerate(sizes)],
        "annotations": truth,
        "categories": [{"id": index, "name": str(index)} for index in range(classes)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        document.createIndex()
    result = _summary(document, answers, "bbox")
    if masks is not None and found_masks is not None:
        result.update({f"mask_{name}": value for name, value in _summary(document, answers, "segm").items()})
    return result

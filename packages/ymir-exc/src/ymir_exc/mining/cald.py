"""CALD: how little the detections of an image change when the image is changed.

Source: Yu, Zhu, Yang, Chen: Consistency-based Active Learning for Object Detection, CVPR Workshops 2022,
arXiv 2103.10374, section 3.2 (the individual consistency). The paper's second step, which chooses among the
best by the classes of the labelled pool, needs that pool and is not done here: YMIR hands none to mining.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Sequence

import numpy as np

from ymir_exc.mining import geometry
from ymir_exc.mining.uncertainty import distribution

if TYPE_CHECKING:
    from ymir_exc.mining.detector import Detections, Detector

__all__ = ["BASE", "CHANGES", "ORDERS", "cald", "consistency", "js_divergence"]

BASE = 1.3
"""The paper's base point beta: detections whose consistency is near it teach most."""

ORDERS = ("paper", "old")

CHANGES = ("flip", "cut-out", "rotate", "resize")
"""What is done to an image; each gives one answer of the detector to compare."""


def js_divergence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence of rows of distributions, in nats: 0 (equal) to ln 2 (nothing in common)."""
    middle = (first + second) / 2

    def kl(p: np.ndarray) -> np.ndarray:
        ratio = np.where(p > 0, p, 1.0) / np.where(p > 0, middle, 1.0)
        return np.asarray((p * np.log(ratio)).sum(axis=-1))

    return np.asarray(np.clip((kl(first) + kl(second)) / 2, 0.0, np.log(2.0)))


def consistency(
    original: Detections,
    mapped: np.ndarray,
    augmented: Detections,
    base: float = BASE,
    pairs: bool = False,
) -> np.ndarray:
    """``|m_k - beta|`` of each detection k of the original image against one changed image; 0 and up.

    ``m_k = IoU_k + (s_k + s'_j) / 2 * (1 - JS(p_k, p'_j))``, where j is the detection of the changed image
    that overlaps the mapped box k most, s are the scores, p the distributions over classes and background, and
    JS the divergence in nats. A box that nothing overlaps has m_k = 0, so beta.

    Args:
        original: detections of the original image.
        mapped: their boxes in the coordinates of the changed image.
        augmented: detections of the changed image.
        base: beta.
        pairs: take (s, 1 - s) for the distributions, as older executors do, which ignores the class.
    """
    if not len(original):
        return np.zeros(0)
    if not len(augmented):
        return np.full(len(original), base)
    overlaps = geometry.iou(mapped, augmented.boxes)
    match = overlaps.argmax(axis=1)
    overlap = overlaps[np.arange(len(original)), match]
    first, second = original.scores, augmented.scores[match]
    if pairs:
        divergence = js_divergence(np.stack([first, 1 - first], 1), np.stack([second, 1 - second], 1))
    else:
        divergence = js_divergence(
            distribution(original.probabilities), distribution(augmented.probabilities[match])
        )
    m = overlap + (first + second) / 2 * (1 - divergence)
    return np.abs(np.where(overlap > 0, m, 0.0) - base)


def _of_augmentation(values: np.ndarray, running: bool) -> float:
    """The smallest of the detections' values, or the older executors' sum of running minima."""
    if running:
        return float(np.minimum.accumulate(np.minimum(values, 2.0)).sum())
    return float(values.min())


def cald(
    detector: Detector,
    images: Sequence[np.ndarray],
    seed: int = 0,
    base: float = BASE,
    order: str = "paper",
    running_minimum: bool = False,
    changes: Sequence[str] = CHANGES,
    without: str = "first",
    seeds: Sequence[int] | None = None,
    detections: Sequence[Detections] | None = None,
) -> np.ndarray:
    """One score for each image; higher is to be labelled sooner.

    ``M = mean over changes of (min over k of |m_k - beta|)`` (:func:`consistency`); the changes are a
    horizontal flip, a cut-out of at most two boxes (10 to 40 % of a box, filled with 0), a rotation by 5
    degrees, and a resize to 0.8. No unit; 0 <= M <= max(beta, 2 - beta).

    The paper labels images of low M first, and those without detections before all: the score is -M, and
    +beta without detections. In a pool with many empty pictures that spends the budget on them; then
    ``without="last"`` is wiser. ``order="old"`` gives the order of the earlier YMIR executors, which wrote
    M itself (and -beta without detections) to a file that is sorted descending: the reverse.

    Args:
        detector: gives boxes, scores and class probabilities.
        images: the images, in one size or several.
        seed: of the cut-outs; the place of an image in the list counts, too.
        base: beta; the paper uses 1.3.
        order: ``paper`` or ``old``.
        running_minimum: add the running minimum for every detection, on (score, 1 - score) pairs, as the
            earlier executors do, where the paper takes one minimum. Grows with the number of boxes.
        changes: names of ``CHANGES``. Leave out ``flip`` where a mirrored object is another thing, such as
            text.
        seeds: of the cut-outs, one for each image, in place of ``seed``; then the place does not count.
        without: where images without detections stand in the paper's order, ``first`` or ``last``.
        detections: those of ``images``, when they are known already.

    Raises:
        ValueError: another order, another place, no change or one that is not known.
    """
    if order not in ORDERS:
        raise ValueError(f"no order {order!r}; there are {' and '.join(ORDERS)}")
    if without not in ("first", "last"):
        raise ValueError(f"images without detections stand 'first' or 'last', not {without!r}")
    unknown = [name for name in changes if name not in CHANGES]
    if unknown or not changes:
        said = repr(unknown[0]) if unknown else "at all"
        raise ValueError(f"no change {said}; there are {', '.join(CHANGES)}")
    images = list(images)
    drawn = [[seed, index] for index in range(len(images))] if seeds is None else [[each] for each in seeds]
    found: list[Detections] = list(detector.detect(images) if detections is None else detections)
    functions: dict[str, Callable[[np.ndarray, np.ndarray, list[int]], geometry.Augmented]] = {
        "flip": lambda image, boxes, _: geometry.flip(image, boxes),
        "cut-out": lambda image, boxes, seed: geometry.cut_out(image, boxes, np.random.default_rng(seed)),
        "rotate": lambda image, boxes, _: geometry.rotate(image, boxes),
        "resize": lambda image, boxes, _: geometry.resize(image, boxes),
    }
    seen = [index for index, each in enumerate(found) if len(each)]
    totals = np.zeros(len(images))
    for name in changes:
        changed = [functions[name](images[index], found[index].boxes, drawn[index]) for index in seen]
        again = detector.detect([each.image for each in changed]) if changed else []
        for index, each, answer in zip(seen, changed, again):
            if not len(answer):
                totals[index] += base
                continue
            values = consistency(found[index], each.boxes, answer, base, pairs=running_minimum)
            totals[index] += _of_augmentation(values, running_minimum)
    metric = np.full(len(images), -base)
    metric[seen] = totals[seen] / len(changes)
    if order == "old":
        return metric
    scores = -metric
    if without == "last":
        scores[[index for index, each in enumerate(found) if not len(each)]] = -max(base, 2.0) * 2
    return scores

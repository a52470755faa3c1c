"""Core-set: images that lie far, in the detector's features, from all that is labelled or chosen.

Source: Sener, Savarese: Active Learning for Convolutional Neural Networks: A Core-Set Approach, ICLR 2018,
arXiv 1708.00489, algorithm 1 (k-center greedy).
"""

from __future__ import annotations

import numpy as np

__all__ = ["core_set"]


def _distances(features: np.ndarray, squares: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Euclidean distances of all features to one."""
    return np.asarray(np.sqrt(np.clip(squares - 2 * features @ center + center @ center, 0.0, None)))


def core_set(
    features: np.ndarray, labelled: np.ndarray | None = None, limit: int | None = None
) -> np.ndarray:
    """One score for each image, a Euclidean distance in feature space; higher is to be labelled sooner.

    Greedy: pick the image whose distance to the nearest picked or labelled one is largest, again and again;
    its score is that distance at the moment of its choice, which never grows from pick to pick. With nothing
    labelled the first pick is the image farthest from the mean of all, and its score that distance, or the
    next pick's when that is larger. Ties go to the earlier image.

    Args:
        features: images x length.
        labelled: features of images that have labels already.
        limit: how many are picked greedily; the rest get their distance to the nearest pick. All when absent;
            the work is limit x images x length.
    """
    features = np.asarray(features, dtype=float)
    count = len(features)
    if count == 0:
        return np.zeros(0)
    features = features.reshape(count, -1)
    squares = (features**2).sum(axis=1)
    scores = np.zeros(count)
    left = np.ones(count, dtype=bool)
    nearest = np.full(count, np.inf)
    for center in np.asarray([] if labelled is None else labelled, dtype=float).reshape(
        -1, features.shape[1]
    ):
        nearest = np.minimum(nearest, _distances(features, squares, center))
    first = None
    if np.isinf(nearest[0]):
        spread = _distances(features, squares, features.mean(axis=0))
        first = int(spread.argmax())
        scores[first], left[first] = spread[first], False
        nearest = _distances(features, squares, features[first])
    wanted = count if limit is None else min(limit, count)
    while left.any() and count - left.sum() < wanted:
        pick = int(np.where(left, nearest, -1.0).argmax())
        scores[pick], left[pick] = nearest[pick], False
        nearest = np.minimum(nearest, _distances(features, squares, features[pick]))
    scores[left] = nearest[left]
    if first is not None:
        scores[first] = scores.max()
    return scores

"""Uncertainty sampling: how unsure the detector is of the classes of what it found.

Each function gives one value per detection; :func:`reduce` makes one of them per image. Which reduction is
right depends on the question: ``sum`` prefers crowded images, ``mean`` does not, ``max`` looks at the worst box
(Brust, Kaeding, Denzler: Active Learning for Deep Object Detection, VISAPP 2019, arXiv 1809.09875, section 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

import numpy as np

if TYPE_CHECKING:
    from ymir_exc.mining.detector import Detections

__all__ = ["REDUCTIONS", "binary_entropy", "distribution", "entropy", "least_confidence", "margin", "reduce"]

REDUCTIONS = ("sum", "mean", "max")


def distribution(probabilities: np.ndarray) -> np.ndarray:
    """Rows of class probabilities as distributions over the classes and the background.

    The last column is the background: what the classes leave of 1, at least 0. Rows whose classes add up to
    more than 1 (independent sigmoids) are divided by their sum.
    """
    rows = np.clip(np.asarray(probabilities, dtype=float), 0.0, 1.0)
    total = rows.sum(axis=-1, keepdims=True)
    rows = rows / np.maximum(total, 1.0)
    return np.concatenate([rows, np.clip(1.0 - total, 0.0, 1.0)], axis=-1)


def _plogp(p: np.ndarray) -> np.ndarray:
    """``p ln p`` with its limit 0 at p = 0."""
    return p * np.log(np.where(p > 0, p, 1.0))


def binary_entropy(p: np.ndarray) -> np.ndarray:
    """``H(p) = -p ln p - (1 - p) ln(1 - p)``, in nats: 0 for p of 0 and 1, ln 2 at one half."""
    p = np.clip(np.asarray(p, dtype=float), 0.0, 1.0)
    return np.asarray(-_plogp(p) - _plogp(1.0 - p))


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """``-sum over c of p_c ln p_c`` of each row, in nats, from 0 (sure) to ln(classes + 1).

    The background counts as a class (:func:`distribution`).
    Source: Shannon 1948; for pictures Joshi, Porikli, Papanikolopoulos: Multi-class active learning for image
    classification, CVPR 2009.
    """
    return np.asarray(-_plogp(distribution(probabilities)).sum(axis=-1))


def least_confidence(probabilities: np.ndarray) -> np.ndarray:
    """``1 - max over c of p_c`` of each row, a probability: 0 (sure) to 1 - 1 / (classes + 1).

    Source: Lewis, Gale: A sequential algorithm for training text classifiers, SIGIR 1994; the form for many
    classes is Culotta, McCallum, AAAI 2005.
    """
    return np.asarray(1.0 - distribution(probabilities).max(axis=-1))


def margin(probabilities: np.ndarray) -> np.ndarray:
    """``1 - (p_1 - p_2)`` of each row, p_1 and p_2 its two largest values: 0 (sure) to 1 (a tie).

    Source: Scheffer, Decomain, Wrobel: Active hidden Markov models for information extraction, IDA 2001; for
    pictures "best versus second best", Joshi et al., CVPR 2009.
    """
    two = np.sort(distribution(probabilities), axis=-1)[..., -2:]
    return np.asarray(1.0 - (two[..., 1] - two[..., 0]))


def reduce(values: Sequence[np.ndarray], how: str = "sum", empty: float = 0.0) -> np.ndarray:
    """One value per image from the values of its detections.

    Args:
        values: for each image, the values of its detections.
        how: ``sum``, ``mean`` or ``max``.
        empty: the value of an image without detections.

    Raises:
        ValueError: another reduction.
    """
    if how not in REDUCTIONS:
        raise ValueError(f"no reduction {how!r}; there are {', '.join(REDUCTIONS)}")
    count = np.array([len(each) for each in values], dtype=int)
    result = np.full(len(count), float(empty))
    some = count > 0
    if some.any():
        joined = np.concatenate([np.asarray(each, dtype=float).reshape(-1) for each in values])
        # reduceat wants the starts of non-empty runs, and those of the others would repeat their neighbour's.
        starts = (np.cumsum(count) - count)[some]
        operation = np.maximum if how == "max" else np.add
        reduced = operation.reduceat(joined, starts)
        result[some] = reduced / count[some] if how == "mean" else reduced
    return result


def of_images(measure: str, detections: Sequence[Detections], how: str, empty: float) -> np.ndarray:
    """A measure by its name (``entropy``, ``least-confidence``, ``margin``), reduced to one value per image."""
    function = {"entropy": entropy, "least-confidence": least_confidence, "margin": margin}[measure]
    return reduce([function(each.probabilities) for each in detections], how, empty)

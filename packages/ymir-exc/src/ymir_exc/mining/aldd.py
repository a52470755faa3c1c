"""ALDD: how much the detector disagrees with itself from pixel to pixel.

Source: Aghdam, Gonzalez-Garcia, van de Weijer, Lopez: Active Learning for Deep Detection Neural Networks,
ICCV 2019, arXiv 1911.09168, section 3: the divergence of neighbouring predictions, aggregated by the maxima of
regions.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from ymir_exc.mining.uncertainty import binary_entropy

__all__ = ["aldd", "divergence", "mean_filter", "region_maxima", "upsample"]


def upsample(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps (... x rows x columns) at another size, bilinear between the centres of cells."""
    maps = np.asarray(maps, dtype=float)

    def weights(old: int, new: int) -> np.ndarray:
        place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, old - 1)
        matrix = np.zeros((new, old))
        np.add.at(matrix, (np.arange(new), low), 1 - (place - low))
        np.add.at(matrix, (np.arange(new), high), place - low)
        return matrix

    down, across = weights(maps.shape[-2], size[0]), weights(maps.shape[-1], size[1])
    return np.asarray(down @ maps @ across.T)


def mean_filter(maps: np.ndarray, side: int = 9) -> np.ndarray:
    """The mean over a square around each cell; at the border over the part of the square that exists."""
    if side < 1 or side % 2 == 0:
        raise ValueError(f"the side of a mean filter is an odd number of cells, not {side}")
    half = side // 2

    def along(values: np.ndarray, axis: int) -> np.ndarray:
        length = values.shape[axis]
        edges = np.arange(length)
        low, high = np.maximum(edges - half, 0), np.minimum(edges + half + 1, length)
        sums = np.concatenate([np.zeros_like(values.take([0], axis)), values.cumsum(axis=axis)], axis=axis)
        counts = (high - low).reshape(
            [-1 if each == axis % values.ndim else 1 for each in range(values.ndim)]
        )
        return np.asarray((sums.take(high, axis) - sums.take(low, axis)) / counts)

    return along(along(np.asarray(maps, dtype=float), -1), -2)


def divergence(maps: np.ndarray, side: int = 9) -> np.ndarray:
    """``H(mean of p) - mean of H(p)`` over the square around each cell, in nats: 0 (all agree) to ln 2.

    H is the binary entropy; the maps are ... x rows x columns of probabilities.
    """
    maps = np.asarray(maps, dtype=float)
    value = binary_entropy(mean_filter(maps, side)) - mean_filter(binary_entropy(maps), side)
    return np.asarray(np.clip(value, 0.0, None))  # concave: below 0 only by rounding


def region_maxima(maps: np.ndarray, side: int = 32) -> np.ndarray:
    """The mean over regions of ``side`` x ``side`` cells of each region's largest value.

    Regions at the border may be smaller.
    """
    maps = np.asarray(maps, dtype=float)
    starts = [np.arange(0, length, side) for length in maps.shape[-2:]]
    rows = np.maximum.reduceat(maps, starts[0], axis=-2)
    return np.asarray(np.maximum.reduceat(rows, starts[1], axis=-1).mean(axis=(-2, -1)))


def aldd(
    maps: Sequence[Sequence[np.ndarray]],
    sizes: Sequence[tuple[int, int]],
    class_weights: Sequence[float] | None = None,
    side: int = 9,
    region: int = 32,
) -> np.ndarray:
    """One score for each image, in nats; higher is to be labelled sooner.

    ``sum over classes c of w_c * mean over regions of max over the region of (sum over scales of
    H(mean of p) - mean of H(p))``, the maps brought to the image's size first.

    Args:
        maps: for each image, one array (classes x rows x columns) for each output of the detector.
        sizes: height and width of each image in pixels.
        class_weights: w_c; those that are missing are 1 (YMIR: ``class_distribution_scores``).
        side: of the square of neighbours, in pixels.
        region: side of a region, in pixels.
    """
    scores = np.zeros(len(maps))
    for index, (scales, size) in enumerate(zip(maps, sizes)):
        uncertainty = sum(divergence(upsample(each, size), side) for each in scales)
        if isinstance(uncertainty, int):  # no scales
            continue
        values = region_maxima(uncertainty, region)
        weights = np.ones(len(values))
        given = np.asarray([] if class_weights is None else class_weights, dtype=float)[: len(values)]
        weights[: len(given)] = given
        scores[index] = weights @ values
    return scores

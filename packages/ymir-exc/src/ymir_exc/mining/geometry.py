"""Boxes and pictures in numpy: overlaps, and the changes that CALD makes to an image with what they do to boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Augmented", "cut_out", "flip", "iou", "resize", "rotate", "sample"]


@dataclass(frozen=True)
class Augmented:
    """A changed image, and the boxes of the original in its coordinates."""

    image: np.ndarray
    boxes: np.ndarray


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of one list with every box of another: n x m, 0 to 1.

    Boxes are ``x1, y1, x2, y2`` with the second corner outside; a box without area overlaps nothing.
    """
    first = np.asarray(first, dtype=float).reshape(-1, 4)
    second = np.asarray(second, dtype=float).reshape(-1, 4)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0.0, None).prod(axis=-1)
    areas = [np.clip(each[:, 2:] - each[:, :2], 0.0, None).prod(axis=-1) for each in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def sample(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """The values of an image at fractional positions of pixel centres, bilinear; ``fill`` outside of it."""
    height, width = image.shape[:2]
    edge = 0.5  # a pixel reaches half a step to each side of its centre
    inside = (rows >= -edge) & (rows <= height - edge) & (columns >= -edge) & (columns <= width - edge)
    rows = np.clip(rows, 0, height - 1)
    columns = np.clip(columns, 0, width - 1)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = rows - top, columns - left
    if image.ndim > rows.ndim:
        down, across, inside = down[..., None], across[..., None], inside[..., None]
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[bottom, left] * (1 - across) + image[bottom, right] * across
    return np.where(inside, upper * (1 - down) + lower * down, fill)


def _like(values: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Values in the number type of an image; whole numbers are rounded."""
    if np.issubdtype(image.dtype, np.integer):
        limits = np.iinfo(image.dtype)
        return np.asarray(np.clip(np.rint(values), limits.min, limits.max).astype(image.dtype))
    return values.astype(image.dtype)


def flip(image: np.ndarray, boxes: np.ndarray) -> Augmented:
    """Left and right exchanged."""
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
    width = image.shape[1]
    turned = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    return Augmented(np.ascontiguousarray(image[:, ::-1]), turned)


def resize(image: np.ndarray, boxes: np.ndarray, ratio: float = 0.8) -> Augmented:
    """Both sides multiplied by a ratio, bilinear; the boxes follow."""
    height, width = (max(1, round(side * ratio)) for side in image.shape[:2])
    down, across = image.shape[0] / height, image.shape[1] / width
    rows, columns = np.meshgrid(
        (np.arange(height) + 0.5) * down - 0.5, (np.arange(width) + 0.5) * across - 0.5, indexing="ij"
    )
    scale = np.array([1 / across, 1 / down, 1 / across, 1 / down])
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4) * scale
    return Augmented(_like(sample(image, rows, columns), image), boxes)


def rotate(image: np.ndarray, boxes: np.ndarray, degrees: float = 5.0) -> Augmented:
    """Turned around its middle, in a frame of the same size; corners that come from outside are 0.

    A box becomes the smallest upright box around its turned corners, cut at the frame.
    """
    height, width = image.shape[:2]
    middle = np.array([width / 2, height / 2])
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    y, x = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    source = (np.stack([x, y], axis=-1) - middle) @ turn + middle  # the inverse: rows times turn transposed
    turned = _like(sample(image, source[..., 1] - 0.5, source[..., 0] - 0.5), image)
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    corners = (corners - middle) @ turn.T + middle
    low, high = corners.min(axis=1), corners.max(axis=1)
    upright = np.concatenate([low, high], axis=1)
    return Augmented(turned, np.clip(upright, 0, np.array([width, height, width, height])))


def cut_out(
    image: np.ndarray,
    boxes: np.ndarray,
    generator: np.random.Generator,
    count: int = 2,
    overlap: tuple[float, float] = (0.1, 0.4),
) -> Augmented:
    """Up to ``count`` of the boxes, drawn at random, lose a part of their area (``overlap``) to a rectangle of 0."""
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
    changed = image.copy()
    chosen = generator.permutation(len(boxes))[:count]
    for x1, y1, x2, y2 in boxes[chosen]:
        share = generator.uniform(*overlap)
        # The rectangle has the box's form; its place within the box is drawn.
        wide, high = (x2 - x1) * share**0.5, (y2 - y1) * share**0.5
        left = x1 + generator.uniform() * (x2 - x1 - wide)
        top = y1 + generator.uniform() * (y2 - y1 - high)
        rows = slice(max(0, round(top)), max(0, round(top + high)))
        columns = slice(max(0, round(left)), max(0, round(left + wide)))
        changed[rows, columns] = 0
    return Augmented(changed, boxes)

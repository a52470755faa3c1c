"""What the mining algorithms ask of a detector, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Sequence, runtime_checkable

import numpy as np

__all__ = ["Detections", "Detector", "FeatureDetector", "MapDetector"]

Image = np.ndarray
"""Height x width, or height x width x channels; any number type that the detector takes."""


@dataclass(frozen=True)
class Detections:
    """The boxes that a detector found on one image, after suppression.

    Attributes:
        boxes: n x 4 numbers, ``x1, y1, x2, y2`` in pixels of the image, ``x2`` and ``y2`` outside of the box.
        scores: n confidences from 0 to 1.
        probabilities: n x classes, each from 0 to 1. A row that adds up to less than 1 leaves the rest to
            the background; a row that adds up to more (independent sigmoids) is divided by its sum where a
            distribution is needed.
    """

    boxes: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray

    def __post_init__(self) -> None:
        """Take lists as well as arrays, and refuse shapes that do not belong together."""
        boxes = np.asarray(self.boxes, dtype=float).reshape(-1, 4)
        scores = np.asarray(self.scores, dtype=float).reshape(-1)
        probabilities = np.asarray(self.probabilities, dtype=float)
        if probabilities.ndim != boxes.ndim:
            probabilities = probabilities.reshape(len(scores), -1) if len(scores) else np.zeros((0, 1))
        if not len(boxes) == len(scores) == len(probabilities):
            raise ValueError(
                f"{len(boxes)} boxes, {len(scores)} scores and {len(probabilities)} rows of class "
                "probabilities: a detection has one of each"
            )
        for name, values in (("scores", scores), ("probabilities", probabilities)):
            if values.size and not (values.min() >= 0 and values.max() <= 1 + 1e-6):
                raise ValueError(f"{name} must lie between 0 and 1; found {values.min()} to {values.max()}")
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "probabilities", probabilities)

    def __len__(self) -> int:
        """How many boxes there are."""
        return len(self.scores)

    @classmethod
    def none(cls, classes: int = 1) -> Detections:
        """An image on which nothing was found."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros((0, classes)))


@runtime_checkable
class Detector(Protocol):
    """All that most algorithms need."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """The detections of each image, in the order of the images.

        Keep the threshold low (0.05 to 0.1): what the detector is unsure of is what mining looks for.
        """


@runtime_checkable
class FeatureDetector(Protocol):
    """What core-set needs."""

    def features(self, images: Sequence[Image]) -> np.ndarray:
        """One vector for each image (images x length), e.g. the last feature map, averaged over its area."""


@runtime_checkable
class MapDetector(Protocol):
    """What ALDD needs."""

    def probability_maps(self, images: Sequence[Image]) -> list[Sequence[np.ndarray]]:
        """For each image, one array (classes x rows x columns, 0 to 1) per output scale, before suppression."""

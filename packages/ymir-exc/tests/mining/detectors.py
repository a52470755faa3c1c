"""Detectors whose answers can be worked out by hand."""

from __future__ import annotations

import numpy as np

from ymir_exc.mining import Detections


class Bright:
    """Finds the box around all pixels that are not 0; its score and classes are told."""

    def __init__(self, score=0.9, classes=(0.9, 0.0)):
        self.score, self.classes = score, classes
        self.seen = []

    def detect(self, images):
        self.seen.append(len(images))
        return [self._one(image) for image in images]

    def _one(self, image):
        rows, columns = np.nonzero(np.asarray(image) > 0)
        if not len(rows):
            return Detections.none(len(self.classes))
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        return Detections([box], [self.score], [self.classes])


class Told:
    """Answers with what is written on the upper left pixels of an image: the first is the number of the answer."""

    def __init__(self, answers):
        self.answers = answers

    def detect(self, images):
        return [self.answers[int(image[0, 0])] for image in images]

    def features(self, images):
        return np.array([[float(image[0, 0]), 0.0] for image in images])

    def probability_maps(self, images):
        return [[np.full((2, 4, 4), float(image[0, 0]) / 10)] for image in images]


def numbered(number, side=8):
    """An image that names itself."""
    image = np.zeros((side, side), dtype=np.uint8)
    image[0, 0] = number
    return image


def found(*rows):
    """Detections without places, from rows of class probabilities."""
    rows = [list(row) for row in rows]
    return Detections(np.zeros((len(rows), 4)), [max(row) for row in rows], rows)

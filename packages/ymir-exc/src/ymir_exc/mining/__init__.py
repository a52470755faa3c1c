"""Mining: rank images by how much labelling them would teach a detector.

    from ymir_exc import mining

    ranking = mining.mine(paths, load, detector, algorithm="cald")
    mining.write(ranking)

``detector`` is anything with ``detect(images) -> list of Detections``. Needs numpy and nothing else.
"""

from ymir_exc.mining.aldd import aldd
from ymir_exc.mining.cald import cald
from ymir_exc.mining.core_set import core_set
from ymir_exc.mining.detector import Detections, Detector, FeatureDetector, MapDetector
from ymir_exc.mining.ranking import ALGORITHMS, Options, mine, write
from ymir_exc.mining.uncertainty import binary_entropy, entropy, least_confidence, margin, reduce

__all__ = [
    "ALGORITHMS",
    "Detections",
    "Detector",
    "FeatureDetector",
    "MapDetector",
    "Options",
    "aldd",
    "binary_entropy",
    "cald",
    "core_set",
    "entropy",
    "least_confidence",
    "margin",
    "mine",
    "reduce",
    "write",
]

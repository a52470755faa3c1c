"""From a list of image files to YMIR's result.tsv: load, score, sort, write."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Callable, List, Sequence, Tuple

import numpy as np

from ymir_exc.mining.aldd import aldd
from ymir_exc.mining.cald import BASE, CHANGES, cald
from ymir_exc.mining.core_set import core_set
from ymir_exc.mining.detector import Detector, FeatureDetector, MapDetector
from ymir_exc.mining.uncertainty import of_images

__all__ = ["ALGORITHMS", "Options", "mine", "write"]

ALGORITHMS = ("random", "entropy", "least-confidence", "margin", "cald", "aldd", "core-set")
"""The algorithms by name; ``least_confidence`` and ``LEAST-CONFIDENCE`` are taken, too."""

Ranking = List[Tuple[str, float]]


@dataclass(frozen=True)
class Options:
    """What the algorithms can be told.

    Attributes:
        seed: of ``random`` and of CALD's cut-outs.
        reduction: ``sum``, ``mean`` or ``max`` over an image's detections (entropy, least confidence, margin).
        empty: the value of an image without detections there.
        order: CALD's, ``paper`` or ``old`` (:func:`ymir_exc.mining.cald.cald`).
        base: CALD's beta.
        running_minimum: CALD's aggregation as in earlier executors.
        changes: what CALD does to an image.
        without: where CALD puts images without detections, ``first`` (the paper) or ``last``.
        class_weights: ALDD's weights of the classes; those that are missing are 1.
        region: side of ALDD's regions in pixels.
        limit: how many images core-set picks greedily; all when None.
    """

    seed: int = 0
    reduction: str = "sum"
    empty: float = 0.0
    order: str = "paper"
    base: float = BASE
    running_minimum: bool = False
    changes: tuple[str, ...] = CHANGES
    without: str = "first"
    class_weights: tuple[float, ...] = ()
    region: int = 32
    limit: int | None = None


def _known(algorithm: str) -> str:
    """The algorithm's name as it stands in ``ALGORITHMS``."""
    name = str(algorithm).strip().lower().replace("_", "-").replace(" ", "-")
    name = {"coreset": "core-set", "least-confident": "least-confidence"}.get(name, name)
    if name not in ALGORITHMS:
        raise ValueError(f"no mining algorithm {algorithm!r}; there are {', '.join(ALGORITHMS)}")
    return name


def _wanted(detector: Any, protocol: Any, method: str, algorithm: str) -> Any:
    """The detector, when it has the method that an algorithm needs."""
    if not isinstance(detector, protocol):
        raise TypeError(
            f"{algorithm} needs a detector with a method {method!r}, and {type(detector).__name__} has none"
        )
    return detector


def _seed_of(path: str, seed: int) -> int:
    """64 bits drawn by an image's path, so that neither its batch nor its shard matters."""
    text = f"{seed}\0{path}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def _score_batch(
    algorithm: str, detector: Any, images: list[np.ndarray], paths: Sequence[str], options: Options
) -> np.ndarray:
    """The scores of one batch; for core-set the features."""
    if algorithm in ("entropy", "least-confidence", "margin"):
        return of_images(algorithm, detector.detect(images), options.reduction, options.empty)
    if algorithm == "cald":
        return cald(
            detector,
            images,
            seeds=[_seed_of(path, options.seed) for path in paths],
            base=options.base,
            order=options.order,
            running_minimum=options.running_minimum,
            changes=options.changes,
            without=options.without,
        )
    if algorithm == "aldd":
        sizes = [(int(image.shape[0]), int(image.shape[1])) for image in images]
        maps = detector.probability_maps(images)
        return aldd(maps, sizes, options.class_weights, region=options.region)
    features = np.asarray(detector.features(images), dtype=float)
    return features.reshape(len(images), -1)


def mine(
    paths: Sequence[str],
    load: Callable[[str], np.ndarray | None],
    detector: Any,
    algorithm: str = "cald",
    options: Options = Options(),
    batch: int = 16,
    progress: Callable[[float], None] | None = None,
) -> Ranking:
    """All images with their scores, the one to label first at the front.

    Every path is in the result once for each time that it is given. An image that cannot be read
    (``load`` gives None) stands at the end, one below the lowest score. Equal scores keep the given order.
    But for core-set, the score of an image does not depend on the others: shards may be ranked apart and merged.

    Args:
        paths: the candidates, as in YMIR's candidate-index.tsv.
        load: reads one image; None when it is broken.
        detector: a :class:`~ymir_exc.mining.detector.Detector`; for ``aldd`` a ``MapDetector``, for
            ``core-set`` a ``FeatureDetector``, for ``random`` anything.
        algorithm: a name of ``ALGORITHMS``.
        options: see :class:`Options`.
        batch: how many images are in memory at once.
        progress: is told the share that is done, 0 to 1, after each batch.

    Raises:
        ValueError: no such algorithm, reduction or order.
        TypeError: the detector lacks the method that the algorithm needs.
    """
    name = _known(algorithm)
    paths = list(paths)
    scores = np.full(len(paths), np.nan)
    if name == "random":
        scores = np.array([_seed_of(path, options.seed) / 2.0**64 for path in paths])
        if progress is not None:
            progress(1.0)
    else:
        need = {"aldd": (MapDetector, "probability_maps"), "core-set": (FeatureDetector, "features")}
        detector = _wanted(detector, *need.get(name, (Detector, "detect")), name)
        rows: list[np.ndarray] = []
        whole: list[int] = []
        for at in range(0, len(paths), batch):
            loaded = [(at + i, load(path)) for i, path in enumerate(paths[at : at + batch])]
            good = [(index, image) for index, image in loaded if image is not None]
            if good:
                values = _score_batch(
                    name, detector, [image for _, image in good], [paths[index] for index, _ in good], options
                )
                if name == "core-set":
                    rows.append(values)
                else:
                    scores[[index for index, _ in good]] = values
                whole.extend(index for index, _ in good)
            if progress is not None:
                progress(min(1.0, (at + batch) / len(paths)))
        if rows:
            scores[whole] = core_set(np.concatenate(rows), limit=options.limit)
    broken = ~np.isfinite(scores)
    scores[broken] = (scores[~broken].min() if (~broken).any() else 0.0) - 1.0
    order = np.argsort(-scores, kind="stable")
    return [(paths[index], float(scores[index])) for index in order]


def write(ranking: Ranking) -> None:
    """Write a ranking to the file that YMIR reads (/out/result.tsv)."""
    # The writer knows YMIR's files; scoring alone needs none of them.
    from ymir_exc.result_writer import write_mining_result  # noqa: PLC0415

    write_mining_result(ranking)

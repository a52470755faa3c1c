"""Scenes composed from the UCI digits that scikit-learn ships: the same seed gives the same bytes.

Source of the digits: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998 (8 x 8 grey pictures of 16 levels; 1797 of them in scikit-learn).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 96
"""Height and width of a scene in pixels."""

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

KINDS = ("empty", "easy", "hard")
COMMON = (0, 1, 2, 3)
"""The digits of easy scenes."""

_INK = 0.25  # of full ink: what counts as a pixel of the digit
_HELD_OUT = 1000  # digits from here on are only in scenes of validation and test


@dataclass(frozen=True)
class Scene:
    """A picture with what is on it: boxes ``x1, y1, x2, y2`` (x2, y2 outside), classes, masks."""

    kind: str
    picture: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    masks: np.ndarray


class Digits:
    """The digit pictures, apart for training and for testing."""

    def __init__(self) -> None:
        from sklearn.datasets import load_digits

        data = load_digits()
        self._pictures = data.images / 16.0
        self._labels = data.target

    def draw(self, rng: np.random.Generator, label: int, height: int, held_out: bool) -> np.ndarray:
        """One digit of a label, ``height`` pixels high, as the share of ink of each pixel, cut to its ink."""
        ids = np.flatnonzero(self._labels == label)
        ids = ids[ids >= _HELD_OUT] if held_out else ids[ids < _HELD_OUT]
        small = Image.fromarray((self._pictures[rng.choice(ids)] * 255).astype(np.uint8))
        large = small.resize((height, height), Image.Resampling.BICUBIC)
        ink = np.asarray(large.rotate(rng.uniform(-12, 12), Image.Resampling.BILINEAR, expand=True)) / 255.0
        rows, columns = np.flatnonzero((ink > _INK).any(1)), np.flatnonzero((ink > _INK).any(0))
        return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _clutter(rng: np.random.Generator, strokes: int) -> np.ndarray:
    """Straight strokes and arcs that are no digits."""
    canvas = Image.new("L", (SIDE, SIDE), 0)
    pen = ImageDraw.Draw(canvas)
    for _ in range(strokes):
        x, y, u, v = (int(each) for each in rng.integers(0, SIDE, 4))
        level = int(rng.integers(60, 200))
        if rng.random() < 0.6:
            pen.line((x, y, u, v), fill=level, width=int(rng.integers(1, 3)))
        else:
            pen.arc(
                (min(x, u), min(y, v), max(x, u) + 4, max(y, v) + 4), 0, int(rng.integers(60, 200)), level, 2
            )
    return np.asarray(canvas) / 255.0


def compose(rng: np.random.Generator, digits: Digits, kind: str, held_out: bool = False) -> Scene:
    """One scene.

    Args:
        rng: where all chance comes from.
        digits: the digit pictures.
        kind: ``empty``: noise and at times a stroke. ``easy``: one large bright digit of the common ones.
            ``hard``: three to six digits of all classes, small, some faint, among strokes.
        held_out: take digits that no training scene shows.
    """
    hard = kind == "hard"
    count = {"empty": 0, "easy": 1, "hard": int(rng.integers(3, 7))}[kind]
    noise = 0.08 if hard else 0.03
    strokes = int(rng.integers(2, 5)) if hard else int(rng.random() < 0.5)
    picture = rng.uniform(0.05, 0.2) + 0.45 * _clutter(rng, strokes)
    boxes, classes, masks = [], [], []
    taken = np.zeros((SIDE, SIDE), dtype=bool)
    for _ in range(count):
        label = int(rng.integers(0, 10)) if hard else int(rng.choice(COMMON))
        height = int(rng.integers(16, 26)) if hard else int(rng.integers(26, 38))
        contrast = rng.uniform(0.4, 0.85) if hard else rng.uniform(0.75, 0.85)
        ink = digits.draw(rng, label, height, held_out)
        for _attempt in range(30):
            y, x = int(rng.integers(0, SIDE - ink.shape[0])), int(rng.integers(0, SIDE - ink.shape[1]))
            rows, columns = slice(y, y + ink.shape[0]), slice(x, x + ink.shape[1])
            if not taken[rows, columns].any():
                break
        else:
            continue
        taken[rows, columns] = True
        picture[rows, columns] = picture[rows, columns] * (1 - ink) + (picture.mean() + contrast) * ink
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        mask[rows, columns] = ink > _INK
        boxes.append((x, y, x + ink.shape[1], y + ink.shape[0]))
        classes.append(label)
        masks.append(mask)
    picture = picture + rng.normal(0, noise, picture.shape)
    return Scene(
        kind=kind,
        picture=(np.clip(picture, 0, 1) * 255).astype(np.uint8),
        boxes=np.array(boxes, dtype=float).reshape(-1, 4),
        classes=np.array(classes, dtype=int),
        masks=np.array(masks, dtype=bool).reshape(-1, SIDE, SIDE),
    )


def many(
    digits: Digits, count: int, shares: tuple[float, float, float], seed: int, held_out: bool = False
) -> list[Scene]:
    """``count`` scenes; ``shares`` of them are empty, easy and hard, in a drawn order."""
    rng = np.random.default_rng(seed)
    numbers = np.floor(np.array(shares) * count + 1e-9).astype(int)
    numbers[2] = count - numbers[:2].sum()
    kinds = np.repeat(KINDS, numbers)
    return [compose(rng, digits, str(kind), held_out) for kind in rng.permutation(kinds)]


def write_coco(scenes: list[Scene], folder: Path, prefix: str) -> Path:
    """Pictures as PNG in ``images`` and annotations with boxes and masks as ``prefix.json``; returns the latter."""
    from pycocotools import mask as rle

    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number, scene in enumerate(scenes, start=1):
        name = f"{prefix}-{number:04d}.png"
        Image.fromarray(scene.picture).save(folder / "images" / name)
        images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
        for (x1, y1, x2, y2), label, mask in zip(scene.boxes, scene.classes, scene.masks, strict=True):
            code = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(label),
                    "bbox": [int(x1), int(y1), int(x2 - x1), int(y2 - y1)],
                    "area": int(mask.sum()),
                    "iscrowd": 0,
                    "segmentation": {"size": [SIDE, SIDE], "counts": code["counts"].decode("ascii")},
                }
            )
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": index, "name": name} for index, name in enumerate(NAMES)],
    }
    path = folder / f"{prefix}.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path

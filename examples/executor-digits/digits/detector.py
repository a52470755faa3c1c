"""The trained network on pictures of any size: detections, masks, and what mining asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from ymir_exc.mining import Detections

from digits.model import STRIDE, DigitNet, peaks


def read_picture(path: str | Path) -> np.ndarray | None:
    """A picture as grey levels (height x width, 0 to 255), or None when it is broken."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L"))
    except Exception:  # noqa: BLE001 - decoders raise whatever they meet, from OSError to struct.error
        return None


def fit(picture: np.ndarray, size: int, padding: float | None = None) -> tuple[np.ndarray, float]:
    """A picture in the upper left corner of a square of 0 to 1, and the factor it was scaled by.

    Args:
        picture: grey levels from 0 to 255, or colours, which become grey.
        size: side of the square.
        padding: of the rest of the square; the picture's mean when absent.
    """
    if picture.ndim == 3:
        picture = picture.mean(-1)
    height, width = picture.shape
    scale = size / max(height, width)
    if scale != 1:
        new = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(Image.fromarray(picture.astype(np.uint8)).resize(new, Image.Resampling.BILINEAR))
    rest = float(picture.mean()) / 255 if padding is None else padding
    square = np.full((size, size), rest, dtype=np.float32)
    square[: picture.shape[0], : picture.shape[1]] = picture / 255.0
    return square, scale


@dataclass
class DigitDetector:
    """A network with the names of its classes and the size of its pictures.

    Serves every protocol of ymir_exc.mining.
    """

    net: DigitNet
    names: tuple[str, ...]
    size: int = 96
    threshold: float = 0.1

    @classmethod
    def new(
        cls, names: Sequence[str], size: int = 96, width: int = 32, masks: bool = False
    ) -> "DigitDetector":
        """Not trained yet; the sides of pictures are rounded up to what the network takes."""
        size = -(-max(size, 32) // STRIDE) * STRIDE
        return cls(DigitNet(len(names), width, masks), tuple(names), size)

    def save(self, path: Path) -> None:
        """Weights and all that is needed to use them, in one file."""
        torch.save(
            {
                "state": self.net.state_dict(),
                "names": list(self.names),
                "size": self.size,
                "width": self.net.width,
                "masks": self.net.masks,
            },
            path,
        )

    @classmethod
    def load(cls, path: Path) -> "DigitDetector":
        """From a file that `save` wrote; nothing in it is executed."""
        kept = torch.load(path, map_location="cpu", weights_only=True)
        detector = cls.new(kept["names"], kept["size"], kept["width"], kept["masks"])
        detector.net.load_state_dict(kept["state"])
        return detector

    def _run(self, images: Sequence[np.ndarray]) -> tuple[dict[str, torch.Tensor], list[float]]:
        fitted = [fit(np.asarray(image), self.size) for image in images]
        self.net.eval()
        with torch.inference_mode():
            found = self.net(torch.from_numpy(np.stack([square for square, _ in fitted]))[:, None])
        return found, [scale for _, scale in fitted]

    def _boxes(
        self, images: Sequence[np.ndarray], found: dict[str, torch.Tensor], scales: list[float]
    ) -> list[Detections]:
        result = []
        every = peaks(found["heat"], found["sides"], self.threshold)
        for image, scale, (boxes, rows) in zip(images, scales, every, strict=True):
            height, width = np.asarray(image).shape[:2]
            inside = np.clip(boxes / scale, 0, [width, height, width, height])
            result.append(Detections(inside, rows.max(1, initial=0.0), rows))
        return result

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Boxes, scores and class probabilities of each image."""
        if not len(images):
            return []
        return self._boxes(images, *self._run(images))

    def segment(self, images: Sequence[np.ndarray]) -> list[tuple[Detections, np.ndarray]]:
        """Detections, and for each of them the pixels of the digit (n x height x width)."""
        found, scales = self._run(images)
        result = []
        for image, scale, ink, each in zip(
            images, scales, found["mask"], self._boxes(images, found, scales), strict=True
        ):
            height, width = np.asarray(image).shape[:2]
            wide, high = (max(1, round(side * scale)) for side in (width, height))
            whole = (
                functional.interpolate(ink[None, None, :high, :wide], (height, width), mode="bilinear")[0, 0]
                > 0
            )
            masks = np.zeros((len(each), height, width), dtype=bool)
            for mask, (x1, y1, x2, y2) in zip(masks, each.boxes, strict=True):
                rows = slice(int(np.floor(y1)), int(np.ceil(y2)))
                columns = slice(int(np.floor(x1)), int(np.ceil(x2)))
                mask[rows, columns] = whole[rows, columns].numpy()
            result.append((each, masks))
        return result

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Means and maxima of the last feature map: one vector per image."""
        last = self._run(images)[0]["features"]
        return torch.cat([last.mean((2, 3)), last.amax((2, 3))], dim=1).numpy()

    def probability_maps(self, images: Sequence[np.ndarray]) -> list[Sequence[np.ndarray]]:
        """The class map of each image, where the picture is."""
        found, scales = self._run(images)
        result: list[Sequence[np.ndarray]] = []
        for image, scale, heat in zip(images, scales, torch.sigmoid(found["heat"]), strict=True):
            high, wide = (max(1, round(side * scale / STRIDE)) for side in np.asarray(image).shape[:2])
            result.append([heat[:, :high, :wide].numpy()])
        return result

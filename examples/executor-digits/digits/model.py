"""The network: one map of class probabilities and box sides at a quarter of the size, and a mask at full size.

The boxes are those of "Objects as Points" (Zhou, Wang, Kraehenbuehl 2019, arXiv 1904.07850) and FCOS (Tian et al.
2019, arXiv 1904.01355): no anchors; a digit is a peak of the class map, and the map beside it says how far the
four sides are.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

STRIDE = 4


def _block(inside: int, outside: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


class DigitNet(nn.Module):
    """Grey pictures (n x 1 x height x width, 0 to 1, sides multiples of 4) in; maps out."""

    def __init__(self, classes: int, width: int = 32, masks: bool = False) -> None:
        super().__init__()
        self.classes, self.width, self.masks = classes, width, masks
        self.body = nn.Sequential(
            _block(1, width // 2, 2),
            _block(width // 2, width, 2),
            *(_block(width, width, dilation=dilation) for dilation in (1, 2, 3, 1)),
        )
        self.classify = nn.Conv2d(width, classes, 1)
        self.sides = nn.Conv2d(width, 4, 1)
        if masks:
            # One bit for each of the 4 x 4 pixels of a cell.
            self.foreground = nn.Sequential(nn.Conv2d(width, STRIDE**2, 1), nn.PixelShuffle(STRIDE))
        nn.init.constant_(self.classify.bias, -4.0)  # few cells hold a digit: begin there

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """``heat`` (logits of classes), ``sides`` (left, top, right, bottom in pixels), ``features``, ``mask``."""
        features = self.body(pictures)
        found = {
            "features": features,
            "heat": self.classify(features),
            "sides": functional.softplus(self.sides(features)) * STRIDE,
        }
        if self.masks:
            found["mask"] = self.foreground(features)[:, 0]
        return found


def targets(
    boxes: list[np.ndarray], labels: list[np.ndarray], classes: int, size: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Class map with a bump at each box's middle, sides, and where the sides count, for square pictures."""
    cells = size // STRIDE
    heat = np.zeros((len(boxes), classes, cells, cells), dtype=np.float32)
    sides = np.zeros((len(boxes), 4, cells, cells), dtype=np.float32)
    counts = np.zeros((len(boxes), cells, cells), dtype=np.float32)
    centers = (np.arange(cells) + 0.5) * STRIDE
    for index, (each, names) in enumerate(zip(boxes, labels, strict=True)):
        for (x1, y1, x2, y2), label in zip(each, names, strict=True):
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            column, row = (int(min(max(value // STRIDE, 0), cells - 1)) for value in (x, y))
            wide, high = max((x2 - x1) / 6, 1.5), max((y2 - y1) / 6, 1.5)
            bump = np.exp(
                -((centers - centers[column]) ** 2) / (2 * wide**2)
                - ((centers[:, None] - centers[row]) ** 2) / (2 * high**2)
            )
            heat[index, label] = np.maximum(heat[index, label], bump)
            rows = slice(max(row - 1, 0), row + 2)
            columns = slice(max(column - 1, 0), column + 2)
            counts[index, rows, columns] = 1
            sides[index, 0, rows, columns] = centers[columns] - x1
            sides[index, 1, rows, columns] = centers[rows, None] - y1
            sides[index, 2, rows, columns] = x2 - centers[columns]
            sides[index, 3, rows, columns] = y2 - centers[rows, None]
    return torch.from_numpy(heat), torch.from_numpy(sides), torch.from_numpy(counts)


def loss_of(
    found: dict[str, torch.Tensor],
    heat: torch.Tensor,
    sides: torch.Tensor,
    counts: torch.Tensor,
    foreground: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """The parts of the loss: focal loss of the class map as in "Objects as Points", L1 of sides, masks."""
    logits = found["heat"]
    p = torch.sigmoid(logits)
    peak = (heat > 0.999).float()
    positive = peak * (1 - p) ** 2 * functional.logsigmoid(logits)
    negative = (1 - peak) * (1 - heat) ** 4 * p**2 * functional.logsigmoid(-logits)
    number = peak.sum().clamp(min=1)
    parts = {
        "classes": -(positive.sum() + negative.sum()) / number,
        "sides": ((found["sides"] - sides).abs() * counts[:, None]).sum()
        / counts.sum().clamp(min=1)
        / STRIDE,
    }
    if foreground is not None:
        bits = functional.binary_cross_entropy_with_logits(found["mask"], foreground, reduction="none")
        weight = 1 + 4 * foreground  # most pixels are background
        parts["masks"] = (bits * weight).sum() / weight.sum()
    return parts


def peaks(
    heat: torch.Tensor, sides: torch.Tensor, threshold: float, limit: int = 50
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each picture its boxes (n x 4, pixels) and class probabilities (n x classes), best first.

    A cell counts when its best class is at least the threshold and no neighbour's is higher; of boxes that
    overlap by more than half, the better one stays.
    """
    p = torch.sigmoid(heat)
    best = p.amax(1)
    top = (functional.max_pool2d(best[:, None], 3, 1, 1)[:, 0] == best) & (best >= threshold)
    result = []
    for index in range(len(p)):
        rows, columns = torch.nonzero(top[index], as_tuple=True)
        order = best[index, rows, columns].argsort(descending=True, stable=True)[:limit]
        rows, columns = rows[order], columns[order]
        x, y = (columns + 0.5) * STRIDE, (rows + 0.5) * STRIDE
        left, above, right, below = sides[index, :, rows, columns]
        boxes = torch.stack([x - left, y - above, x + right, y + below], dim=1).numpy()
        kept: list[int] = []
        for number in range(len(boxes)):
            if all(_overlap(boxes[number], boxes[other]) <= 0.5 for other in kept):
                kept.append(number)
        result.append((boxes[kept], p[index, :, rows, columns].T.numpy()[kept]))
    return result


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    common = float(np.clip(high - low, 0, None).prod())
    areas = float((first[2:] - first[:2]).prod() + (second[2:] - second[:2]).prod())
    return common / (areas - common) if areas > common else 0.0

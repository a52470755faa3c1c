"""Training: examples in memory, one cosine of learning rates, a report after each epoch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from digits.detector import DigitDetector, fit
from digits.evaluation import evaluate
from digits.model import loss_of, targets


@dataclass(frozen=True)
class Example:
    """A picture with its boxes (pixels, second corner outside), class numbers and, perhaps, masks."""

    picture: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None = None


@dataclass(frozen=True)
class Epoch:
    """What one epoch brought."""

    number: int
    losses: dict[str, float]
    learning_rate: float


def _shifted(
    square: np.ndarray, boxes: np.ndarray, mask: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Moved by up to 6 pixels, with another brightness; what leaves the picture comes back as an edge."""
    down, across = (int(each) for each in rng.integers(-6, 7, 2))
    size = len(square)
    rows = np.clip(np.arange(size) - down, 0, size - 1)
    columns = np.clip(np.arange(size) - across, 0, size - 1)
    moved = square[np.ix_(rows, columns)] * rng.uniform(0.8, 1.2) + rng.uniform(-0.05, 0.05)
    ink = None if mask is None else mask[np.ix_(rows, columns)]
    return moved.astype(np.float32), boxes + np.array([across, down, across, down]), ink


def _inside(boxes: np.ndarray, labels: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The boxes whose middle is within the picture, cut at its border."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    kept = ((middle >= 0) & (middle < size)).all(1)
    return np.clip(boxes[kept], 0, size), labels[kept]


class _Set:
    """Examples at the detector's size."""

    def __init__(self, examples: Sequence[Example], size: int, masks: bool) -> None:
        self.squares, self.boxes, self.labels, self.ink = [], [], [], []
        for example in examples:
            square, scale = fit(example.picture, size)
            self.squares.append(square)
            self.boxes.append(np.asarray(example.boxes, dtype=float).reshape(-1, 4) * scale)
            self.labels.append(np.asarray(example.labels, dtype=int))
            if masks:
                whole = np.zeros(example.picture.shape[:2], dtype=np.uint8)
                if example.masks is not None and len(example.masks):
                    whole = example.masks.any(0).astype(np.uint8) * 255
                self.ink.append((fit(whole, size, padding=0.0)[0] > 0.5).astype(np.float32))

    def batch(
        self, chosen: Sequence[int], rng: np.random.Generator, size: int, classes: int
    ) -> list[torch.Tensor]:
        squares, boxes, labels, inks = [], [], [], []
        for index in chosen:
            ink = self.ink[index] if self.ink else None
            square, moved, ink = _shifted(self.squares[index], self.boxes[index], ink, rng)
            moved, names = _inside(moved, self.labels[index], size)
            squares.append(square)
            boxes.append(moved)
            labels.append(names)
            inks.append(ink)
        made = [torch.from_numpy(np.stack(squares))[:, None], *targets(boxes, labels, classes, size)]
        if self.ink:
            made.append(torch.from_numpy(np.stack(inks).astype(np.float32)))
        return made


def train(
    detector: DigitDetector,
    examples: Sequence[Example],
    epochs: int,
    batch: int = 16,
    learning_rate: float = 4e-3,
    seed: int = 0,
    steps: int | None = None,
    step_done: Callable[[float], None] | None = None,
) -> Iterator[Epoch]:
    """Train the detector in place and say after each epoch how it went.

    Args:
        detector: changed in place.
        examples: at least one.
        epochs: how often each example is seen; with ``steps``, into how many parts these are divided.
        batch: examples per step.
        learning_rate: the highest; it warms up and follows a cosine to 0 (Adam).
        seed: of order and augmentation.
        steps: how many steps in all, whatever the number of examples.
        step_done: told the share of the whole that is done, 0 to 1, after each step.

    Raises:
        FloatingPointError: the loss is not a number.
    """
    net, size, classes = detector.net, detector.size, len(detector.names)
    rng = np.random.default_rng(seed)
    data = _Set(examples, size, net.masks)
    batch = max(1, min(batch, len(examples)))
    per_epoch = -(-len(examples) // batch) if steps is None else -(-steps // epochs)
    optimiser = torch.optim.AdamW(net.parameters(), lr=learning_rate, weight_decay=1e-4)
    total = max(4, epochs * per_epoch)
    # Warming up takes a fifth, but two steps at least: OneCycleLR divides by the length of each part.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=total, pct_start=max(0.2, 2 / total)
    )
    order: list[int] = []
    for epoch in range(1, epochs + 1):
        net.train()
        sums: dict[str, float] = {}
        if steps is None:
            order = []
        for step in range(per_epoch):
            while len(order) < batch and (steps is not None or (not order and step == 0)):
                order.extend(int(each) for each in rng.permutation(len(examples)))
            chosen, order = order[:batch], order[batch:]
            pictures, *wanted = data.batch(chosen, rng, size, classes)
            parts = loss_of(net(pictures), *wanted)
            loss = sum(parts.values())
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the loss is {loss.item()} in epoch {epoch}; try a lower learning rate"
                )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value.item() / per_epoch
            if step_done is not None:
                step_done(((epoch - 1) * per_epoch + step + 1) / (epochs * per_epoch))
        yield Epoch(epoch, sums, float(schedule.get_last_lr()[0]))


def measure(detector: DigitDetector, examples: Sequence[Example], batch: int = 64) -> dict[str, float]:
    """The detector's average precision on examples (see `evaluate`); one with masks needs examples with masks."""
    found, inks = [], []
    for at in range(0, len(examples), batch):
        pictures = [example.picture for example in examples[at : at + batch]]
        if detector.net.masks:
            for each, masks in detector.segment(pictures):
                found.append(each)
                inks.append(masks)
        else:
            found.extend(detector.detect(pictures))
    masks = [example.masks for example in examples] if detector.net.masks else None
    return evaluate(
        [example.boxes for example in examples],
        [example.labels for example in examples],
        found,
        len(detector.names),
        masks,
        inks if detector.net.masks else None,
    )

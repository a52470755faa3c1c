"""What a training leaves: a model in stages, as the platform keeps it (§3.2)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

__all__ = ["COUNTS", "METRICS", "TOP_METRICS", "Stage", "TrainingResult"]

METRICS: Final = ("mAP", "mAR", "mIoU", "mAcc", "maskAP", "boxAP")
COUNTS: Final = ("tp", "fp", "fn")
TOP_METRICS: Final = ("maskAP", "mIoU", "mAP")


class Stage(Struct, frozen=True, kw_only=True):
    """One stage of a model.

    Attributes:
        name: the key of ``model_stages``, which names its folder in the package.
        files: as the result lists them.
        places: where each lies, relative to /out/models.
        timestamp: Unix seconds.
        metrics: those that are given.
        counts: likewise.
    """

    name: str
    files: tuple[str, ...]
    places: tuple[str, ...]
    timestamp: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


class TrainingResult(Struct, frozen=True, kw_only=True):
    """A result that the platform takes.

    Attributes:
        stages: in file order.
        best: name of the best stage.
        attachments: names of files by section, which lie in ``attachments/SECTION/``.
        evaluate_config: thresholds of the evaluation.
    """

    stages: tuple[Stage, ...]
    best: str
    attachments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    evaluate_config: Mapping[str, float] = field(default_factory=dict)

    @property
    def best_stage(self) -> Stage:
        """The stage that ``best`` names."""
        return next(stage for stage in self.stages if stage.name == self.best)

    @property
    def top_metric(self) -> tuple[str, float]:
        """What the platform shows the model by: the best stage's own."""
        metrics = self.best_stage.metrics
        name = next((name for name in TOP_METRICS if name in metrics), "mAP")
        return name, metrics.get(name, 0.0)

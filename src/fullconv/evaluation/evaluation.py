"""The result of an evaluation: metrics over all images, with intervals, and of each image."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fullconv.evaluation.confidence_intervals import Resampled, choose_units, resample
from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.image_counts import ImageCounts, class_counts, class_f1, class_precision
from fullconv.evaluation.image_table import ImageTable
from fullconv.evaluation.metrics import Confusion, Matrix, Metrics

if TYPE_CHECKING:
    from fullconv.evaluation.explanation import Explanation
    from fullconv.evaluation.suspects import Suspect

WORST = 5  # percent of the images that `worst_images` and `worst_classes` average over


@dataclass(frozen=True)
class Evaluation(Metrics):
    """The metrics of a model on a data set, such as `mean_iou` and `pixel_accuracy`.

    Attributes:
        classes: class names.
        confusion: confusion matrix over all pixels of all samples.
        images: counts and measurements of each image.
        protocol: how the metrics were computed, in one line.
        groups: the group of each image, if a rule was given.
        data: the data set as the user named it.
        split: its split; "all" for all samples.
        model: name of the model, if the caller gave one.
        model_digest: fingerprint of the model's weights; "" for predictions from files.
        engine: what computed the scores; "" for predictions from files.
        explanation: where mean IoU is lost; None unless it was asked for.
        suspects: suspected label errors, the most suspicious first; () unless asked for.
    """

    classes: tuple[str, ...]
    confusion: Confusion
    images: ImageTable = field(repr=False)
    protocol: str = ""
    groups: tuple[str, ...] | None = field(default=None, repr=False)
    data: str = ""
    split: str = ""
    model: str = ""
    model_digest: str = ""
    engine: str = ""
    explanation: "Explanation | None" = field(default=None, repr=False)
    suspects: "tuple[Suspect, ...]" = field(default=(), repr=False)

    @property
    def _matrix(self) -> Matrix:
        return self.confusion.counts

    @property
    def counts(self) -> ImageCounts:
        """True positives, false positives and false negatives of each image."""
        return self.images.counts

    @property
    def image_iou(self) -> dict[str, float]:
        """Sample name -> mean IoU of that image alone; their mean is not `mean_iou`."""
        return dict(zip(self.counts.names, self.counts.image_iou.tolist(), strict=True))

    @cached_property
    def resampled(self) -> Resampled:
        """Mean IoU and IoU in resamples of the images, with their confidence intervals."""
        counts = self.counts
        valid = np.flatnonzero(counts.present.any(1))
        groups = [self.groups[index] for index in valid] if self.groups else None
        kept = counts.take(valid.tolist())
        return resample(kept, choose_units(kept.names, groups))

    def to_dict(self) -> dict[str, object]:
        """Return the metrics, overall and per class, as plain values for JSON; nan is None."""
        counts, resampled = self.counts, self.resampled
        means = {
            "mean_iou_images": counts.mean_iou_images(),
            "mean_iou_classes": counts.mean_iou_classes(),
            f"worst_{WORST}_percent_images": counts.mean_iou_images(WORST),
            f"worst_{WORST}_percent_classes": counts.mean_iou_classes(WORST),
            "share_without_prediction": self.share_without_prediction,
        }
        return {
            **{name: _nan_to_none(value) for name, value in self.paper_metrics().items()},
            **{name: _nan_to_none(value) for name, value in means.items()},
            "mean_iou_interval": _as_list(resampled.interval),
            "interval_unit": str(resampled.units),
            "per_class": self._per_class(),
            "images": len(counts.names),
            "protocol": self.protocol,
            "data": self.data,
            "split": self.split,
            "labels_digest": self.images.digest,
            **({"model": self.model} if self.model else {}),
            **({"model_digest": self.model_digest} if self.model_digest else {}),
            **({"engine": self.engine} if self.engine else {}),
            **({"explanation": self.explanation.to_dict()} if self.explanation else {}),
            **(
                {"suspects": [s.to_dict(self.classes) for s in self.suspects]}
                if self.suspects
                else {}
            ),
        }

    def _per_class(self) -> dict[str, object]:
        total = class_counts(self.confusion)
        columns: dict[str, Iterable[Any]] = {
            "iou": map(_nan_to_none, self.iou),
            "interval": map(_as_list, self.resampled.class_intervals),
            "accuracy": map(_nan_to_none, self.accuracy),
            "precision": map(_nan_to_none, class_precision(total)),
            "f1": map(_nan_to_none, class_f1(total)),
            "pixels": map(int, self.pixels),
            "images": map(int, self.counts.present.sum(0)),
            "invented_in_images": map(int, self.counts.invented),
        }
        rows = zip(*columns.values(), strict=True)
        return {
            name: dict(zip(columns, row, strict=True))
            for name, row in zip(self.classes, rows, strict=True)
        }


class HeadEvaluations(HeadMetrics[Evaluation]):
    """The evaluation of each head of a model."""

    def to_dict(self) -> dict[str, object]:
        """Return the metrics as plain values for JSON.

        Those of a model with one head are `Evaluation.to_dict`. With several, the paper's metrics
        are means over the heads, and "heads" has the metrics of each by its name.
        """
        heads = {name: evaluation.to_dict() for name, evaluation in self.heads.items()}
        if "" in heads:
            return heads[""]
        means = HeadMetrics(self.heads).paper_metrics()
        kept = {name: _nan_to_none(means[name]) for name in self.first.paper_metrics()}
        return {**kept, "heads": heads}


def _as_list(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [*interval]


def _nan_to_none(share: float) -> float | None:
    return None if math.isnan(share) else float(share)

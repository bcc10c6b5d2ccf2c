"""Counts of each class in each image, and mean IoU over the data set, over images, over classes.

Wang et al., "Revisiting Evaluation Metrics for Semantic Segmentation", NeurIPS 2023: (D) sums the
counts of all images first, (I) averages over images, (C) averages each class over its images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import ArrayLike

from fullconv.evaluation.metrics import Confusion

TP, FP, FN = 0, 1, 2
"""Positions of the counts in the last axis: true positives, false positives, false negatives."""

Counts = Int64[np.ndarray, "*size K 3"]
Values = Float64[np.ndarray, "*size K"]


def class_counts(confusion: Confusion) -> Int64[np.ndarray, "K 3"]:
    """Return true positives, false positives and false negatives of each class, in pixels."""
    correct = confusion.counts.diagonal()
    predicted = confusion.counts[:, :-1].sum(0)
    return np.stack([correct, predicted - correct, confusion.counts.sum(1) - correct], 1)


def class_iou(counts: Counts) -> Values:
    """Return the IoU of each class, in [0, 1]; nan for a class without target pixels."""
    return _shares(counts, counts[..., TP], counts.sum(-1))


def class_recall(counts: Counts) -> Values:
    """Return the share of each class's target pixels that are predicted correctly, or nan."""
    return _shares(counts, counts[..., TP], counts[..., TP] + counts[..., FN])


def class_precision(counts: Counts) -> Values:
    """Return the share of the pixels predicted as each class that are correct.

    nan for a class without target pixels, or without predicted pixels.
    """
    return _shares(counts, counts[..., TP], counts[..., TP] + counts[..., FP])


def class_f1(counts: Counts) -> Values:
    """Return the F1 score (Dice) of each class, in [0, 1]; nan for one without target pixels."""
    return _shares(counts, 2 * counts[..., TP], counts.sum(-1) + counts[..., TP])


def pixel_accuracy(counts: Counts) -> Float64[np.ndarray, "*size"]:
    """Return the share of all pixels that are predicted correctly, in [0, 1]; nan without any."""
    correct = counts[..., TP].sum(-1)
    return _divide(correct, correct + counts[..., FN].sum(-1))


def mean_known(values: Float64[np.ndarray, "*size N"]) -> Float64[np.ndarray, "*size"]:
    """Return the mean over the last axis without nan; nan where there is nothing else."""
    known = ~np.isnan(values)
    return _divide(np.where(known, values, 0).sum(-1), known.sum(-1))


def worst_mean(values: Float64[np.ndarray, " N"], percent: float = 100) -> float:
    """Return the mean of the lowest `percent` of the values, at least one; nan without any."""
    known = np.sort(values[~np.isnan(values)])
    return float(mean_known(known[: max(1, int(percent / 100 * known.size))]))


@dataclass(frozen=True)
class ImageCounts:
    """True positives, false positives and false negatives of each class in each image.

    A class that an image lacks has no IoU in it: false positives there count in (D) only; see
    `invented`. Images without any target pixel are left out of all means.

    Attributes:
        names: names of the images.
        values: pixels, in the order `TP`, `FP`, `FN`.
    """

    names: tuple[str, ...]
    values: Int64[np.ndarray, "N K 3"]

    @property
    def iou(self) -> Float64[np.ndarray, "N K"]:
        """IoU of each class in each image; nan where the image lacks the class."""
        return class_iou(self.values)

    @property
    def image_iou(self) -> Float64[np.ndarray, " N"]:
        """Mean IoU of each image over its classes; nan for an image without target pixels."""
        return mean_known(self.iou)

    @property
    def total(self) -> Int64[np.ndarray, "K 3"]:
        """Counts over all images."""
        return np.asarray(self.values.sum(0))

    @property
    def mean_iou(self) -> float:
        """Mean IoU (D): over the classes, each over all pixels of the data set."""
        return float(mean_known(class_iou(self.total)))

    def mean_iou_images(self, worst: float = 100) -> float:
        """Return mean IoU (I): over the images, or over the `worst` percent of them."""
        return worst_mean(self.image_iou, worst)

    def mean_iou_classes(self, worst: float = 100) -> float:
        """Return mean IoU (C): over classes, each over its images or their `worst` percent."""
        return float(mean_known(np.array([worst_mean(column, worst) for column in self.iou.T])))

    def foreground_iou(self, label: int) -> Float64[np.ndarray, " N"]:
        """Return the IoU of one class in each image.

        1 where an image has no pixel of the class and none is predicted; nan without targets.
        """
        counts = self.values[:, label]
        empty = np.where(self.pixels > 0, 1.0, np.nan)
        return np.where(counts.sum(-1) > 0, _divide(counts[..., TP], counts.sum(-1)), empty)

    @property
    def cost(self) -> Float64[np.ndarray, " N"]:
        """What each image costs: mean IoU (D) without it minus mean IoU (D)."""
        return mean_known(class_iou(self.total - self.values)) - self.mean_iou

    @property
    def present(self) -> Bool[np.ndarray, "N K"]:
        """Whether each image has target pixels of each class."""
        return np.asarray(self.values[..., TP] + self.values[..., FN] > 0)

    @property
    def pixels(self) -> Int64[np.ndarray, " N"]:
        """Target pixels of each image."""
        return np.asarray(self.values[..., (TP, FN)].sum((1, 2)))

    @property
    def wrong(self) -> Int64[np.ndarray, " N"]:
        """Target pixels of each image that are predicted wrongly."""
        return np.asarray(self.values[..., FN].sum(1))

    @property
    def invented(self) -> Int64[np.ndarray, " K"]:
        """The number of images without the class in which it is predicted."""
        return np.asarray((~self.present & (self.values[..., FP] > 0)).sum(0))

    def take(self, indices: Sequence[int]) -> "ImageCounts":
        """Return the counts of these images."""
        return ImageCounts(tuple(self.names[i] for i in indices), self.values[list(indices)])


def _shares(counts: Counts, part: np.ndarray, whole: np.ndarray) -> Values:
    present = counts[..., TP] + counts[..., FN] > 0
    return np.where(present, _divide(part, whole), np.nan)


def _divide(part: ArrayLike, whole: ArrayLike) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.true_divide(part, whole), np.float64)

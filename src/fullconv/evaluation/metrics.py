"""The confusion matrix over a whole data set, and the metrics of the paper (section 5)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64, Integer

from fullconv.errors import ConfigError, GeometryError

Shares = Float64[np.ndarray, " K"]
Counts = Int64[np.ndarray, " K"]
Matrix = Int64[np.ndarray, "K predictions"]

CHUNK = 1 << 16  # pixels counted at a time: the temporary arrays stay in a core's own cache
SAMPLING = 64  # one pair of neighbouring pixels in so many is compared to estimate run lengths


class Metrics(ABC):
    """Segmentation metrics of a confusion matrix.

    Pixels whose target is the ignore label are excluded. A class without target pixels is excluded
    from every mean; its own values are nan.
    """

    @property
    @abstractmethod
    def _matrix(self) -> Matrix: ...

    @property
    def pixels(self) -> Counts:
        """Target pixels of each class."""
        return np.asarray(self._matrix.sum(1))

    @property
    def accuracy(self) -> Shares:
        """Share of each class's target pixels that are predicted correctly, in [0, 1] or nan."""
        return _ratio(self._correct, self.pixels)

    @property
    def iou(self) -> Shares:
        """Intersection over union of each class, in [0, 1] or nan."""
        union = self.pixels + self._matrix[:, :-1].sum(0) - self._correct
        return np.where(self.pixels > 0, _ratio(self._correct, union), np.nan)

    @property
    def pixel_accuracy(self) -> float:
        """Share of all pixels that are predicted correctly, in [0, 1] or nan."""
        return float(_ratio(self._correct.sum(), self.pixels.sum()))

    @property
    def mean_accuracy(self) -> float:
        """Mean of the classes' accuracies, in [0, 1] or nan."""
        return _mean(self.accuracy)

    @property
    def mean_iou(self) -> float:
        """Mean of the classes' IoU, in [0, 1] or nan."""
        return _mean(self.iou)

    @property
    def mean_iu(self) -> float:
        """`mean_iou` in the paper's spelling."""
        return self.mean_iou

    @property
    def frequency_weighted_iou(self) -> float:
        """Mean of the classes' IoU weighted by their target pixels, in [0, 1] or nan."""
        present = self.pixels > 0
        if not present.any():
            return float("nan")
        return float((self.pixels[present] * self.iou[present]).sum() / self.pixels.sum())

    @property
    def share_without_prediction(self) -> float:
        """Share of all target pixels without a prediction, in [0, 1] or nan; they are errors."""
        return float(_ratio(self._matrix[:, -1].sum(), self.pixels.sum()))

    def paper_metrics(self) -> dict[str, float]:
        """Return the paper's four metrics under the names that files store them by."""
        return {
            "pixel_accuracy": self.pixel_accuracy,
            "mean_accuracy": self.mean_accuracy,
            "mean_iou": self.mean_iou,
            "frequency_weighted_iou": self.frequency_weighted_iou,
        }

    @property
    def _correct(self) -> Counts:
        return np.asarray(self._matrix.diagonal())


class Confusion(Metrics):
    """A confusion matrix: `counts[t, p]` pixels of class `t` are predicted as class `p`.

    The last column, K, counts pixels predicted as none of the K classes. Pixels whose target is
    not one of the K classes (the ignore label) are not counted.
    """

    def __init__(self, classes: int, counts: Matrix | None = None) -> None:
        self.classes = classes
        self.counts = np.zeros((classes, classes + 1), np.int64) if counts is None else counts

    @property
    def _matrix(self) -> Matrix:
        return self.counts

    def add(
        self,
        target: Integer[np.ndarray, "*size"],
        prediction: Integer[np.ndarray, "*predicted"],
    ) -> None:
        """Count the pixels of one image.

        Raises:
            GeometryError: the shapes differ.
            ConfigError: one is not an array of whole numbers.
        """
        check_labels("target", target)
        check_labels("prediction", prediction)
        if target.shape != prediction.shape:
            raise GeometryError(
                f"the prediction has shape {prediction.shape}, the labels {target.shape}; expected "
                "equal shapes: resize the prediction to the size of the labels"
            )
        target, prediction = target.ravel(), prediction.ravel()
        for start in range(0, target.size, CHUNK):
            chunk = slice(start, start + CHUNK)
            self.counts += _count(target[chunk], prediction[chunk], self.classes)

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(self.classes, self.counts + other.counts)


class EpochIoU(NamedTuple):
    """IoU of each class after an evaluated epoch: a row of per_class_history.csv.

    Attributes:
        epoch: number of the epoch, from 1.
        step: training steps so far.
        iou: IoU of each class, in [0, 1]; nan for a class without target pixels.
    """

    epoch: int
    step: int
    iou: tuple[float, ...]


def check_labels(name: str, labels: object) -> None:
    """Check that an argument is an array of labels.

    Raises:
        ConfigError: it is not an array, or one of other numbers.
    """
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "biu":
        kind = getattr(labels, "dtype", type(labels).__name__)
        raise ConfigError(f"{name} is of the type {kind}; expected an array of whole numbers")


def merge_confusions(parts: Iterable[Confusion], classes: int) -> Confusion:
    """Return the sum of confusion matrices of `classes` classes."""
    return reduce(add, parts, Confusion(classes))


def format_percent(share: float) -> str:
    """Format a share in [0, 1] as "71.3 %", and nan as "-"."""
    return "-" if np.isnan(share) else f"{100 * share:.1f} %"


def _count(
    target: Integer[np.ndarray, " N"], prediction: Integer[np.ndarray, " N"], classes: int
) -> Matrix:
    """Return the confusion matrix of one chunk of pixels."""
    width = classes + 1
    narrow = np.int16 if width**2 <= 2**15 else np.int64
    codes = np.multiply(_clipped(target, classes), width, dtype=narrow)
    np.add(codes, _clipped(prediction, classes), out=codes, dtype=narrow)
    # Neighbouring pixels are mostly equal, and incrementing one bin repeatedly stalls on memory.
    # So runs are counted, unless a sample of the pixels shows that runs are short.
    if 4 * SAMPLING * np.count_nonzero(codes[1::SAMPLING] != codes[:-1:SAMPLING]) < codes.size:
        ends = np.append(np.flatnonzero(codes[1:] != codes[:-1]), codes.size - 1)
        lengths = np.diff(ends, prepend=-1)  # summed in float64: exact, since below 2^53
        counts = np.bincount(codes[ends], lengths, width**2).astype(np.int64)
    else:
        # PyTorch's bincount reads narrow integers in place; numpy's copies them to int64 first.
        counts = torch.bincount(torch.from_numpy(codes), minlength=width**2).numpy()
    return counts.reshape(width, width)[:classes]


def _clipped(labels: Integer[np.ndarray, " N"], classes: int) -> Integer[np.ndarray, " N"]:
    """Return the labels, with `classes` in place of every value that is not a class."""
    unsigned = labels.view(labels.dtype.str.replace("i", "u"))  # -1 becomes a large value
    if unsigned.max() <= classes:
        return unsigned
    # An array and not a number: with a number numpy's minimum takes ten times as long.
    limit = np.full_like(unsigned, min(classes, np.iinfo(unsigned.dtype).max))
    return np.asarray(np.minimum(unsigned, limit))


def _ratio(part: np.ndarray | np.int64, whole: np.ndarray | np.int64) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / whole, np.float64)


def _mean(shares: Shares) -> float:
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if known.size else float("nan")

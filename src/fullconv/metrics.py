"""One confusion matrix over a whole set, and every number read off it (paper, section 5)."""

from collections.abc import Iterable
from functools import reduce
from operator import add

import numpy as np
from jaxtyping import Float64, Int64, Integer

from fullconv.errors import GeometryError

Shares = Float64[np.ndarray, " K"]
Counts = Int64[np.ndarray, " K"]


class Confusion:
    """`counts[t, p]`: pixels of true class `t` that were answered `p`; column K: no class at all.

    Void pixels of the truth (any label >= K) are left out. A class that occurs nowhere in the truth
    is left out of every mean and shown as "-" (nan here).
    """

    def __init__(self, classes: int, counts: Int64[np.ndarray, "K answers"] | None = None) -> None:
        self.classes = classes
        self.counts = np.zeros((classes, classes + 1), np.int64) if counts is None else counts

    def add(
        self, truth: Integer[np.ndarray, "*size"], answer: Integer[np.ndarray, "*answered"]
    ) -> None:
        """Count two label rasters of one shape.

        Raises:
            GeometryError: the shapes differ.
        """
        if truth.shape != answer.shape:
            raise GeometryError(
                f"an answer of {answer.shape} pixels for labels of {truth.shape}; they are "
                "compared pixel by pixel and must have one size"
            )
        known = truth.ravel() < self.classes
        answered = np.minimum(answer.ravel()[known], self.classes).astype(np.int64)
        pairs = truth.ravel()[known] * np.int64(self.classes + 1) + answered
        self.counts += np.bincount(pairs, minlength=self.counts.size).reshape(self.counts.shape)

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(self.classes, self.counts + other.counts)

    @property
    def pixels(self) -> Counts:
        """Pixels of each class in the truth."""
        return np.asarray(self.counts.sum(1))

    @property
    def accuracy(self) -> Shares:
        """Share of each class's pixels that were answered rightly; nan for an absent class."""
        return _ratio(self._hits, self.pixels)

    @property
    def iu(self) -> Shares:
        """Intersection over union of each class; nan for an absent class."""
        union = self.pixels + self.counts[:, :-1].sum(0) - self._hits
        return np.where(self.pixels > 0, _ratio(self._hits, union), np.nan)

    @property
    def pixel_accuracy(self) -> float:
        """Share of all pixels that were answered rightly."""
        return float(_ratio(self._hits.sum(), self.pixels.sum()))

    @property
    def mean_accuracy(self) -> float:
        """Mean over the classes of their accuracy."""
        return _mean(self.accuracy)

    @property
    def mean_iu(self) -> float:
        """Mean over the classes of their intersection over union."""
        return _mean(self.iu)

    @property
    def frequency_weighted_iu(self) -> float:
        """Mean intersection over union, each class weighted by its share of the pixels."""
        present = self.pixels > 0
        if not present.any():
            return float("nan")
        return float((self.pixels[present] * self.iu[present]).sum() / self.pixels.sum())

    def numbers(self) -> dict[str, float]:
        """The four numbers of the paper, in [0, 1]; nan where no pixel counts."""
        return {
            "pixel_accuracy": self.pixel_accuracy,
            "mean_accuracy": self.mean_accuracy,
            "mean_iu": self.mean_iu,
            "frequency_weighted_iu": self.frequency_weighted_iu,
        }

    @property
    def _hits(self) -> Counts:
        return np.asarray(self.counts.diagonal())


def total(parts: Iterable[Confusion], classes: int) -> Confusion:
    """The sum of confusion matrices."""
    return reduce(add, parts, Confusion(classes))


def percent(share: float) -> str:
    """A share as a person reads it: "71.3 %", or "-" where there is none."""
    return "-" if np.isnan(share) else f"{100 * share:.1f} %"


def _ratio(part: np.ndarray | np.int64, whole: np.ndarray | np.int64) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / whole, np.float64)


def _mean(shares: Shares) -> float:
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if known.size else float("nan")

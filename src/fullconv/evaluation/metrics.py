"""One confusion matrix over a whole set, and every number read off it (paper, section 5)."""

from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64, Integer

from fullconv.errors import GeometryError

Shares = Float64[np.ndarray, " K"]
Counts = Int64[np.ndarray, " K"]

PIECE = 1 << 16  # pixels counted at a time: what is made of them stays in a core's own cache
SAMPLED = 64  # one pair of neighbours in so many says whether labels come in runs


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
        truth, answer = truth.ravel(), answer.ravel()
        for start in range(0, truth.size, PIECE):
            piece = slice(start, start + PIECE)
            self.counts += _count(truth[piece], answer[piece], self.classes)

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


def _count(
    truth: Integer[np.ndarray, " N"], answer: Integer[np.ndarray, " N"], classes: int
) -> Int64[np.ndarray, "K answers"]:
    """`Confusion.counts` of one piece."""
    width = classes + 1
    narrow = np.int16 if width**2 <= 2**15 else np.int64
    codes = np.multiply(_bounded(truth, classes), width, dtype=narrow)
    np.add(codes, _bounded(answer, classes), out=codes, dtype=narrow)
    # Neighbours are mostly equal, and counting one bin over and over waits for memory each time:
    # so count runs, unless a sample of the pixels says that they are short.
    if 4 * SAMPLED * np.count_nonzero(codes[1::SAMPLED] != codes[:-1:SAMPLED]) < codes.size:
        ends = np.append(np.flatnonzero(codes[1:] != codes[:-1]), codes.size - 1)
        lengths = np.diff(ends, prepend=-1)  # summed in float64: exact, since below 2^53
        counts = np.bincount(codes[ends], lengths, width**2).astype(np.int64)
    else:
        # PyTorch's takes narrow numbers as they are; numpy's copies them to eight bytes first.
        counts = torch.bincount(torch.from_numpy(codes), minlength=width**2).numpy()
    return counts.reshape(width, width)[:classes]


def _bounded(labels: Integer[np.ndarray, " N"], classes: int) -> Integer[np.ndarray, " N"]:
    """The labels, with `classes` for all that is no class."""
    unsigned = labels.view(labels.dtype.str.replace("i", "u"))  # so that -1 is no class either
    if unsigned.max() <= classes:
        return unsigned
    # An array and not a number: with a number numpy's minimum takes ten times as long.
    most = np.full_like(unsigned, min(classes, np.iinfo(unsigned.dtype).max))
    return np.asarray(np.minimum(unsigned, most))


def _ratio(part: np.ndarray | np.int64, whole: np.ndarray | np.int64) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / whole, np.float64)


def _mean(shares: Shares) -> float:
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if known.size else float("nan")


class ClassRow(NamedTuple):
    """Each class's intersection over union, after an epoch that was evaluated.

    Attributes:
        epoch: from 1.
        step: steps done by then.
        iu: of each class, in [0, 1]; nan where the truth lacks the class.
    """

    epoch: int
    step: int
    iu: tuple[float, ...]

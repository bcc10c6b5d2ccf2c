"""Find images that hold far more of a class than the others: often a filled outline."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

ENOUGH = 12  # images with a class, at least: fewer show nothing usual
TIMES = 5.0  # a share of the image is unusual above this many times the ninth decile of the others
PART = 0.1  # of the class's pixels that the image holds, at least: less hardly matters


@dataclass(frozen=True)
class UnusualShare:
    """An image with an unusual share of a class.

    Attributes:
        index: of the image.
        label: the class.
        share: of the image's labelled pixels, in [0, 1].
        part: of the pixels of the class in all images, in [0, 1].
        usual: median share of the class in the other images that have it.
    """

    index: int
    label: int
    share: float
    part: float
    usual: float


def unusual_shares(counts: Int64[np.ndarray, "N K"]) -> Iterator[UnusualShare]:
    """Yield the unusual shares, by class.

    Args:
        counts: pixels of each class in each image.
    """
    totals = np.maximum(1, counts.sum(1))
    for label, pixels in enumerate(counts.T):
        present = np.flatnonzero(pixels)
        if len(present) < ENOUGH:
            continue
        shares = pixels[present] / totals[present]
        for position, index in enumerate(present):
            others = np.delete(shares, position)
            part = float(pixels[index] / pixels.sum())
            if part >= PART and shares[position] > TIMES * np.quantile(others, 0.9):
                usual = float(np.median(others))
                yield UnusualShare(int(index), label, float(shares[position]), part, usual)

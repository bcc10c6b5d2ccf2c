"""Suspected label errors: regions where a confident prediction contradicts the labels.

Pixels near a boundary between classes are left out, since labels are imprecise there everywhere. A
region's score is the square root of its area times the mean logarithm of how much more probable the
predicted class is than the labelled one. On CamVid's val split with injected errors, this finds 58
% of them among the first 2 N suspects; the mean margin of confident pixels finds 51 %.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import find_objects, label
from torch import Tensor

from fullconv.evaluation.image_table import near_boundary

MIN_PIXELS = 50
MARGIN = 2  # pixels from a boundary between classes up to which nothing is suspected
FLOOR = 1e-4  # added to probabilities, so one certain pixel does not decide
EIGHT = np.ones((3, 3), bool)

Labels = UInt8[np.ndarray, "H W"]


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Suspect:
    """A region whose label may be wrong.

    Attributes:
        name: of the image.
        given: its class in the labels.
        expected: the class that is predicted.
        score: larger is more suspicious.
        top: first row.
        left: first column.
        mask: the pixels of the region in its bounding box.
    """

    name: str
    given: int
    expected: int
    score: float
    top: int
    left: int
    mask: Bool[np.ndarray, "h w"] = field(repr=False)

    @property
    def area(self) -> int:
        """Its size in pixels."""
        return int(self.mask.sum())

    def to_dict(self, classes: tuple[str, ...]) -> dict[str, object]:
        """Return the suspect as plain values for JSON."""
        return {
            "image": self.name,
            "given": classes[self.given],
            "expected": classes[self.expected],
            "area": self.area,
            "score": self.score,
            "box": self.box,
        }

    @property
    def box(self) -> list[int]:
        """Its bounding box: x, y, width and height in pixels."""
        height, width = self.mask.shape
        return [self.left, self.top, width, height]

    @property
    def crop(self) -> tuple[slice, slice]:
        """Its bounding box in the image."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass
class SuspectFinder:
    """Keeps the most suspicious regions of a data set.

    Attributes:
        limit: how many are kept.
        found: the suspects, the most suspicious first.
    """

    limit: int
    found: list[Suspect] = field(default_factory=list)

    def add(
        self, name: str, target: Labels, predicted: Labels, score: Float[Tensor, "K H W"]
    ) -> None:
        """Add an image."""
        merged = [*self.found, *suspects_in(name, target, predicted, score)]
        self.found = sorted(merged, key=lambda suspect: -suspect.score)[: self.limit]


def suspects_in(
    name: str, target: Labels, predicted: Labels, score: Float[Tensor, "K H W"]
) -> Iterator[Suspect]:
    """Yield the suspects of an image; 255 is ignored in the labels and the prediction."""
    classes = len(score)
    wrong = (target != predicted) & (target < classes) & (predicted < classes)
    wrong &= ~near_boundary(target, MARGIN)
    for outer, wrong_here in _components(wrong):
        pairs = np.where(
            wrong_here, target[outer].astype(np.int32) * classes + predicted[outer], -1
        )
        values, counts = np.unique(pairs[wrong_here], return_counts=True)
        for pair in values[counts >= MIN_PIXELS].tolist():
            given, expected = divmod(pair, classes)
            for box, mask in _components(pairs == pair):
                top, left = (part.start + o.start for part, o in zip(outer, box, strict=True))
                crop = score[:, top : top + mask.shape[0], left : left + mask.shape[1]]
                value = math.sqrt(mask.sum()) * _log_ratio(crop[:, mask], given, expected)
                yield Suspect(name, given, expected, value, top, left, mask)


def _components(
    mask: Bool[np.ndarray, "H W"],
) -> Iterator[tuple[tuple[slice, slice], Bool[np.ndarray, "h w"]]]:
    """Yield the bounding box and the pixels of the 8-connected regions of `MIN_PIXELS` or more."""
    index, count = label(mask, EIGHT)
    sizes = np.bincount(index.ravel(), minlength=count + 1)
    for number, box in enumerate(find_objects(index), 1):
        if sizes[number] >= MIN_PIXELS:
            yield box, index[box] == number


def _log_ratio(score: Float[Tensor, "K P"], given: int, expected: int) -> float:
    """Return the mean logarithm of the ratio of the two probabilities, each plus `FLOOR`."""
    probabilities = score.float().cpu().softmax(0) + FLOOR
    return float((probabilities[expected] / probabilities[given]).log().mean())


def trained_on(split: str) -> str:
    """Return a warning if the model learned from the labels of this split, or ""."""
    if split not in ("train", "all"):
        return ""
    return (
        "the model was trained on these images if they are its own: the suspects show only what it "
        "did not learn. Train on one half and look at the other, and the reverse"
    )

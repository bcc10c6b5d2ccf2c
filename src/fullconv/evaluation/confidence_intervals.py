"""Confidence intervals of metrics, and the unit of images that they are resampled by.

Neighbouring frames of a video are alike, so resampling single images would promise too much: the
interval of CamVid's val split becomes 1.6 times as wide if blocks of frames are resampled.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float64, Int64

from fullconv.data.discovery.resplit import sample_groups
from fullconv.evaluation.image_counts import ImageCounts, class_iou, mean_known
from fullconv.units import count as count_of

MIN_UNITS = 8  # with fewer, an interval would tell nothing
RESAMPLES = 2000
MOST_WEIGHTS = 1 << 22  # that are drawn at a time: 32 MB
LEVEL = 0.95
SEED = 0

Interval = tuple[float, float]


@dataclass(frozen=True)
class Units:
    """What is resampled: groups of images, blocks of consecutive frames, or images.

    Attributes:
        kind: "groups", "clips", "blocks" or "images".
        index: the unit of each image, from 0.
    """

    kind: str
    index: Int64[np.ndarray, " N"]

    def __len__(self) -> int:
        return int(self.index.max(initial=-1)) + 1

    @property
    def enough(self) -> bool:
        """Whether there are enough units for an interval."""
        return len(self) >= MIN_UNITS

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of the images' values in each unit."""
        total = np.zeros((len(self), *values.shape[1:]), values.dtype)
        np.add.at(total, self.index, values)
        return total

    def __str__(self) -> str:
        if self.kind != "blocks":
            return count_of(len(self), self.kind[:-1])
        size = len(self.index) / max(1, len(self))
        return f"{count_of(len(self), 'block')} of about {size:.0f} consecutive frames"


def choose_units(names: Sequence[str], groups: Sequence[str] | None = None) -> Units:
    """Choose what is resampled.

    Groups if there are at least `MIN_UNITS`; else clips by the names ("0016E5_00390" is of
    "0016E5") if there are as many; else blocks of consecutive frames of a clip; else images.

    Args:
        names: names of the images.
        groups: the group of each image, if the user named a rule.
    """
    if groups is not None and len(set(groups)) >= MIN_UNITS:
        return Units("groups", _numbered(groups))
    clip = sample_groups("clip")
    clips = [clip(name) if clip(name) != name else f"{name}\0" for name in names]
    if len(set(clips)) == len(names):
        return Units("images", np.arange(len(names)))
    if len(set(clips)) >= MIN_UNITS:
        return Units("clips", _numbered(clips))
    return Units("blocks", _blocks(names, clips))


@dataclass(frozen=True)
class Resampled:
    """Mean IoU (D) and the IoU of each class in each resample, and their intervals.

    Attributes:
        units: what was resampled.
        mean_iou: in each resample; without any if there are too few units.
        iou: of each class in each resample.
    """

    units: Units
    mean_iou: Float64[np.ndarray, " B"]
    iou: Float64[np.ndarray, "B K"]

    @property
    def interval(self) -> Interval | None:
        """The interval of mean IoU (D); None with too few units."""
        return percentile_interval(self.mean_iou, len(self.units))

    @property
    def class_intervals(self) -> list[Interval | None]:
        """The interval of each class's IoU; None with too few units or for an absent class."""
        return [percentile_interval(column, len(self.units)) for column in self.iou.T]


def resample(images: ImageCounts, units: Units) -> Resampled:
    """Resample units with replacement, and compute IoU from the summed counts of each resample."""
    classes = images.values.shape[1]
    if not units.enough:
        return Resampled(units, np.zeros(0), np.zeros((0, classes)))
    sums = units.sums(images.values).reshape(len(units), -1)
    counts = resampled_sums(sums).reshape(-1, classes, 3)
    iou = class_iou(counts)
    return Resampled(units, mean_known(iou), iou)


def resampled_sums(sums: Int64[np.ndarray, "U N"]) -> Int64[np.ndarray, "B N"]:
    """Return the sums over the units that each resample takes."""
    return np.concatenate([weights @ sums for weights in resample_weights(len(sums))])


def resample_weights(units: int) -> Iterator[Int64[np.ndarray, "rows U"]]:
    """Yield how often each of `RESAMPLES` takes each unit, equal in every run, in parts."""
    random = np.random.default_rng(SEED)
    rows = max(1, MOST_WEIGHTS // units)
    for first in range(0, RESAMPLES, rows):
        taken = min(rows, RESAMPLES - first)
        yield random.multinomial(units, np.full(units, 1 / units), taken)


def percentile_interval(values: Float64[np.ndarray, " B"], units: int) -> Interval | None:
    """Return the percentile interval of resampled values; None without any.

    The percentiles are expanded as Hesterberg (The American Statistician, 2015) recommends for few
    units: plain percentiles miss the true value too often by the ratio of Student's t to the normal
    distribution and by the square root of n / (n - 1).
    """
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    low, high = np.quantile(known, [expanded_tail(units), 1 - expanded_tail(units)])
    return float(low), float(high)


def expanded_tail(units: int) -> float:
    """Return the share of the resamples beyond each end of an interval."""
    from scipy.special import stdtrit  # slow to import, as all of scipy

    quantile = float(stdtrit(units - 1, (1 + LEVEL) / 2))
    return NormalDist().cdf(-math.sqrt(units / (units - 1)) * quantile)


def block_length(frames: int) -> int:
    """Return how many consecutive frames make a block.

    1.5 times the cube root: what minimizes the error of a mean's variance if each frame has about
    half of its predecessor's deviation (CamVid's val: 0.43).
    """
    return max(2, round(1.5 * math.cbrt(frames)))


def _blocks(names: Sequence[str], clips: Sequence[str]) -> Int64[np.ndarray, " N"]:
    index = np.zeros(len(names), np.int64)
    length, first = block_length(len(names)), 0
    for clip in dict.fromkeys(clips):
        frames = [i for i, other in enumerate(clips) if other == clip]
        frames.sort(key=lambda i: _frame_number(names[i]))
        parts = max(1, round(len(frames) / length))
        index[frames] = first + np.arange(len(frames)) * parts // len(frames)
        first += parts
    return index


def _frame_number(name: str) -> int:
    match = re.search(r"(\d+)\D*$", name)
    return int(match[1]) if match else 0


def _numbered(groups: Sequence[str]) -> Int64[np.ndarray, " N"]:
    number = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    return np.array([number[group] for group in groups], np.int64)

"""Compare two models on the same images: is the difference more than chance?

Images are paired, and resampled in the units of `confidence_intervals`. Pixels are never compared
on their own, since neighbouring pixels are not independent.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64

from fullconv.data.sample import Data
from fullconv.errors import ConfigError, check_type
from fullconv.evaluation.confidence_intervals import (
    SEED,
    Interval,
    Units,
    choose_units,
    percentile_interval,
    resample,
)
from fullconv.evaluation.evaluate import MODEL, Progress, evaluate
from fullconv.evaluation.evaluation import Evaluation
from fullconv.evaluation.image_counts import ImageCounts, class_iou
from fullconv.evaluation.scores import Scores, check_protocols
from fullconv.model import Model
from fullconv.units import count as count_of

FLIPS = 20_000  # random sign flips of a permutation test
MOST_SIGNS = 1 << 22  # that are drawn at a time: 32 MB
SIGNIFICANT = 0.05
SHOWN = 10  # images that are named where each model is better


@dataclass(frozen=True)
class Difference:
    """A difference of IoU, second minus first.

    Attributes:
        value: the difference; nan if the class is absent.
        interval: its confidence interval; None with too few units.
        p: two-sided p-value of a sign-flip test over images; for classes adjusted by Holm's rule
            for the number of classes in the labels; nan for the others.
    """

    value: float
    interval: Interval | None
    p: float

    @property
    def is_real(self) -> bool:
        """Whether the interval excludes 0 and p is below 5 %."""
        if self.interval is None or not self.p < SIGNIFICANT:
            return False
        return self.interval[0] > 0 or self.interval[1] < 0

    def cells(self) -> tuple[str, str, str]:
        """Return the difference in points, its interval and p as text; "-" if unknown."""
        if math.isnan(self.value):
            return "-", "-", "-"
        interval = " to ".join(map(_signed, self.interval)) if self.interval else "-"
        return _signed(self.value), interval, f"{self.p:.3f}"

    def to_dict(self) -> dict[str, object]:
        """Return the values for JSON; nan is None."""
        numbers = {"difference": _known(self.value), "interval": self.interval, "p": _known(self.p)}
        return {**numbers, "real": self.is_real}


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare by
class Comparison:
    """Two models on the same images; differences are second minus first.

    Attributes:
        first: scores of the first model.
        second: scores of the second model.
        units: what was resampled.
        mean_iou: difference of mean IoU over the data set (D).
        mean_iou_images: difference of mean IoU over images (I), without an interval of its own.
        classes: class name -> difference of its IoU.
        images: difference of each image's mean IoU; nan without target pixels.
        groups: group -> difference of its mean IoU (D).
        image_groups: the group of each image; () without a rule for groups.
        warning: how the protocols differ, if they were to be compared anyway; else "".
    """

    first: Scores
    second: Scores
    units: Units
    mean_iou: Difference
    mean_iou_images: float
    classes: dict[str, Difference]
    images: Float64[np.ndarray, " N"] = field(repr=False)
    groups: dict[str, float]
    image_groups: tuple[str, ...] = field(default=(), repr=False)
    warning: str = ""

    @property
    def won(self) -> int:
        """Images in which the second model is better."""
        return int((self.images > 0).sum())

    @property
    def lost(self) -> int:
        """Images in which the first model is better."""
        return int((self.images < 0).sum())

    @property
    def opposite_groups(self) -> dict[str, float]:
        """The groups in which the other model is better than over all images."""
        sign = math.copysign(1, self.mean_iou.value)
        return {name: value for name, value in self.groups.items() if value * sign < 0}

    @property
    def images_needed(self) -> int | None:
        """Roughly how many images would show this difference; None if unknown."""
        interval, value = self.mean_iou.interval, self.mean_iou.value
        if interval is None or not value:
            return None
        return math.ceil(len(self.images) * ((interval[1] - interval[0]) / 2 / value) ** 2)

    def largest(self, better: int) -> list[str]:
        """Return the images where the second (1) or the first (-1) is better by most."""
        order = np.argsort(-better * self.images, kind="stable")
        names = self.first.counts.names
        return [names[index] for index in order[:SHOWN] if better * self.images[index] > 0]

    def sentence(self) -> str:
        """Return the verdict in words."""
        value, images = self.mean_iou.value, count_of(len(self.images), "image")
        if math.isnan(value):
            return "nothing can be compared: no image has labels"
        if self.mean_iou.interval is None:
            return (
                f"too few to tell: {self.units}; the difference of mean IoU is {_signed(value)} "
                "points"
            )
        low, high = map(_signed, self.mean_iou.interval)
        numbers = f"{_signed(value)} points of mean IoU [{low}, {high}], p {_format_p(self)}"
        if self.mean_iou.is_real:
            better = self.second if value > 0 else self.first
            return f"{better.name} is better: {numbers}"
        needed = self.images_needed
        would = f"; about {needed:,} would do if the difference is real" if needed else ""
        if needed is not None and needed <= len(self.images):
            would = ""
        return f"cannot be told apart with these {images}: {numbers}{would}"

    def to_dict(self) -> dict[str, object]:
        """Return the comparison as plain values for JSON; nan is None."""
        return {
            "first": self.first.name,
            "second": self.second.name,
            "mean_iou": [_known(scores.counts.mean_iou) for scores in (self.first, self.second)],
            "difference": self.mean_iou.to_dict(),
            "difference_images": _known(self.mean_iou_images),
            "per_class": {name: value.to_dict() for name, value in self.classes.items()},
            "images": len(self.images),
            "images_won": self.won,
            "images_lost": self.lost,
            "images_needed": self.images_needed,
            "unit": str(self.units),
            "groups": self.groups,
            "opposite_groups": [*self.opposite_groups],
            "second_better_in": self.largest(1),
            "first_better_in": self.largest(-1),
            "protocol": [self.first.protocol, self.second.protocol],
            "warning": self.warning,
            "verdict": self.sentence(),
        }


def compare(
    first: Model | Evaluation,
    second: Model | Evaluation,
    data: Data | None = None,
    *,
    names: tuple[str, str] = ("A", "B"),
    anyway: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two models, or evaluations, on the same images.

    Args:
        first: a model or its evaluation.
        second: the other one; differences are second minus first.
        data: the data set; needed for models.
        names: of the two, for the verdict.
        anyway: compare them although they were evaluated differently.
        progress: see `evaluate`.

    Raises:
        ConfigError: the protocols, images or labels differ, data for a model is missing, or an
            argument has another type.
        DataError: the data set has other classes than a model.
    """
    evaluations = []
    for item in (first, second):
        if isinstance(item, Model):
            if data is None:
                raise ConfigError("no data set to evaluate the models on; give `data`")
            evaluations.append(evaluate(item, data, progress=progress))
        else:
            check_type("what is compared", item, Evaluation, f"{MODEL}, or its fc.evaluate")
            evaluations.append(item)
    one, other = map(Scores.of, evaluations, names)
    return compare_scores(one, other, anyway)


def compare_scores(first: Scores, second: Scores, anyway: bool = False) -> Comparison:
    """Compare two sets of scores; see `compare`."""
    warning = "; ".join(check_protocols(first, second, anyway))
    labelled = first.counts.present.any(1) & second.counts.present.any(1)
    valid = np.flatnonzero(labelled).tolist()
    one, other = first.counts.take(valid), second.counts.take(valid)
    groups = [first.groups[index] for index in valid] if first.groups else None
    units = choose_units(one.names, groups)
    resampled = resample(one, units), resample(other, units)  # by the same weights
    differences = resampled[1].iou - resampled[0].iou
    of_class = class_iou(other.total) - class_iou(one.total)
    images = other.image_iou - one.image_iou
    of_images = np.column_stack([np.nan_to_num(other.iou - one.iou), images])
    *p_of_each, p_of_mean = flip_p(units.sums(of_images)).tolist()
    p_of_classes = holm(np.where(np.isnan(of_class), np.nan, p_of_each))
    rows = zip(first.classes, of_class.tolist(), differences.T, p_of_classes, strict=True)
    mean = Difference(
        other.mean_iou - one.mean_iou,
        percentile_interval(resampled[1].mean_iou - resampled[0].mean_iou, len(units)),
        p_of_mean,
    )
    return Comparison(
        replace(first, counts=one),
        replace(second, counts=other),
        units,
        mean,
        float(images.mean()) if images.size else math.nan,
        {
            name: Difference(value, percentile_interval(column, len(units)), p)
            for name, value, column, p in rows
        },
        images,
        _group_differences(one, other, groups),
        tuple(groups or ()),
        warning,
    )


def sign_flips(units: int) -> Iterator[Float64[np.ndarray, "rows U"]]:
    """Yield `FLIPS` rows of random signs for a permutation test, equal in every run, in parts."""
    random = np.random.default_rng(SEED)
    rows = max(1, MOST_SIGNS // max(1, units))
    for first in range(0, FLIPS, rows):
        yield random.choice((-1.0, 1.0), (min(rows, FLIPS - first), units))


def flip_p(values: Float64[np.ndarray, "U N"]) -> Float64[np.ndarray, " N"]:
    """Return for each column the two-sided p-value of a mean that is not 0, by flipping signs."""
    limit = np.abs(values.sum(0)) * (1 - 1e-9) - 1e-12
    reached = np.zeros(values.shape[1], np.int64)
    for flips in sign_flips(len(values)):
        reached += (np.abs(flips @ values) >= limit).sum(0)
    return np.asarray((reached + 1) / (FLIPS + 1))


def holm(p_values: Sequence[float] | Float64[np.ndarray, " N"]) -> list[float]:
    """Return p-values adjusted for their number by Holm's rule; nan is no test and stays nan."""
    result = np.array(p_values, np.float64)
    tested = np.flatnonzero(~np.isnan(result))
    order = tested[np.argsort(result[tested], kind="stable")]
    factors = len(order) - np.arange(len(order))
    result[order] = np.maximum.accumulate(np.minimum(1, result[order] * factors))
    return [float(p) for p in result]


def _group_differences(
    one: ImageCounts, other: ImageCounts, groups: Sequence[str] | None
) -> dict[str, float]:
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups or ()):
        members.setdefault(group, []).append(index)
    return {
        group: other.take(indices).mean_iou - one.take(indices).mean_iou
        for group, indices in members.items()
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _signed(value: float) -> str:
    return f"{100 * value:+.2f}"


def _format_p(comparison: Comparison) -> str:
    p = comparison.mean_iou.p
    return "< 0.001" if p < 0.001 else f"{p:.3f}"

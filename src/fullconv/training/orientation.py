"""Decide whether photos have an up and a down: without, they may be turned in training."""

from collections.abc import Iterator, Sequence
from math import inf, sqrt
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from fullconv.config import TrainConfig
from fullconv.data.sample import Data, Sample

Config = TypeVar("Config", bound=TrainConfig)

LOOKED_AT = 48  # samples, at most, evenly spaced
ENOUGH = 12  # samples of which a class, or the light, is measured; fewer prove nothing
CHANCE = 3.0  # standard errors of a mean that is not there: one in 370
LEAST = 0.02  # of the height, or of the range of brightness: smaller means do not matter
TURNED = (
    "photos are also turned and flipped upside down, since neither their masks nor their light "
    "tell up from down (--set turn=false)"
)


def resolve_turning(config: Config, data: Data) -> tuple[Config, str]:
    """Return the settings with `turn` decided, and a sentence if photos will be turned."""
    if config.turn is not None:
        return config, ""
    turn = config.flip and not config.rotate and has_no_up(data)
    return config.model_copy(update={"turn": turn}), TURNED if turn else ""


def has_no_up(data: Data) -> bool:
    """Whether the photos of a data set look alike upside down, as those of a microscope do.

    They do not if any class tends to be above or below the middle, or the light to come from
    above or below: if its mean over the photos is more than `CHANCE` standard errors from none.
    Classes of all heads count.
    """
    if len(data) < ENOUGH:
        return False
    chosen = range(0, len(data), max(1, -(-len(data) // LOOKED_AT)))
    classes = [len(head.classes) for head in data.heads] or [len(data.classes)]
    rows = np.array([_tendencies(data[index], classes) for index in chosen])
    return not any(_is_certain(column[~np.isnan(column)]) for column in rows.T)


def _tendencies(sample: Sample, classes: Sequence[int]) -> list[float]:
    """Return how far each class is below the middle, and how much brighter the lower half is.

    In heights, from -0.5 to 0.5, and in shares of the range of values; nan for absent classes.
    `classes` has the number of each head.
    """
    heads = (sample.labels, *sample.others)
    height = len(sample.labels)
    down = (np.arange(height) + 0.5) / height - 0.5
    half = height // 2
    light = sample.image.mean((1, 2)) / 255
    found = [
        row
        for labels, number in zip(heads, classes, strict=True)
        for row in _class_rows(labels, number, down)
    ]
    return [*found, float(light[height - half :].mean() - light[:half].mean()) if half else np.nan]


def _class_rows(
    labels: np.ndarray, classes: int, down: Float64[np.ndarray, " H"]
) -> Iterator[float]:
    for label in range(classes):
        counts = (labels == label).sum(1)
        yield float(counts @ down / counts.sum()) if counts.any() else np.nan


def _is_certain(values: Float64[np.ndarray, " _"]) -> bool:
    """Whether a mean differs from 0 by more than chance, and by enough to matter."""
    if len(values) < ENOUGH:
        return False
    spread = float(values.std(ddof=1)) / sqrt(len(values))
    mean = abs(float(values.mean()))
    return mean > LEAST and (mean / spread if spread else inf) > CHANCE

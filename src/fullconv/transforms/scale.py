"""Larger and smaller: a random zoom, and the fitting into a working size."""

from dataclasses import dataclass, replace

import numpy as np

from fullconv.images import scale_image, scale_labels
from fullconv.sample import Sample


@dataclass(frozen=True)
class Scale:
    """Zoom by a factor drawn between `low` and `high`, evenly in its logarithm."""

    low: float
    high: float

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample in another size."""
        return resized(sample, float(np.exp(random.uniform(np.log(self.low), np.log(self.high)))))


def fit(sample: Sample, size: tuple[int, int] | None) -> Sample:
    """Scale a sample down, keeping its shape, until it fits into `size`; never up."""
    height, width = sample.labels.shape
    factor = min(1.0, size[0] / height, size[1] / width) if size else 1.0
    return resized(sample, factor)


def resized(sample: Sample, factor: float) -> Sample:
    """The sample `factor` times as large, at least 1 x 1; labels take the nearest pixel's."""
    height, width = sample.labels.shape
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    return replace(
        sample, image=scale_image(sample.image, size), labels=scale_labels(sample.labels, size)
    )

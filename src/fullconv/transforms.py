"""Sample -> Sample for training; every number is drawn from (seed, epoch, index) alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from fullconv.config import TrainConfig
from fullconv.images import scale_image, scale_labels
from fullconv.sample import VOID, Sample

Transform = Callable[[Sample, np.random.Generator], Sample]

FILL = (124, 116, 104)
"""ImageNet's mean colour: what a photo is filled up with, under void labels."""


def generator(*key: int) -> np.random.Generator:
    """A generator that follows from whole numbers, such as (seed, epoch, index), and no state."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


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


@dataclass(frozen=True)
class Flip:
    """Mirror left and right, every second time."""

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample or its mirror image."""
        if random.random() < 0.5:
            return sample
        mirrored = np.ascontiguousarray(sample.image[:, ::-1])
        return replace(sample, image=mirrored, labels=np.ascontiguousarray(sample.labels[:, ::-1]))


@dataclass(frozen=True)
class Scale:
    """Zoom by a factor drawn between `low` and `high`, evenly in its logarithm."""

    low: float
    high: float

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample in another size."""
        return resized(sample, float(np.exp(random.uniform(np.log(self.low), np.log(self.high)))))


@dataclass(frozen=True)
class Crop:
    """A window of `size` (height, width) anywhere; what lies outside the photo is void."""

    size: tuple[int, int]

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample's window, of exactly `size`."""
        height, width = self.size
        rows, columns = sample.labels.shape
        top = int(random.integers(max(0, rows - height) + 1))
        left = int(random.integers(max(0, columns - width) + 1))
        part = (slice(top, top + height), slice(left, left + width))
        return replace(
            sample,
            image=_filled(sample.image[part], self.size, FILL),
            labels=_filled(sample.labels[part], self.size, VOID),
        )


@dataclass(frozen=True)
class Jitter:
    """Change brightness, contrast and saturation by up to `strength` (0.2: 20 %) each way."""

    strength: float

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample in another light; its labels are the same."""
        brightness, contrast, saturation = random.uniform(-self.strength, self.strength, 3) + 1
        image = sample.image.astype(np.float32)
        grey = image.mean(2, keepdims=True)
        image = grey + (image - grey) * np.float32(saturation)
        middle = image.mean()
        image = (middle + (image - middle) * np.float32(contrast)) * np.float32(brightness)
        return replace(sample, image=image.round().clip(0, 255).astype(np.uint8))


def augmentation(config: TrainConfig, crop: tuple[int, int] | None) -> tuple[Transform, ...]:
    """What `config` says happens to a training sample, in order."""
    steps: list[Transform] = []
    if config.flip:
        steps.append(Flip())
    if config.scale != (1.0, 1.0):
        steps.append(Scale(*config.scale))
    if crop:
        steps.append(Crop(crop))
    if config.jitter:
        steps.append(Jitter(config.jitter))
    return tuple(steps)


def apply(steps: Iterable[Transform], sample: Sample, random: np.random.Generator) -> Sample:
    """The sample after every step."""
    for step in steps:
        sample = step(sample, random)
    return sample


def _filled(array: np.ndarray, size: tuple[int, int], value: int | tuple[int, ...]) -> np.ndarray:
    if array.shape[:2] == size:
        return np.ascontiguousarray(array)
    full = np.empty((*size, *array.shape[2:]), array.dtype)
    full[:] = value
    full[: array.shape[0], : array.shape[1]] = array
    return full

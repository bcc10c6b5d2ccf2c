"""Data augmentation. Random numbers depend only on (seed, epoch, index), not on a state.

A transform maps (Sample, generator) to Sample. This module puts them in order.
"""

from collections.abc import Callable, Iterable

import numpy as np

from fullconv.config import TrainConfig
from fullconv.data.sample import Sample
from fullconv.data.transforms.geometric import FILL, Crop, Flip, Rotate, Zoom, fit, rescale
from fullconv.data.transforms.photometric import Blur, Jitter

__all__ = [
    "FILL",
    "Blur",
    "Crop",
    "Flip",
    "Jitter",
    "Rotate",
    "Zoom",
    "apply",
    "augment",
    "augmentation",
    "fit",
    "generator",
    "rescale",
]

Transform = Callable[[Sample, np.random.Generator], Sample]

# Part of the key of augmentation's random numbers, to separate them from other uses of the seed.
AUGMENT = 1


def generator(*key: int) -> np.random.Generator:
    """Return a generator that depends only on integers such as (seed, epoch, index)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def augmentation(config: TrainConfig, crop: tuple[int, int] | None) -> tuple[Transform, ...]:
    """Return the transforms of a training sample, in order."""
    transforms: list[Transform] = []
    if config.flip:
        transforms.append(Flip())
    if config.zoom != (1.0, 1.0):
        transforms.append(Zoom(*config.zoom))
    if config.rotate:
        transforms.append(Rotate(config.rotate))
    if crop:
        transforms.append(Crop(crop, config.class_crops))
    if config.jitter:
        transforms.append(Jitter(config.jitter))
    if config.blur:
        transforms.append(Blur(config.blur))
    return tuple(transforms)


def apply(transforms: Iterable[Transform], sample: Sample, random: np.random.Generator) -> Sample:
    """Apply transforms one after the other."""
    for transform in transforms:
        sample = transform(sample, random)
    return sample


def augment(sample: Sample, config: TrainConfig, epoch: int, index: int) -> Sample:
    """Return a sample as training uses it in an epoch: scaled as for prediction, then augmented.

    Args:
        sample: the sample at its original size.
        config: training size, augmentation and seed.
        epoch: number of the epoch, from 0.
        index: index of the sample in its data set.
    """
    random = generator(config.seed, AUGMENT, epoch, index)
    fitted = fit(sample, config.size, config.input_scale or 1.0)
    return apply(augmentation(config, config.crop_size), fitted, random)

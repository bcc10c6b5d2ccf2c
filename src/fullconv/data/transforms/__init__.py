"""Data augmentation. Random numbers depend only on (seed, epoch, index), not on a state.

A transform maps (Sample, generator) to Sample. This module puts them in order.
"""

from collections.abc import Callable, Iterable

import numpy as np

from fullconv.config import TrainConfig
from fullconv.data.sample import Sample
from fullconv.data.transforms.geometric import (
    FILL,
    Crop,
    Flip,
    Rotate,
    Turn,
    Zoom,
    ZoomedCrop,
    fit,
    rescale,
)
from fullconv.data.transforms.photometric import Blur, Jitter

__all__ = [
    "FILL",
    "Blur",
    "Crop",
    "Flip",
    "Jitter",
    "Rotate",
    "Turn",
    "Zoom",
    "ZoomedCrop",
    "apply",
    "augment",
    "augmentation",
    "fit",
    "fitted",
    "generator",
    "rescale",
    "vary",
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
    zoom = Zoom(*config.zoom) if config.zoom != (1.0, 1.0) else None
    cut = Crop(crop, config.class_crops) if crop else None
    if config.flip:
        transforms.append(Flip())
    if config.turn:
        quarter = crop is not None and crop[0] == crop[1]
        transforms.append(Turn(quarter, mirror=config.flip))
    if zoom and cut and not config.rotate:
        transforms.append(ZoomedCrop(zoom, cut))
    else:
        turned = Rotate(config.rotate) if config.rotate else None
        transforms += [transform for transform in (zoom, turned, cut) if transform]
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
    return vary(fitted(sample, config), config, epoch, index)


def fitted(sample: Sample, config: TrainConfig) -> Sample:
    """Return a sample at the size of training and prediction, before its augmentation."""
    return fit(sample, config.size, config.input_scale or 1.0)


def vary(sample: Sample, config: TrainConfig, epoch: int, index: int) -> Sample:
    """Return a fitted sample as `augment` varies it."""
    random = generator(config.seed, AUGMENT, epoch, index)
    return apply(augmentation(config, config.crop_size), sample, random)

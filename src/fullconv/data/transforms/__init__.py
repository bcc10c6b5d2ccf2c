"""Sample -> Sample for training; every number is drawn from (seed, epoch, index) alone.

One file a transform. What a photo and its labels go through together is their order here.
"""

from collections.abc import Callable, Iterable

import numpy as np

from fullconv.config import TrainConfig
from fullconv.data.sample import Sample
from fullconv.data.transforms.geometric import (
    FILL as FILL,
)
from fullconv.data.transforms.geometric import (
    Crop as Crop,
)
from fullconv.data.transforms.geometric import (
    Flip as Flip,
)
from fullconv.data.transforms.geometric import (
    Rotate as Rotate,
)
from fullconv.data.transforms.geometric import (
    Scale as Scale,
)
from fullconv.data.transforms.geometric import (
    fit as fit,
)
from fullconv.data.transforms.geometric import (
    resized as resized,
)
from fullconv.data.transforms.photometric import Blur as Blur
from fullconv.data.transforms.photometric import Jitter as Jitter

Transform = Callable[[Sample, np.random.Generator], Sample]

# Part of the key that augmentation is drawn from, so that no other use of the seed shares it.
AUGMENT = 1


def generator(*key: int) -> np.random.Generator:
    """A generator that follows from whole numbers, such as (seed, epoch, index), and no state."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def augmentation(config: TrainConfig, crop: tuple[int, int] | None) -> tuple[Transform, ...]:
    """What `config` says happens to a training sample, in order."""
    steps: list[Transform] = []
    if config.flip:
        steps.append(Flip())
    if config.scale != (1.0, 1.0):
        steps.append(Scale(*config.scale))
    if config.rotate:
        steps.append(Rotate(config.rotate))
    if crop:
        steps.append(Crop(crop, config.class_crops))
    if config.jitter:
        steps.append(Jitter(config.jitter))
    if config.blur:
        steps.append(Blur(config.blur))
    return tuple(steps)


def apply(steps: Iterable[Transform], sample: Sample, random: np.random.Generator) -> Sample:
    """The sample after every step."""
    for step in steps:
        sample = step(sample, random)
    return sample


def seen(sample: Sample, config: TrainConfig, epoch: int, index: int) -> Sample:
    """A sample as training sees it.

    Args:
        sample: as it was read.
        config: the working size, the augmentation and the seed.
        epoch: from 0.
        index: of the sample in its data set.
    """
    random = generator(config.seed, AUGMENT, epoch, index)
    return apply(augmentation(config, config.crop_size), fit(sample, config.size), random)

"""Colour jitter and blur."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from fullconv.data.sample import Sample


@dataclass(frozen=True)
class Jitter:
    """Change brightness, contrast and saturation by up to `strength` (0.2: 20 %) each way."""

    strength: float

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample in another light; its labels are the same."""
        brightness, contrast, saturation = (
            np.float32(factor) for factor in random.uniform(-self.strength, self.strength, 3) + 1
        )
        # In place, and the grey from three slices: twice as fast as expressions, to the same bit.
        image = sample.image.astype(np.float32)
        grey = ((image[..., 0] + image[..., 1] + image[..., 2]) / np.float32(3))[..., None]
        image -= grey
        image *= saturation
        image += grey
        middle = image.mean()
        image -= middle
        image *= contrast
        image += middle
        image *= brightness
        np.rint(image, out=image).clip(0, 255, out=image)
        return replace(sample, image=image.astype(np.uint8))


_REACH = 3  # standard deviations; what lies beyond weighs 0.3 %
_SHARP = 0.2  # pixels; below, the neighbours weigh less than one level of 255


@dataclass(frozen=True)
class Blur:
    """Gaussian blur of a standard deviation drawn between 0 and `sigma` pixels."""

    sigma: float

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample with a softer photo; its labels are the same."""
        return replace(sample, image=blurred(sample.image, float(random.uniform(0, self.sigma))))


def blurred(image: UInt8[np.ndarray, "H W 3"], sigma: float) -> UInt8[np.ndarray, "H W 3"]:
    """A photo blurred by `sigma` pixels; beyond its edges it goes on as at them."""
    if sigma < _SHARP:
        return image
    reach = int(np.ceil(_REACH * sigma))
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    soft = image.astype(np.float32)
    for axis in (0, 1):
        soft = _weighed(soft, weights, axis)
    return soft.round().clip(0, 255).astype(np.uint8)


def _weighed(image: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    reach = len(weights) // 2
    padded = np.pad(image, [(reach, reach) if one == axis else (0, 0) for one in range(3)], "edge")
    total = np.zeros_like(image)
    for place, weight in enumerate(weights):
        part = (slice(None),) * axis + (slice(place, place + image.shape[axis]),)
        total += weight * padded[part]
    return total

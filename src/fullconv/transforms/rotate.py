"""A small turn, as of a camera that is not held level."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.nn.functional import grid_sample

from fullconv.sample import VOID, Sample
from fullconv.transforms.crop import FILL


@dataclass(frozen=True)
class Rotate:
    """Turn about the middle by up to `degrees` each way; corners that open are void."""

    degrees: float

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample, turned, in its size."""
        return rotated(sample, float(random.uniform(-self.degrees, self.degrees)))


def rotated(sample: Sample, degrees: float) -> Sample:
    """The sample turned counter-clockwise: photos bilinearly, labels by the nearest pixel."""
    grid = _grid(sample.labels.shape, np.deg2rad(degrees))
    image = _sampled(sample.image, grid, "bilinear", np.array(FILL, np.float32))
    labels = _sampled(sample.labels[..., None], grid, "nearest", np.array([VOID], np.float32))
    return replace(sample, image=image, labels=labels[..., 0])


def _grid(size: tuple[int, ...], angle: float) -> Float32[np.ndarray, "1 H W 2"]:
    """Where each pixel comes from, as (x, y) in which the picture reaches from -1 to 1.

    Elementwise and not a product of matrices, whose last bit may depend on the number of threads.
    """
    height, width = size
    down = np.arange(height)[:, None] - (height - 1) / 2
    right = np.arange(width)[None] - (width - 1) / 2
    cosine, sine = np.cos(angle), np.sin(angle)
    x = (cosine * right - sine * down) * (2 / width)
    y = (sine * right + cosine * down) * (2 / height)
    return np.stack([x, y], -1).astype(np.float32)[None]


def _sampled(
    raster: UInt8[np.ndarray, "H W C"],
    grid: Float32[np.ndarray, "1 H W 2"],
    mode: str,
    fill: Float32[np.ndarray, " C"],
) -> UInt8[np.ndarray, "H W C"]:
    # Outside is 0, so that with the fill taken off before and put back after it is the fill.
    values = torch.from_numpy(np.ascontiguousarray((raster - fill).transpose(2, 0, 1)))[None]
    turned = grid_sample(values, torch.from_numpy(grid), mode, "zeros", align_corners=False)
    back = turned[0].numpy().transpose(1, 2, 0) + fill
    return np.ascontiguousarray(back.round().clip(0, 255).astype(np.uint8))

"""Flip, scale, rotate, crop."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.nn.functional import grid_sample

from fullconv.data.sample import Sample
from fullconv.io.images import fit_size, scale_image, scale_labels
from fullconv.io.palettes import VOID

FILL = (124, 116, 104)
"""ImageNet's mean colour: what a photo is filled up with, under void labels."""


@dataclass(frozen=True)
class Crop:
    """A window of `size` (height, width); what lies outside the photo is void.

    Attributes:
        size: (height, width).
        rare: share of the windows, in [0, 1], that hold a pixel of a rare class: one of the rarer
            half of the classes in the photo, each as likely as the others. The rest lie anywhere.
    """

    size: tuple[int, int]
    rare: float = 0.0

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """The sample's window, of exactly `size`."""
        around = None
        if self.rare and random.random() < self.rare:
            around = rare_pixel(sample.labels, random)
        height, width = self.size
        rows, columns = sample.labels.shape
        row, column = around or (None, None)
        top, left = _start(rows, height, row, random), _start(columns, width, column, random)
        part = (slice(top, top + height), slice(left, left + width))
        return replace(
            sample,
            image=_filled(sample.image[part], self.size, FILL),
            labels=_filled(sample.labels[part], self.size, VOID),
        )


def rare_pixel(
    labels: UInt8[np.ndarray, "H W"], random: np.random.Generator
) -> tuple[int, int] | None:
    """Any pixel (row, column) of any class of the rarer half; None where all is void."""
    counts = np.bincount(labels.ravel(), minlength=256)[:VOID]
    present = np.flatnonzero(counts)
    if not present.size:
        return None
    rarer = present[np.argsort(counts[present], kind="stable")][: max(1, present.size // 2)]
    places = np.flatnonzero(labels == rarer[random.integers(rarer.size)])
    row, column = divmod(int(places[random.integers(places.size)]), labels.shape[1])
    return row, column


def _start(whole: int, part: int, inside: int | None, random: np.random.Generator) -> int:
    """Where a window of `part` begins on a side of `whole`; it holds the pixel `inside`."""
    last = max(0, whole - part)
    if inside is None:
        return int(random.integers(last + 1))
    return int(random.integers(max(0, inside - part + 1), min(inside, last) + 1))


def _filled(array: np.ndarray, size: tuple[int, int], value: int | tuple[int, ...]) -> np.ndarray:
    if array.shape[:2] == size:
        return np.ascontiguousarray(array)
    full = np.empty((*size, *array.shape[2:]), array.dtype)
    full[:] = value
    full[: array.shape[0], : array.shape[1]] = array
    return full


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
    return _resized(sample, fit_size(sample.labels.shape, size))


def resized(sample: Sample, factor: float) -> Sample:
    """The sample `factor` times as large, at least 1 x 1; labels take the nearest pixel's."""
    return _resized(sample, fit_size(sample.labels.shape, None, factor))


def _resized(sample: Sample, size: tuple[int, int]) -> Sample:
    return replace(
        sample, image=scale_image(sample.image, size), labels=scale_labels(sample.labels, size)
    )

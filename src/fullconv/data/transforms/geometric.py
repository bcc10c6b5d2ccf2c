"""Geometric augmentation: flip, zoom, rotate, crop. Labels are never interpolated."""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.nn.functional import grid_sample

from fullconv.data.sample import Sample
from fullconv.io.images import ScaledImage, fit_size, scale_image, scale_labels
from fullconv.io.palettes import VOID
from fullconv.io.window import Window

FILL = (124, 116, 104)
"""ImageNet's mean colour (RGB): fills images where the labels are ignored."""
OTHER_FILL = 115
"""The same for channels after red, green and blue: the mean of the three."""

LARGE = 6
"""Times a crop's pixels, from which scaling the crop alone is faster than scaling all of it."""


@dataclass(frozen=True)
class Crop:
    """Random crop; pixels outside the image get `FILL` and the ignore label.

    Attributes:
        size: (height, width) in pixels.
        rare: share of the crops, in [0, 1], that are placed on a pixel of a rare class, drawn
            uniformly from the rarer half of the classes in the image.
    """

    size: tuple[int, int]
    rare: float = 0.0

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """Return a crop of exactly `size`."""
        region = self.place(sample.labels, random).slices
        return self.filled(sample.moved(sample.image[region], lambda labels: labels[region]))

    def place(self, labels: UInt8[np.ndarray, "H W"], random: np.random.Generator) -> Window:
        """Draw where the crop is, as far as it is inside the image."""
        pixel = None
        if self.rare and random.random() < self.rare:
            pixel = choose_rare_pixel(labels, random)
        height, width = self.size
        rows, columns = labels.shape
        row, column = pixel or (None, None)
        top, left = _start(rows, height, row, random), _start(columns, width, column, random)
        return Window(top, left, min(height, rows - top), min(width, columns - left))

    def filled(self, sample: Sample) -> Sample:
        """Return a sample enlarged to `size`."""
        image = _fill(sample.image, self.size, fill_of(sample.image))
        return sample.moved(image, lambda labels: _fill(labels, self.size, VOID))


def choose_rare_pixel(
    labels: UInt8[np.ndarray, "H W"], random: np.random.Generator
) -> tuple[int, int] | None:
    """Return a pixel (row, column) of a class of the rarer half; None if all are ignored."""
    counts = np.bincount(labels.ravel(), minlength=256)[:VOID]
    present = np.flatnonzero(counts)
    if not present.size:
        return None
    rarer = present[np.argsort(counts[present], kind="stable")][: max(1, present.size // 2)]
    pixels = np.flatnonzero(labels == rarer[random.integers(rarer.size)])
    row, column = divmod(int(pixels[random.integers(pixels.size)]), labels.shape[1])
    return row, column


def fill_of(image: UInt8[np.ndarray, "H W C"]) -> tuple[int, ...]:
    """Return the value of each channel where an image is filled."""
    return (*FILL, *[OTHER_FILL] * (image.shape[2] - len(FILL)))


def _start(side: int, crop: int, pixel: int | None, random: np.random.Generator) -> int:
    """Draw where a crop starts along a side of the image; it contains `pixel` if given."""
    last = max(0, side - crop)
    if pixel is None:
        return int(random.integers(last + 1))
    return int(random.integers(max(0, pixel - crop + 1), min(pixel, last) + 1))


def _fill(array: np.ndarray, size: tuple[int, int], value: int | tuple[int, ...]) -> np.ndarray:
    if array.shape[:2] == size:
        return np.ascontiguousarray(array)
    full = np.empty((*size, *array.shape[2:]), array.dtype)
    full[:] = value
    full[: array.shape[0], : array.shape[1]] = array
    return full


@dataclass(frozen=True)
class Flip:
    """Horizontal flip with probability 0.5."""

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """Return the sample or its mirror image."""
        if random.random() < 0.5:
            return sample
        # Copies: NumPy calls a mirrored column of one pixel contiguous, PyTorch refuses its stride.
        return sample.moved(sample.image[:, ::-1].copy(), lambda labels: labels[:, ::-1].copy())


@dataclass(frozen=True)
class Turn:
    """Flip upside down with probability 0.5, and if `quarter`, swap rows and columns with 0.5.

    After `Flip`, all eight orientations are equally likely; without quarter turns, four.

    Attributes:
        quarter: whether images are also turned by 90 degrees.
        mirror: whether they may be mirrored. If not, they are turned by 180 and by 90 degrees with
            the same probabilities.
    """

    quarter: bool
    mirror: bool = True

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """Return the sample in another orientation."""
        upside_down = random.random() < 0.5
        swapped = self.quarter and random.random() < 0.5

        def turn(array: np.ndarray) -> np.ndarray:
            array = array[::-1] if upside_down else array
            array = array[:, ::-1] if upside_down and not self.mirror else array
            array = array.swapaxes(0, 1) if swapped else array
            return (array[::-1] if swapped and not self.mirror else array).copy()

        return sample.moved(turn(sample.image), turn)


@dataclass(frozen=True)
class Rotate:
    """Random rotation about the center by up to `degrees`; uncovered corners are ignored."""

    degrees: float

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """Return the rotated sample, at its size."""
        return rotate(sample, float(random.uniform(-self.degrees, self.degrees)))


def rotate(sample: Sample, degrees: float) -> Sample:
    """Rotate counter-clockwise: images bilinearly, labels by nearest neighbour."""
    grid = _grid(sample.labels.shape, np.deg2rad(degrees))
    image = _sample_grid(
        sample.image, grid, "bilinear", np.array(fill_of(sample.image), np.float32)
    )
    void = np.array([VOID], np.float32)
    return sample.moved(
        image, lambda labels: _sample_grid(labels[..., None], grid, "nearest", void)[..., 0]
    )


def _grid(size: tuple[int, ...], angle: float) -> Float32[np.ndarray, "1 H W 2"]:
    """Return the source (x, y) of each pixel, in coordinates from -1 to 1.

    Elementwise instead of a matrix product, whose last bit may depend on the number of threads.
    """
    height, width = size
    down = np.arange(height)[:, None] - (height - 1) / 2
    right = np.arange(width)[None] - (width - 1) / 2
    cosine, sine = np.cos(angle), np.sin(angle)
    x = (cosine * right - sine * down) * (2 / width)
    y = (sine * right + cosine * down) * (2 / height)
    return np.stack([x, y], -1).astype(np.float32)[None]


def _sample_grid(
    raster: UInt8[np.ndarray, "H W C"],
    grid: Float32[np.ndarray, "1 H W 2"],
    mode: str,
    fill: Float32[np.ndarray, " C"],
) -> UInt8[np.ndarray, "H W C"]:
    # Pixels outside are 0, so the fill is subtracted before and added after.
    values = torch.from_numpy(np.ascontiguousarray((raster - fill).transpose(2, 0, 1)))[None]
    rotated = grid_sample(values, torch.from_numpy(grid), mode, "zeros", align_corners=False)
    filled = rotated[0].numpy().transpose(1, 2, 0) + fill
    return np.ascontiguousarray(filled.round().clip(0, 255).astype(np.uint8))


@dataclass(frozen=True)
class Zoom:
    """Random zoom by a log-uniform factor between `low` and `high`."""

    low: float
    high: float

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """Return the sample at another size."""
        return rescale(sample, self.draw(random))

    def draw(self, random: np.random.Generator) -> float:
        """Draw a factor."""
        return float(np.exp(random.uniform(np.log(self.low), np.log(self.high))))


@dataclass(frozen=True)
class ZoomedCrop:
    """A zoom and a crop of it; of a large image, only the crop is scaled, with the same result."""

    zoom: Zoom
    crop: Crop

    def __call__(self, sample: Sample, random: np.random.Generator) -> Sample:
        """Return a crop of exactly the crop's size."""
        source = sample.labels.shape
        size = fit_size(source, None, self.zoom.draw(random))
        window = self.crop.place(scale_labels(sample.labels, size), random)
        if prod(size) > LARGE * window.height * window.width:
            scaled = ScaledImage(
                lambda part: sample.image[part.slices], (source[0], source[1]), size
            )
            image = scaled(window)
        else:
            image = scale_image(sample.image, size)[window.slices]
        cut = sample.moved(image, lambda labels: scale_labels(labels, size)[window.slices])
        return self.crop.filled(cut)


def fit(sample: Sample, size: tuple[int, int] | None, factor: float = 1.0) -> Sample:
    """Downscale a sample to fit `size`, keeping the aspect ratio, then scale it by `factor`."""
    return _resized(sample, fit_size(sample.labels.shape, size, factor))


def rescale(sample: Sample, factor: float) -> Sample:
    """Scale by `factor`, to at least 1 x 1: images antialiased, labels by nearest neighbour."""
    return fit(sample, None, factor)


def _resized(sample: Sample, size: tuple[int, int]) -> Sample:
    return sample.moved(scale_image(sample.image, size), lambda labels: scale_labels(labels, size))

"""Resize images and labels."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from fullconv.config import RGB


def fit_size(
    size: tuple[int, ...], limit: tuple[int, int] | None, factor: float = 1.0
) -> tuple[int, int]:
    """Return the (height, width) of an image downscaled to fit `limit`, then scaled by `factor`.

    Training, prediction and test-time augmentation all resize to this size. The aspect ratio is
    kept up to rounding; no side is less than 1. An image is never enlarged to reach `limit`.

    Args:
        size: (height, width, ...) of the image, for example its shape.
        limit: maximum (height, width); None for no limit.
        factor: additional scale, for example of augmentation or test-time augmentation.
    """
    height, width = size[:2]
    shrink = min(1.0, limit[0] / height, limit[1] / width) if limit else 1.0
    return max(1, round(height * shrink * factor)), max(1, round(width * shrink * factor))


def scale_image(
    image: UInt8[np.ndarray, "H W C"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w C"]:
    """Resize an image to `size` (height, width), bilinear and antialiased: the width first.

    Channels after the first three are resized one by one.
    """
    if image.shape[:2] == tuple(size):
        return image
    if image.shape[2] > RGB:
        parts = [image[..., :RGB], *(image[..., at] for at in range(RGB, image.shape[2]))]
        return np.dstack([_resized(np.ascontiguousarray(part), size) for part in parts])
    return _resized(image, size)


def _resized(image: UInt8[np.ndarray, "H W *C"], size: tuple[int, int]) -> np.ndarray:
    # One side after the other: Pillow's own order depends on the sizes and on its version, and
    # windows of a raster are scaled alike (`ScaledImage`).
    wide = Image.fromarray(image).resize((size[1], image.shape[0]), Image.Resampling.BILINEAR)
    return np.array(wide.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def scale_labels(
    labels: UInt8[np.ndarray, "H W"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w"]:
    """Resize labels to `size` (height, width), nearest neighbour."""
    if labels.shape == tuple(size):
        return labels
    resized = Image.fromarray(labels).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.array(resized)

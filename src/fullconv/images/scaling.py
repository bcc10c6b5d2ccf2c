"""Photos and labels in another size."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def scale_image(
    image: UInt8[np.ndarray, "H W 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w 3"]:
    """A photo in another size (height, width), antialiased."""
    if image.shape[:2] == tuple(size):
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(resized)


def scale_labels(
    labels: UInt8[np.ndarray, "H W"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w"]:
    """Labels in another size (height, width): each takes the nearest pixel's, none is invented."""
    if labels.shape == tuple(size):
        return labels
    resized = Image.fromarray(labels).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.array(resized)

"""A random photo, and a file of it with an EXIF orientation."""

import numpy as np
from PIL import Image


def photo(height=6, width=9, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def write_rotated(path, image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(path, exif=exif)

"""A drawn photo, and a file of it that says how it is to be turned."""

import numpy as np
from PIL import Image


def photo(height=6, width=9, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def turned(path, image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(path, exif=exif)

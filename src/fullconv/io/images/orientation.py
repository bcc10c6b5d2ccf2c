"""Rotate images by their EXIF orientation; a damaged EXIF block is as good as none."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from fullconv.io.images.quiet import without_warnings

ORIENTATION = 0x0112  # EXIF's tag
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap height and width

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_ARRAY_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    5: lambda array: array.swapaxes(0, 1),
    6: lambda array: np.rot90(array, -1),
    7: lambda array: np.rot90(array.swapaxes(0, 1), 2),
    8: np.rot90,
}


def turn_sideways(array: np.ndarray, orientation: int) -> np.ndarray:
    """Return an array (H, W, ...) rotated by one of `SIDEWAYS`."""
    return _ARRAY_TURNS[orientation](array)


def orientation_of(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 (as stored) to 8; 1 where it is missing, damaged or unknown.

    Reading it may decode the image.
    """
    try:
        with without_warnings():  # of damaged blocks
            orientation = int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged EXIF block does not make the pixels unreadable
        return 1
    return orientation if orientation in _TURNS else 1


def rotate(picture: Image.Image, orientation: int | None = None) -> Image.Image:
    """Return an image rotated by an EXIF orientation; None is its own. The image itself if 1."""
    turn = _TURNS.get(orientation_of(picture) if orientation is None else orientation)
    return picture if turn is None else picture.transpose(turn)

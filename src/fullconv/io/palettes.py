"""Palettes, the ignore label, and label maps in colour."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Integer, Shaped, UInt8

from fullconv.errors import ConfigError

Color = tuple[int, int, int]
Palette = tuple[Color, ...]

BLOCK_PIXELS = 2**18

VOID = 255
"""The ignore label: such pixels count neither in the loss nor in any metric."""

DARK = 64  # a colour none of whose channels reaches this hides an image without marking it
VOID_COLOR: Color = (224, 224, 192)  # the cream of VOC's border pixels: entry 255 of its palette

# Okabe and Ito (2008): eight colours that colour-blind people can distinguish.
OKABE_ITO: Palette = (
    (0, 0, 0),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def voc_palette(count: int = 256) -> Palette:
    """Return the palette of PASCAL VOC: a label's bits go to red, green and blue in turn."""

    def spread(label: int, channel: int) -> int:
        return sum(((label >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(8))

    return tuple((spread(i, 0), spread(i, 1), spread(i, 2)) for i in range(count))


def full_palette(palette: Palette) -> Palette:
    """Extend a palette to 256 entries: black, and cream for 255, the ignore label.

    Raises:
        ConfigError: more than 255 colours.
    """
    if len(palette) > 255:
        raise ConfigError(
            f"{len(palette)} colours; expected at most 255 (one label of 256 is void)"
        )
    return (*palette, *[(0, 0, 0)] * (255 - len(palette)), VOID_COLOR)


def colorize(labels: Integer[np.ndarray, "H W"], palette: Palette) -> UInt8[np.ndarray, "H W 3"]:
    """Colour a label map; 255 (void) is cream."""
    colors: UInt8[np.ndarray, "H W 3"] = np.array(full_palette(palette), np.uint8)[labels]
    return colors


def overlay(
    image: UInt8[np.ndarray, "H W 3"],
    labels: Integer[np.ndarray, "H W"],
    palette: Palette,
    strength: float = 0.5,
) -> UInt8[np.ndarray, "H W 3"]:
    """Blend the colours of labels over an image; `strength` from 0 (image) to 1 (colours).

    Classes in black or nearly black, usually the background, are left as in the image, which their
    colour would only darken.
    """
    tables = _blending_tables(tuple(map(tuple, palette)), strength)
    blended = np.empty_like(image)
    for pixels, given, result in zip(*map(row_blocks, (labels, image, blended)), strict=True):
        first = pixels.astype(np.intp) * 256  # entry of the label's table
        for channel, table in enumerate(tables):
            result[..., channel] = table.take(first + given[..., channel])
    return blended


@lru_cache(maxsize=8)
def _blending_tables(palette: Palette, strength: float) -> UInt8[np.ndarray, "3 entries"]:
    """Return what each value of a channel becomes under each label, at label * 256 + value."""
    colors = np.array(full_palette(palette), np.float32)[:, None]  # label, value, channel
    opacity = strength * (colors.max(2, keepdims=True) >= DARK)
    values = np.arange(256, dtype=np.float32)[:, None]
    blended = ((1 - opacity) * values + opacity * colors).round().astype(np.uint8)
    return np.ascontiguousarray(blended.reshape(-1, 3).T)


def row_blocks(array: Shaped[np.ndarray, "H W ..."]) -> Iterator[Shaped[np.ndarray, "h W ..."]]:
    """Yield an image by blocks of rows, so what is computed of them takes little memory."""
    height, width = array.shape[:2]
    rows = max(1, BLOCK_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield array[top : top + rows]


def find_errors(
    target: Integer[np.ndarray, "H W"], prediction: Integer[np.ndarray, "H W"]
) -> Bool[np.ndarray, "H W"]:
    """Return where a prediction is wrong; ignored pixels (255) are never wrong."""
    wrong: Bool[np.ndarray, "H W"] = (target != prediction) & (target != VOID)
    return wrong

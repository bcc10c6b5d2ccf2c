"""Palettes, and labels shown in colour."""

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from fullconv.errors import ConfigError

Color = tuple[int, int, int]
Palette = tuple[Color, ...]

VOID_COLOR: Color = (224, 224, 192)  # the cream of VOC's border pixels: entry 255 of its palette

# Okabe and Ito (2008): eight colours that stay apart for the colour-blind.
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
    """The palette of PASCAL VOC: the label's bits, dealt out to red, green and blue in turn."""

    def spread(label: int, channel: int) -> int:
        return sum(((label >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(8))

    return tuple((spread(i, 0), spread(i, 1), spread(i, 2)) for i in range(count))


def full_palette(palette: Palette) -> Palette:
    """`palette` with 256 entries: the rest is black, 255 is void's cream.

    Raises:
        ConfigError: more than 255 colours.
    """
    if len(palette) > 255:
        raise ConfigError(f"{len(palette)} colours; 8-bit labels leave room for 255 and void")
    return (*palette, *[(0, 0, 0)] * (255 - len(palette)), VOID_COLOR)


def colorize(labels: Integer[np.ndarray, "H W"], palette: Palette) -> UInt8[np.ndarray, "H W 3"]:
    """Labels as colours; 255 (void) is cream."""
    colors: UInt8[np.ndarray, "H W 3"] = np.array(full_palette(palette), np.uint8)[labels]
    return colors


def overlay(
    image: UInt8[np.ndarray, "H W 3"],
    labels: Integer[np.ndarray, "H W"],
    palette: Palette,
    strength: float = 0.5,
) -> UInt8[np.ndarray, "H W 3"]:
    """The labels' colours over the photo; `strength` from 0 (photo) to 1 (colours)."""
    mixed = (1 - strength) * image + strength * colorize(labels, palette).astype(np.float32)
    return np.asarray(mixed.round(), np.uint8)


def errors(
    truth: Integer[np.ndarray, "H W"], answer: Integer[np.ndarray, "H W"]
) -> Bool[np.ndarray, "H W"]:
    """Where the answer is wrong; void pixels are never wrong."""
    wrong: Bool[np.ndarray, "H W"] = (truth != answer) & (truth != 255)
    return wrong


VOID = 255
"""The label of pixels that count neither in the loss nor in any metric."""

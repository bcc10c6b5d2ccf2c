"""One photo beside its truth, its answer and its errors: for a file, or in pieces for a page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from fullconv.io.images import encode_jpeg, encode_labels, legend, scale_image, scale_labels
from fullconv.io.palettes import VOID_COLOR, Color, Palette, colorize, errors

PANEL = 640  # pixels; the longer side of a larger photo is scaled down to this
NARROWEST = 160  # pixels; a narrower photo is enlarged by a whole factor
WRONG_COLOR: Color = (255, 45, 45)

# The error panel has indexed colours: greys, 254 for a wrong pixel, 255 for void.
ERROR_PALETTE: Palette = (*((level, level, level) for level in range(254)), WRONG_COLOR)


@dataclass(frozen=True)
class Picture:
    """One photo of the gallery.

    Attributes:
        name: of the sample; its file is called after it.
        image: RGB in [0, 255].
        truth: labels; 255 is void.
        answer: labels; 255 is a pixel without a class.
        mean_iu: of this photo alone, in [0, 1] or nan.
    """

    name: str
    image: UInt8[np.ndarray, "H W 3"]
    truth: UInt8[np.ndarray, "H W"]
    answer: UInt8[np.ndarray, "H W"]
    mean_iu: float


def draw_sample(
    picture: Picture, classes: Sequence[str], palette: Palette
) -> UInt8[np.ndarray, "h w 3"]:
    """Photo, truth, answer and errors side by side, over a strip of the classes that occur."""
    shown = _scaled(picture)
    panels = [
        shown.image,
        colorize(shown.truth, palette),
        colorize(shown.answer, palette),
        colorize(show_errors(shown), ERROR_PALETTE),
    ]
    gap = np.full((shown.image.shape[0], 6, 3), 255, np.uint8)
    row = np.concatenate([part for panel in panels for part in (panel, gap)][:-1], axis=1)
    names, colors = zip(*keys([picture], classes, palette), strict=True)
    return np.concatenate([row, legend(names, colors, row.shape[1])])


def encode_panels(picture: Picture, palette: Palette) -> dict[str, bytes]:
    """The four panels as files of their own: "photo" a JPEG, the others indexed PNGs."""
    shown = _scaled(picture)
    return {
        "photo": encode_jpeg(shown.image),
        "truth": encode_labels(shown.truth, palette),
        "answer": encode_labels(shown.answer, palette),
        "errors": encode_labels(show_errors(shown), ERROR_PALETTE),
    }


def show_errors(picture: Picture) -> UInt8[np.ndarray, "H W"]:
    """The photo in dark greys, as indices into `ERROR_PALETTE`; wrong pixels 254, void 255."""
    grey = 40 + 0.55 * (picture.image @ np.array([0.299, 0.587, 0.114]))
    shown: UInt8[np.ndarray, "H W"] = grey.astype(np.uint8) & 0xFC  # fewer greys make smaller files
    shown[errors(picture.truth, picture.answer)] = 254
    shown[picture.truth == 255] = 255
    return shown


def keys(
    pictures: Sequence[Picture], classes: Sequence[str], palette: Palette
) -> list[tuple[str, Color]]:
    """What the colours of these pictures mean: the classes that occur, void, and wrong."""
    found = {
        int(label) for p in pictures for part in (p.truth, p.answer) for label in np.unique(part)
    }
    every = enumerate(zip(classes, palette, strict=False))
    occurring = [key for label, key in every if label in found]
    return [*occurring, *[("void", VOID_COLOR)] * (255 in found), ("wrong", WRONG_COLOR)]


def _scaled(picture: Picture) -> Picture:
    size = _shown_size(*picture.truth.shape)
    image, truth = scale_image(picture.image, size), scale_labels(picture.truth, size)
    answer = scale_labels(picture.answer, size)
    return Picture(picture.name, image, truth, answer, picture.mean_iu)


def _shown_size(height: int, width: int) -> tuple[int, int]:
    longest = max(height, width)
    enlarged = max(1, min(NARROWEST // width, PANEL // longest))
    scale = PANEL / longest if longest > PANEL else enlarged
    return max(1, round(height * scale)), max(1, round(width * scale))

"""Draw samples: photo, ground truth, prediction and errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from fullconv.io.images import (
    caption,
    encode_jpeg,
    encode_labels,
    legend,
    scale_image,
    scale_labels,
)
from fullconv.io.palettes import VOID_COLOR, Color, Palette, colorize, find_errors

PANEL = 640  # pixels; larger photos are downscaled to this longer side
COLUMN = 280  # pixels; width of every panel of a comparison
GAP = 6  # pixels between panels
MIN_WIDTH = 160  # pixels; narrower photos are enlarged by an integer factor
ERROR_COLOR: Color = (255, 45, 45)

# The error panel has indexed colours: greys, 254 for a wrong pixel, 255 for an ignored one.
ERROR_PALETTE: Palette = (*((level, level, level) for level in range(254)), ERROR_COLOR)


@dataclass(frozen=True)
class GallerySample:
    """A sample of the gallery.

    Attributes:
        name: sample name, from which file names are made.
        image: RGB in [0, 255].
        target: ground truth labels; 255 is ignored.
        prediction: predicted labels; 255 is a pixel without a class.
        mean_iou: of this image alone, in [0, 1] or nan.
    """

    name: str
    image: UInt8[np.ndarray, "H W 3"]
    target: UInt8[np.ndarray, "H W"]
    prediction: UInt8[np.ndarray, "H W"]
    mean_iou: float


def draw_sample(
    sample: GallerySample, classes: Sequence[str], palette: Palette
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw photo, ground truth, prediction and errors side by side, above a legend."""
    sized = resized(sample)
    panels = [
        sized.image,
        colorize(sized.target, palette),
        colorize(sized.prediction, palette),
        colorize(draw_errors(sized), ERROR_PALETTE),
    ]
    row = _side_by_side(panels)
    names, colors = zip(*legend_entries([sample], classes, palette), strict=True)
    return np.concatenate([row, legend(names, colors, row.shape[1])])


def draw_comparison(
    samples: Sequence[GallerySample], classes: Sequence[str], palette: Palette
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw photo, ground truth and prediction of each sample in a row, above a legend.

    All panels are `COLUMN` pixels wide; the columns are titled.
    """
    titles = [caption(title, COLUMN) for title in ("photo", "ground truth", "prediction")]
    rows = [_side_by_side(titles)]
    for sample in samples:
        height, width = sample.target.shape
        size = (max(1, round(height * COLUMN / width)), COLUMN)
        labels = [scale_labels(each, size) for each in (sample.target, sample.prediction)]
        panels = [scale_image(sample.image, size), *(colorize(each, palette) for each in labels)]
        rows += [_side_by_side(panels), np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)]
    *entries, _ = legend_entries(samples, classes, palette)  # the last is for errors
    names, colors = zip(*entries, strict=True)
    return np.concatenate([*rows, legend(names, colors, rows[0].shape[1])])


def encode_panels(sample: GallerySample, palette: Palette) -> dict[str, bytes]:
    """Encode the four panels by their titles: the photo as JPEG, the others as indexed PNGs."""
    sized = resized(sample)
    return {
        "photo": encode_jpeg(sized.image),
        "ground truth": encode_labels(sized.target, palette),
        "prediction": encode_labels(sized.prediction, palette),
        "errors": encode_labels(draw_errors(sized), ERROR_PALETTE),
    }


def draw_errors(sample: GallerySample) -> UInt8[np.ndarray, "H W"]:
    """Return the photo in dark greys as indices into `ERROR_PALETTE`; errors 254, ignored 255."""
    panel = dark_greys(sample.image) & 0xFC  # fewer greys, smaller files
    panel[find_errors(sample.target, sample.prediction)] = 254
    panel[sample.target == 255] = 255
    return panel


def dark_greys(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W"]:
    """Return a photo in greys from 40 to 180, on which bright colours stand out."""
    grey = 40 + 0.55 * (image @ np.array([0.299, 0.587, 0.114]))
    return np.asarray(grey.astype(np.uint8))


def legend_entries(
    samples: Sequence[GallerySample], classes: Sequence[str], palette: Palette
) -> list[tuple[str, Color]]:
    """Return name and colour of the classes that occur, of ignored pixels and of errors."""
    present = {
        int(label)
        for sample in samples
        for labels in (sample.target, sample.prediction)
        for label in np.unique(labels)
    }
    entries = enumerate(zip(classes, palette, strict=False))
    occurring = [entry for label, entry in entries if label in present]
    ignored = [("ignored", VOID_COLOR)] * (255 in present)
    return [*occurring, *ignored, ("error", ERROR_COLOR)]


def _side_by_side(panels: Sequence[UInt8[np.ndarray, "h _ 3"]]) -> UInt8[np.ndarray, "h w 3"]:
    gap = np.full((panels[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([part for panel in panels for part in (panel, gap)][:-1], axis=1)


def resized(sample: GallerySample, longer: int = PANEL) -> GallerySample:
    """Return a sample whose longer side is at most `longer` pixels."""
    height, width = sample.target.shape
    size = panel_size(height, width, longer)
    return GallerySample(
        sample.name,
        scale_image(sample.image, size),
        scale_labels(sample.target, size),
        scale_labels(sample.prediction, size),
        sample.mean_iou,
    )


def panel_size(height: int, width: int, limit: int = PANEL) -> tuple[int, int]:
    """Return height and width of a panel: its longer side is at most `limit` pixels."""
    longer = max(height, width)
    enlargement = max(1, min(MIN_WIDTH // width, limit // longer))
    scale = limit / longer if longer > limit else enlargement
    return max(1, round(height * scale)), max(1, round(width * scale))

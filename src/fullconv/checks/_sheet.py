"""The contact sheet of the augmentation: what training would see of some photos."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from fullconv.colors import Palette, overlay
from fullconv.config import TrainConfig
from fullconv.images import scale_image
from fullconv.sample import Sample
from fullconv.transforms import apply, augmentation, generator

CELL = 180  # pixels: the height of a picture on the sheet
_DRAWN = 3  # augmented versions beside each photo
_GAP = 6


def contact_sheet(
    samples: Iterable[Sample], palette: Palette, config: TrainConfig
) -> UInt8[np.ndarray, "H W 3"]:
    """One row a sample: the photo with its labels, then as training epochs 0, 1 and 2 see it.

    Args:
        samples: at least one.
        palette: one colour a class; void is cream.
        config: what augments, and its seed.
    """
    rows = [_row(sample, index, palette, config) for index, sample in enumerate(samples)]
    width = max(row.shape[1] for row in rows)
    return np.concatenate([_widened(row, width) for row in rows])


def _row(sample: Sample, index: int, palette: Palette, config: TrainConfig) -> np.ndarray:
    steps = augmentation(config, config.crop)
    drawn = [apply(steps, sample, generator(config.seed, epoch, index)) for epoch in range(_DRAWN)]
    pictures = [sample.image, overlay(sample.image, sample.labels, palette)]
    for one in drawn:
        pictures += [one.image, overlay(one.image, one.labels, palette)]
    return np.concatenate([_cell(picture) for picture in pictures], axis=1)


def _cell(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    height, width = image.shape[:2]
    small = scale_image(image, (CELL, min(4 * CELL, max(1, round(width * CELL / height)))))
    return np.pad(small, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)


def _widened(row: np.ndarray, width: int) -> np.ndarray:
    return np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)

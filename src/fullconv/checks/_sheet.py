"""The contact sheet of the augmentation: what training sees of some photos."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from fullconv.colors import Palette, overlay
from fullconv.config import TrainConfig
from fullconv.images import scale_image
from fullconv.sample import Data, Sample
from fullconv.transforms import seen

CELL = 180  # pixels: the height of a picture on the sheet
DRAWN = 3  # augmented versions beside each photo
_GAP = 6


def contact_sheet(
    data: Data, indices: Iterable[int], config: TrainConfig
) -> UInt8[np.ndarray, "H W 3"]:
    """One row a sample: the photo with its labels, then as training epochs 1, 2 and 3 see it.

    Args:
        data: the training samples.
        indices: of at least one of them.
        config: what augments, and its seed.
    """
    rows = [_row(data[index], index, data.palette, config) for index in indices]
    width = max(row.shape[1] for row in rows)
    return np.concatenate([_widened(row, width) for row in rows])


def _row(sample: Sample, index: int, palette: Palette, config: TrainConfig) -> np.ndarray:
    pictures = [sample.image, overlay(sample.image, sample.labels, palette)]
    for epoch in range(DRAWN):
        one = seen(sample, config, epoch, index)
        pictures += [one.image, overlay(one.image, one.labels, palette)]
    return np.concatenate([_cell(picture) for picture in pictures], axis=1)


def _cell(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    height, width = image.shape[:2]
    small = scale_image(image, (CELL, min(4 * CELL, max(1, round(width * CELL / height)))))
    return np.pad(small, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)


def _widened(row: np.ndarray, width: int) -> np.ndarray:
    return np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)

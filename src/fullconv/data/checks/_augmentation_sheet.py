"""The contact sheet of the augmentation: what training sees of some photos."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from fullconv.config import TrainConfig
from fullconv.data.sample import Data, Sample
from fullconv.data.transforms import seen
from fullconv.io.images import caption, legend, scale_image
from fullconv.io.palettes import VOID, VOID_COLOR, overlay

CELL = 180  # pixels: the height of a picture on the sheet
DRAWN = 3  # augmented versions beside each photo
_GAP = 6

Sheet = UInt8[np.ndarray, "_ _ 3"]


def contact_sheet(data: Data, indices: Iterable[int], config: TrainConfig) -> Sheet:
    """One row a sample: the photo with its labels, then as training epochs 1, 2 and 3 see it.

    Below are the colours of the classes that occur.

    Args:
        data: the training samples.
        indices: of at least one of them.
        config: what augments, and its seed.
    """
    versions = [_versions(data[index], index, config) for index in indices]
    rows = [_row(several, data) for several in versions]
    width = max(row.shape[1] for row in rows)
    shown = [one.labels for several in versions for _, one in several]
    return np.concatenate([*(_widened(row, width) for row in rows), _legend(shown, data, width)])


def _versions(sample: Sample, index: int, config: TrainConfig) -> list[tuple[str, Sample]]:
    drawn = [seen(sample, config, epoch, index) for epoch in range(DRAWN)]
    return [
        (sample.name, sample),
        *((f"epoch {number}", one) for number, one in enumerate(drawn, 1)),
    ]


def _row(several: Iterable[tuple[str, Sample]], data: Data) -> Sheet:
    cells = []
    for title, one in several:
        pictures = [one.image, overlay(one.image, one.labels, data.palette)]
        cell = np.concatenate([_cell(picture) for picture in pictures], axis=1)
        cells.append(np.concatenate([cell, caption(title, cell.shape[1])]))
    return np.concatenate(cells, axis=1)


def _legend(shown: Iterable[UInt8[np.ndarray, "H W"]], data: Data, width: int) -> Sheet:
    found = sorted({label for labels in shown for label in np.unique(labels).tolist()})
    names = ["void" if label == VOID else data.classes[label] for label in found]
    colors = [VOID_COLOR if label == VOID else data.palette[label] for label in found]
    return legend(names, colors, width)


def _cell(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    height, width = image.shape[:2]
    small = scale_image(image, (CELL, min(4 * CELL, max(1, round(width * CELL / height)))))
    return np.pad(small, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)


def _widened(row: np.ndarray, width: int) -> np.ndarray:
    return np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)

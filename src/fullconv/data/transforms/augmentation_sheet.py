"""Draw a sheet of augmented training samples."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8

from fullconv.config import TrainConfig
from fullconv.data.sample import Data, Sample
from fullconv.data.transforms import augment
from fullconv.io.images import caption, legend, scale_image
from fullconv.io.palettes import VOID, VOID_COLOR, overlay

CELL = 180  # pixels: height of an image on the sheet
EPOCHS = 3  # augmented versions of each photo
_GAP = 6

Sheet = UInt8[np.ndarray, "_ _ 3"]


def draw_augmentation(data: Data, indices: Iterable[int], config: TrainConfig) -> Sheet:
    """Draw one row per sample: photo and labels, original and as augmented in epochs 1, 2 and 3.

    A legend of the classes that occur is at the bottom.

    Args:
        data: training samples.
        indices: indices of at least one sample.
        config: settings of the augmentation, with its seed.
    """
    versions = [_versions(data[index], index, config) for index in indices]
    rows = [_row(row, data) for row in versions]
    width = max(row.shape[1] for row in rows)
    labels = [sample.labels for row in versions for _, sample in row]
    return np.concatenate([*(_widened(row, width) for row in rows), _legend(labels, data, width)])


def _versions(sample: Sample, index: int, config: TrainConfig) -> list[tuple[str, Sample]]:
    augmented = [augment(sample, config, epoch, index) for epoch in range(EPOCHS)]
    return [
        (sample.name, sample),
        *((f"epoch {number}", version) for number, version in enumerate(augmented, 1)),
    ]


def _row(versions: Iterable[tuple[str, Sample]], data: Data) -> Sheet:
    cells = []
    for title, sample in versions:
        pictures = [sample.image, overlay(sample.image, sample.labels, data.palette)]
        cell = np.concatenate([_cell(picture) for picture in pictures], axis=1)
        cells.append(np.concatenate([cell, caption(title, cell.shape[1])]))
    return np.concatenate(cells, axis=1)


def _legend(label_maps: Iterable[UInt8[np.ndarray, "H W"]], data: Data, width: int) -> Sheet:
    present = sorted({label for labels in label_maps for label in np.unique(labels).tolist()})
    names = ["ignored" if label == VOID else data.classes[label] for label in present]
    colors = [VOID_COLOR if label == VOID else data.palette[label] for label in present]
    return legend(names, colors, width)


def _cell(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    height, width = image.shape[:2]
    small = scale_image(image, (CELL, min(4 * CELL, max(1, round(width * CELL / height)))))
    return np.pad(small, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)


def _widened(row: np.ndarray, width: int) -> np.ndarray:
    return np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)

"""Read ground-truth masks that are rasters: raw values, and where they have data."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from fullconv.errors import DataError
from fullconv.io.palettes import Palette
from fullconv.io.rasters.dataset import open_dataset, read_errors
from fullconv.io.rasters.valid import read_valid
from fullconv.io.window import Window

MAX_SHIFT = 0.1  # pixels between a mask and its image: coordinates are written with rounding


def read_raster_mask(path: Path) -> tuple[np.ndarray, Bool[np.ndarray, "H W"]]:
    """Read a mask's raw values, (H, W) or (H, W, 3) integers, and where it has data.

    Raises:
        DataError: the values are neither whole numbers nor colours.
        ImageError: the file cannot be read.
    """
    with open_dataset(path) as dataset, read_errors(path):
        bands = list(range(1, dataset.count + 1))
        values = dataset.read(bands)
        window = Window(0, 0, dataset.height, dataset.width)
        valid = read_valid(dataset, window, bands, None, values)
    fractions = values.dtype.kind == "f" and (values % 1 != 0)[:, valid].any()
    if len(bands) not in (1, 3) or fractions:
        raise DataError(
            f"a mask with {len(bands)} bands of {values.dtype}",
            expected="whole numbers in one band, or colours in three",
            where=path,
        )
    values = np.where(valid, values, 0).astype(np.int64)
    return (values[0] if len(bands) == 1 else values.transpose(1, 2, 0)), valid


def raster_palette(path: Path) -> Palette | None:
    """Return the colours of the values 0, 1, ... by the colour table of a mask's only band."""
    with open_dataset(path) as dataset:
        if dataset.count != 1:
            return None
        try:
            table = dataset.colormap(1)
        except ValueError:  # it has none
            return None
    known = max(table, default=-1) + 1
    return tuple(table.get(value, (0, 0, 0))[:3] for value in range(known)) or None


def check_alignment(image: Path, mask: Path) -> None:
    """Check that a mask covers the same place as its image; files without coordinates pass.

    Raises:
        DataError: their coordinates differ, by more than `MAX_SHIFT` at a corner.
    """
    with open_dataset(image) as first, open_dataset(mask) as second:
        if not (first.crs and second.crs):
            return
        if first.crs != second.crs or _shift(first, second) > MAX_SHIFT:
            raise DataError(
                f"it covers another place than {image}: {second.crs} "
                f"{tuple(second.transform)[:6]} instead of {first.crs} "
                f"{tuple(first.transform)[:6]}",
                remedy="warp it onto the image first",
                where=mask,
            )


def _shift(image: Any, mask: Any) -> float:
    """Return how far the corners of a mask are from their places in the image, in its pixels."""
    corners = np.array([(x, y, 1) for x in (0, mask.width) for y in (0, mask.height)], np.float64)
    there, here = (
        np.array(tuple(file.transform)[:6], np.float64).reshape(2, 3) for file in (mask, image)
    )
    if np.array_equal(there, here):
        return 0.0
    side = np.abs(np.linalg.det(here[:, :2])) ** 0.5  # of a pixel, on the ground
    distance = np.linalg.norm(corners @ (there - here).T, axis=1).max()
    return float(distance / side) if side else np.inf


def nodata_value(path: Path) -> float | None:
    """Return the nodata value that the metadata declares, if it is a whole number."""
    with open_dataset(path) as dataset:
        nodata = dataset.nodata
    return None if nodata is None or nodata % 1 != 0 else float(nodata)

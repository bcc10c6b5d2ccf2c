"""Which pixels of a raster have data: one rule for training and prediction.

A pixel has data unless the nodata value or the mask of the file excludes it in all chosen bands, a
chosen band is not finite there, or a mask band is 0. A band that the user chose is never a mask.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

from fullconv.io.rasters.dataset import block_cache
from fullconv.io.window import Window

# Of a mask, at least this share of the pixels is 0 or the band's largest value; the rest are
# smoothed edges. GDAL also calls infrared "alpha" if it is a fourth band (ISPRS Potsdam).
EXTREME = 0.99


def mask_band(dataset: Any, bands: Sequence[int]) -> int | None:
    """Find the band whose zeros mean "no data"; None if there is none.

    A band tagged alpha is one only if it behaves like a mask over the whole file, so that training
    and prediction agree on every file, whichever windows are read of it.

    Args:
        dataset: opened by rasterio.
        bands: the chosen ones.
    """
    tagged = [
        number for number, color in enumerate(dataset.colorinterp, 1) if color.name == "alpha"
    ]
    if not tagged or tagged[0] in bands:
        return None
    return tagged[0] if _is_mask(_rows_of_blocks(dataset, tagged[0])) else None


def declared_bands(dataset: Any, bands: Sequence[int]) -> list[int]:
    """Return those of the bands whose nodata value or mask GDAL has to be asked for."""
    flags = {band: {flag.name for flag in dataset.mask_flag_enums[band - 1]} for band in bands}
    # Alpha has its own rule, in `mask_band`.
    declared = [band for band in bands if "alpha" not in flags[band]]
    return [] if any("all_valid" in flags[band] for band in declared) else declared


def is_float(dataset: Any, bands: Sequence[int]) -> bool:
    """Whether one of the bands holds floats, which may be NaN or infinite."""
    return any(np.dtype(dataset.dtypes[band - 1]).kind == "f" for band in bands)


def read_valid(
    dataset: Any,
    window: Window,
    bands: Sequence[int],
    mask: int | None,
    values: Shaped[np.ndarray, "bands rows columns"] | None = None,
) -> Bool[np.ndarray, "rows columns"]:
    """Read where a window has data.

    Args:
        dataset: opened by rasterio.
        window: the rectangle.
        bands: the chosen ones.
        mask: from `mask_band`.
        values: of the chosen bands in the window; needed if `is_float`.
    """
    valid = np.ones((window.height, window.width), bool)
    if mask is not None:
        valid &= dataset.read(mask, window=window.ranges) > 0
    if declared := declared_bands(dataset, bands):
        valid &= (dataset.read_masks(declared, window=window.ranges) > 0).any(axis=0)
    if values is not None and values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)
    return valid


def _is_mask(parts: Iterator[np.ndarray]) -> bool:
    """Whether nearly all values are 0 or the largest value, and not all are 0."""
    total = zeros = at_largest = 0
    largest: Any = 0
    for part in parts:
        total += part.size
        zeros += int((part == 0).sum())
        if (top := part.max()) > largest:
            largest, at_largest = top, 0
        at_largest += int((part == largest).sum()) if largest > 0 else 0
    return at_largest > 0 and zeros + at_largest >= EXTREME * total


def _rows_of_blocks(dataset: Any, band: int) -> Iterator[np.ndarray]:
    step = dataset.block_shapes[band - 1][0]
    step *= max(1, 256 // step)  # few calls, also for strips of one row
    with block_cache(dataset, 0):
        for top in range(0, dataset.height, step):
            rows = (top, min(dataset.height, top + step))
            yield dataset.read(band, window=(rows, (0, dataset.width)))

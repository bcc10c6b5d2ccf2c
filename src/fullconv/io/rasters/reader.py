"""Read rasters as a network sees them: RGB in [0, 255], and which pixels have data.

Training reads whole files, prediction windows of them; both are the same `Raster`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from fullconv.io.rasters.bands import OWN_BANDS, BandChoice, resolve, to_rgb
from fullconv.io.rasters.dataset import open_dataset, read_errors
from fullconv.io.rasters.valid import declared_bands, is_float, mask_band, read_valid
from fullconv.io.window import Window


@dataclass(frozen=True)
class Raster:
    """An open raster.

    Attributes:
        path: the file.
        size: (height, width) in pixels.
        bands: numbers of the bands that are read, from 1.
        value_range: the values that become 0 and 255; None keeps 8-bit values.
        mask_band: the band whose zeros mean "no data"; None if there is none.
        crs: coordinate reference system (rasterio's), or None.
        transform: (a, b, c, d, e, f): x = a column + b row + c, y = d column + e row + f; or None.
        dataset: rasterio's.
    """

    path: Path
    size: tuple[int, int]
    bands: tuple[int, ...]
    value_range: tuple[float, float] | None
    mask_band: int | None
    crs: Any
    transform: tuple[float, ...] | None
    dataset: Any

    def read(self, window: Window) -> UInt8[np.ndarray, "rows columns 3"]:
        """Read a window as RGB in [0, 255]; black where there is no data.

        Raises:
            ImageError: the file is damaged there.
        """
        return self.read_with_valid(window)[0]

    def valid(self, window: Window) -> Bool[np.ndarray, "rows columns"]:
        """Read where a window has data, without its pixels if they are not needed for that.

        Raises:
            ImageError: the file is damaged there.
        """
        if is_float(self.dataset, self.bands):
            return self.read_with_valid(window)[1]
        with read_errors(self.path):
            return read_valid(self.dataset, window, self.bands, self.mask_band)

    def read_with_valid(
        self, window: Window
    ) -> tuple[UInt8[np.ndarray, "rows columns 3"], Bool[np.ndarray, "rows columns"]]:
        """Read a window as RGB, as `read` does, and where it has data.

        Raises:
            ImageError: the file is damaged there.
        """
        with read_errors(self.path):
            values = self.dataset.read(list(self.bands), window=window.ranges)
            valid = read_valid(self.dataset, window, self.bands, self.mask_band, values)
        return to_rgb(values, valid, self.value_range), valid

    @property
    def may_lack_data(self) -> bool:
        """Whether some pixels may have no data; if not, `valid` need not be called."""
        return (
            self.mask_band is not None
            or bool(declared_bands(self.dataset, self.bands))
            or is_float(self.dataset, self.bands)
        )

    @property
    def description(self) -> str:
        """How the file is read, in words; part of what a prediction means."""
        choice = str(BandChoice(self.bands, self.value_range))
        if self.mask_band is None:
            return choice
        return f"{choice}; where band {self.mask_band} is 0 there is no data"

    @property
    def pixel_area(self) -> float | None:
        """Square metres of a pixel; None if the coordinates are not lengths."""
        if not (self.crs and self.transform and self.crs.is_projected):
            return None
        a, b, _, d, e, _ = self.transform
        return abs(a * e - b * d) * float(self.crs.linear_units_factor[1]) ** 2

    @property
    def crs_name(self) -> str | None:
        """The coordinate reference system, e.g. "EPSG:32633"."""
        if not self.crs:
            return None
        authority = self.crs.to_authority()
        return ":".join(authority) if authority else str(self.crs.to_wkt())


@contextmanager
def open_raster(path: Path, choice: BandChoice = OWN_BANDS) -> Iterator[Raster]:
    """Open a GeoTIFF, or another TIFF, PNG or JPEG, for reading by windows.

    Raises:
        ImageError: the file cannot be read.
        DataError: its bands or their range have to be chosen.
        MissingExtraError: rasterio is not installed.
    """
    with open_dataset(path) as dataset:
        resolved = resolve(dataset, str(path), choice)
        assert resolved.bands is not None
        with read_errors(path):
            mask = mask_band(dataset, resolved.bands)
        transform = tuple(dataset.transform)[:6]
        yield Raster(
            path,
            (dataset.height, dataset.width),
            resolved.bands,
            resolved.value_range,
            mask,
            dataset.crs,
            None if transform == (1, 0, 0, 0, 1, 0) else transform,
            dataset,
        )


def read_raster(
    path: Path, choice: BandChoice = OWN_BANDS
) -> tuple[UInt8[np.ndarray, "H W 3"], Bool[np.ndarray, "H W"]]:
    """Read a whole file as RGB in [0, 255], black where there is no data, and where it has data.

    Raises:
        ImageError: the file cannot be read.
        DataError: its bands or their range have to be chosen.
        MissingExtraError: rasterio is not installed.
    """
    with open_raster(path, choice) as raster:
        return raster.read_with_valid(Window(0, 0, *raster.size))

"""One GeoTIFF: its bands as a photo or a mask, and where it has data."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from fullconv.errors import DataError, ImageError, MissingExtraError
from fullconv.rasters.bands import Words, choose, to_rgb

WORDS = Words(
    bands="for the whole data set, e.g. rasters:FOLDER?bands=1,2,3",
    limits="for the whole data set, e.g. rasters:FOLDER?range=0,3000",
)
EXTREME = 0.99  # of an alpha band are 0 or its largest value; infrared under that name is not


@dataclass(frozen=True)
class Choice:
    """What a user chose.

    Attributes:
        bands: the numbers, from 1, of those that become red, green and blue; None: the file's.
        limits: the values that become 0 and 255; None: 8-bit values as they are, or 0 to the
            largest number of the bits that the metadata states.
    """

    bands: tuple[int, ...] | None = None
    limits: tuple[float, float] | None = None


def read_photo(
    path: Path, choice: Choice
) -> tuple[UInt8[np.ndarray, "H W 3"], Bool[np.ndarray, "H W"]]:
    """A raster as RGB in [0, 255], and where it has data.

    Raises:
        DataError: its bands or their range must be chosen.
        ImageError: it cannot be read.
    """
    with _opened(path) as raster:
        chosen = choose(raster, str(path), choice.bands, choice.limits, WORDS)
        bands = list(chosen.bands)
        values = raster.read(bands)
        valid = _has_data(raster, bands, values)
        if chosen.alpha:
            valid &= _opaque(raster.read(chosen.alpha))
    return to_rgb(values, valid, chosen), valid


def read_truth(path: Path) -> tuple[np.ndarray, Bool[np.ndarray, "H W"]]:
    """A mask's raw values, (H, W) or (H, W, 3), and where it has data.

    Raises:
        DataError: it holds neither numbers nor colours.
        ImageError: it cannot be read.
    """
    with _opened(path) as raster:
        bands = list(range(1, raster.count + 1))
        values = raster.read(bands)
        valid = _has_data(raster, bands, values)
    fractions = values.dtype.kind == "f" and (values % 1 != 0)[:, valid].any()
    if len(bands) not in (1, 3) or fractions:
        raise DataError(
            f"{path}: a mask with {len(bands)} bands of {values.dtype}; expected whole numbers in "
            "one band, or colours in three"
        )
    values = np.where(valid, values, 0).astype(np.int64)
    return (values[0] if len(bands) == 1 else values.transpose(1, 2, 0)), valid


def check_place(photo_path: Path, mask_path: Path) -> None:
    """Raise a DataError where a mask lies elsewhere on the earth than its photo."""
    with _opened(photo_path) as photo, _opened(mask_path) as mask:
        if not (photo.crs and mask.crs):
            return
        if photo.crs != mask.crs or not photo.transform.almost_equals(mask.transform, 1e-6):
            raise DataError(
                f"{mask_path} lies elsewhere on the earth than {photo_path}: {mask.crs} "
                f"{tuple(mask.transform)[:6]} instead of {photo.crs} "
                f"{tuple(photo.transform)[:6]}; warp it onto the photo first"
            )


def nodata_of(path: Path) -> float | None:
    """The value that a raster's metadata calls no data, if it is a whole number."""
    with _opened(path) as raster:
        nodata = raster.nodata
    return None if nodata is None or nodata % 1 != 0 else float(nodata)


def _has_data(raster: Any, bands: Sequence[int], values: np.ndarray) -> np.ndarray:
    from rasterio.enums import MaskFlags

    # What GDAL takes for alpha is often infrared (ISPRS Potsdam): its mask is not asked.
    asked = [band for band in bands if MaskFlags.alpha not in raster.mask_flag_enums[band - 1]]
    valid = np.ones(values.shape[1:], bool)
    if asked:
        valid = (raster.read_masks(asked) > 0).any(axis=0)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)
    return valid


def _opaque(alpha: Integer[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Where a band called alpha says that there is data, if that is what it says."""
    extreme = (alpha == 0) | (alpha == alpha.max())
    is_alpha = bool(alpha.any()) and extreme.mean() >= EXTREME
    return (alpha > 0) if is_alpha else np.ones(alpha.shape, bool)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import rasterio
    except ImportError as error:
        raise MissingExtraError("rasterio", "geo", f"reading {path.name}") from error
    with warnings.catch_warnings():
        # Masks rarely say where they lie, and need not.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as raster:
                yield raster
        except rasterio.errors.RasterioError as error:
            reason = error.__cause__ or error  # GDAL's own words, which say where
            raise ImageError(
                f"{path}: cannot be read ({reason}); copy or export it anew"
            ) from error

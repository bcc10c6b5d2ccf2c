"""Read rasters by window: RGB and the valid-data mask, one rule for training and inference."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from fullconv.errors import DataError, ImageError, require
from fullconv.io.rasters.bands import Choice, Words, choose, to_rgb
from fullconv.io.window import Window

# First bytes -> the driver. Not every one of GDAL's drivers is let loose on a file.
DRIVERS = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
}
CACHE = (32 * 2**20, 512 * 2**20)  # bytes, least and most, that decoded blocks may take


@dataclass(frozen=True)
class Raster:
    """An opened raster.

    Attributes:
        path: the file.
        size: (height, width) in pixels.
        choice: which bands are read, and how.
        masked: whether pixels may be without data.
        crs: of the coordinates, rasterio's; None where the file does not say.
        transform: (a, b, c, d, e, f): x = a column + b row + c, y = d column + e row + f; None
            where the file does not say.
        source: rasterio's dataset.
    """

    path: Path
    size: tuple[int, int]
    choice: Choice
    masked: bool
    crs: Any
    transform: tuple[float, ...] | None
    source: Any

    def read(self, window: Window) -> UInt8[np.ndarray, "rows columns 3"]:
        """The pixels of a window as RGB in [0, 255]; black where there is no data.

        Raises:
            ImageError: the file is damaged there.
        """
        with _reading(self.path):
            values = self.source.read(list(self.choice.bands), window=_corners(window))
            valid = self._valid(window, values) if self.masked else None
        return to_rgb(values, valid, self.choice)

    def valid(self, window: Window) -> Bool[np.ndarray, "rows columns"]:
        """Where a window has data: in one of the bands that are read, at least.

        Raises:
            ImageError: the file is damaged there.
        """
        if not self.masked:
            return np.ones((window.height, window.width), bool)
        with _reading(self.path):
            if self._kind != "f":
                return self._valid(window)
            bands = list(self.choice.bands)
            return self._valid(window, self.source.read(bands, window=_corners(window)))

    @property
    def square_metres(self) -> float | None:
        """Of one pixel; None where the coordinates are no lengths."""
        if not (self.crs and self.transform and self.crs.is_projected):
            return None
        a, b, _, d, e, _ = self.transform
        return abs(a * e - b * d) * float(self.crs.linear_units_factor[1]) ** 2

    @property
    def crs_name(self) -> str | None:
        """The coordinates' reference system, e.g. "EPSG:32633"."""
        if not self.crs:
            return None
        authority = self.crs.to_authority()
        return ":".join(authority) if authority else str(self.crs.to_wkt())

    @property
    def _kind(self) -> str:
        return "f" if any(_is_float(self.source, band) for band in self.choice.bands) else "i"

    def _valid(self, window: Window, values: np.ndarray | None = None) -> np.ndarray:
        corners = _corners(window)
        if self.choice.alpha:
            valid: np.ndarray = self.source.read(self.choice.alpha, window=corners) > 0
        else:
            valid = np.ones((window.height, window.width), bool)
        asked = _asked(self.source, self.choice.bands)
        if asked:
            valid &= (self.source.read_masks(asked, window=corners) > 0).any(axis=0)
        if values is not None and values.dtype.kind == "f":
            valid &= np.isfinite(values).all(axis=0)
        return valid


@contextmanager
def opened(
    path: Path,
    bands: Sequence[int] | None = None,
    limits: tuple[float, float] | None = None,
) -> Iterator[Raster]:
    """Open a raster for reading by windows.

    Args:
        path: a GeoTIFF, or another TIFF, PNG or JPEG.
        bands: which are red, green and blue, or the one that is grey; None: the file's own.
        limits: the values that become 0 and 255; None: 8-bit values as they are.

    Raises:
        ImageError: it cannot be read.
        DataError: its bands or their range must be chosen.
        MissingExtraError: rasterio is not installed.
    """
    rasterio = imported(path)
    with quiet():
        driver = _driver(path)
        with _reading(path):
            source = rasterio.open(path, driver=driver)
        with source:
            _refuse_turned(source, path)
            _refuse_cut(source, path)
            choice = choose(source, str(path), bands, limits)
            masked = (
                choice.alpha is not None
                or bool(_asked(source, choice.bands))
                or any(_is_float(source, band) for band in choice.bands)
            )
            transform = tuple(source.transform)[:6]
            placed = transform != (1, 0, 0, 0, 1, 0)
            size = (source.height, source.width)
            yield Raster(
                path, size, choice, masked, source.crs, transform if placed else None, source
            )


def imported(path: Path) -> Any:
    """The package rasterio.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require("rasterio", extra="geo", what=f"reading {path} by windows")


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what GDAL has to say for our own messages; gives the list of it."""
    heard = Heard()
    log = logging.getLogger("rasterio")
    log.addHandler(heard)
    with warnings.catch_warnings():
        # Photos rarely say where they lie, and need not.
        warnings.filterwarnings("ignore", "Dataset has no geotransform")
        # A value for no data goes before alpha in GDAL; both are asked here.
        warnings.filterwarnings("ignore", "The dataset's nodata attribute is shadowing")
        try:
            yield heard.said
        finally:
            log.removeHandler(heard)


class Heard(logging.Handler):
    """Keeps log messages."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self.said.append(record.getMessage())


@contextmanager
def caching(raster: Raster, memory: int) -> Iterator[int]:
    """Let GDAL keep no more decoded blocks than are worth it; gives their bytes.

    Args:
        raster: that will be read.
        memory: bytes that all the work may take.
    """
    import rasterio

    size = _worth(raster.source, memory)
    with rasterio.Env(GDAL_CACHEMAX=size):
        yield size


def _worth(source: Any, memory: int) -> int:
    """Two rows of blocks, if there is room."""
    row = sum(
        source.block_shapes[band - 1][0] * source.width * np.dtype(source.dtypes[band - 1]).itemsize
        for band in range(1, source.count + 1)
    )
    return int(min(max(2 * row, CACHE[0]), CACHE[1], max(CACHE[0], memory // 4)))


def _driver(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise ImageError(f"{path}: cannot be opened ({error.strerror})") from error
    for mark, driver in DRIVERS.items():
        if head.startswith(mark):
            return driver
    raise ImageError(f"{path}: no TIFF, PNG or JPEG by its first bytes; expected one of them")


def _asked(source: Any, bands: Sequence[int]) -> list[int]:
    """The bands whose masks tell something; that of alpha is asked by itself."""
    flags = {flag.name for band in bands for flag in source.mask_flag_enums[band - 1]}
    return [] if flags & {"all_valid", "alpha"} else list(bands)


def _is_float(source: Any, band: int) -> bool:
    return bool(np.dtype(source.dtypes[band - 1]).kind == "f")


def _refuse_turned(source: Any, path: Path) -> None:
    orientation = source.tags().get("EXIF_Orientation", "1").strip()
    if orientation not in ("", "0", "1"):
        raise ImageError(
            f"{path}: its EXIF orientation is {orientation}, and a picture that is read part by "
            "part cannot be turned; turn it first, e.g. with jpegtran or exiftran"
        )


def _refuse_cut(source: Any, path: Path) -> None:
    """Find before any work is done that a copy of a TIFF has not come to its end."""
    if source.driver != "GTiff":
        return
    bytes_there = path.stat().st_size
    shared = source.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL"
    for band in (1,) if shared else source.indexes:
        rows, columns = source.block_shapes[band - 1]
        for row in range(-(-source.height // rows)):
            for column in range(-(-source.width // columns)):
                at, size = (
                    source.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band)
                    for what in ("OFFSET", "SIZE")
                )
                if at and size and int(at) + int(size) > bytes_there:
                    raise ImageError(
                        f"{path}: cut short: it has {bytes_there:,} bytes, and its parts lie up to "
                        f"{int(at) + int(size):,} and further; copy it again"
                    )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise ImageError(
            f"{path}: cannot be read to its end ({reason}); copy or export it anew"
        ) from error


def _corners(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    return (window.top, window.bottom), (window.left, window.right)


WORDS = Words(
    bands="for the whole data set, e.g. rasters:FOLDER?bands=1,2,3",
    limits="for the whole data set, e.g. rasters:FOLDER?range=0,3000",
)
EXTREME = 0.99  # of an alpha band are 0 or its largest value; infrared under that name is not


@dataclass(frozen=True)
class RasterChoice:
    """What a user chose.

    Attributes:
        bands: the numbers, from 1, of those that become red, green and blue; None: the file's.
        limits: the values that become 0 and 255; None: 8-bit values as they are, or 0 to the
            largest number of the bits that the metadata states.
    """

    bands: tuple[int, ...] | None = None
    limits: tuple[float, float] | None = None


def read_photo(
    path: Path, choice: RasterChoice
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
    rasterio = require("rasterio", extra="geo", what=f"reading {path.name}")
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

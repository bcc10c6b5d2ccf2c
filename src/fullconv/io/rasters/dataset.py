"""Open files with rasterio: by the drivers of images only, quietly, and with errors of our own."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.errors import ImageError, require
from fullconv.io.regular import open_regular

# First bytes -> GDAL's driver. Other drivers are never tried on a file: some open URLs.
DRIVERS = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
}
MIN_CACHE, MAX_CACHE = 32 * 2**20, 512 * 2**20  # bytes of GDAL's decoded blocks


@contextmanager
def open_dataset(path: Path) -> Iterator[Any]:
    """Open a TIFF, PNG or JPEG with rasterio.

    Raises:
        ImageError: the file cannot be opened, is cut short, or is rotated by its EXIF orientation.
        MissingExtraError: rasterio is not installed.
    """
    rasterio = import_rasterio(path)
    with quiet():
        driver = _driver(path)
        with read_errors(path):
            dataset = rasterio.open(path, driver=driver)
        with dataset:
            _check_orientation(dataset, path)
            _check_length(dataset, path)
            yield dataset


def import_rasterio(path: Path) -> Any:
    """Return the package rasterio.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require("rasterio", extra="geo", what=f"reading {path} as a raster")


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Collect the log messages of GDAL in a list instead of showing them."""
    handler = _Messages()
    log = logging.getLogger("rasterio")
    log.addHandler(handler)
    with warnings.catch_warnings():
        # Photos and masks rarely have coordinates, and do not need them.
        warnings.filterwarnings("ignore", "Dataset has no geotransform")
        # In GDAL a nodata value hides an alpha band; `valid` reads both.
        warnings.filterwarnings("ignore", "The dataset's nodata attribute is shadowing")
        try:
            yield handler.messages
        finally:
            log.removeHandler(handler)


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Raise an ImageError in place of rasterio's errors."""
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0]  # GDAL's words name the position
        raise ImageError(
            f"cannot be read ({reason})", remedy="copy or export it again", where=path
        ) from error


@contextmanager
def block_cache(dataset: Any, memory: int) -> Iterator[int]:
    """Limit GDAL's cache of decoded blocks to two rows of blocks, if that fits; gives its bytes.

    Args:
        dataset: that will be read row by row.
        memory: bytes that the whole computation may take.
    """
    import rasterio

    row_of_blocks = sum(
        rows * dataset.width * np.dtype(kind).itemsize
        for (rows, _), kind in zip(dataset.block_shapes, dataset.dtypes, strict=True)
    )
    limit = min(MAX_CACHE, max(MIN_CACHE, memory // 4))
    size = int(min(max(2 * row_of_blocks, MIN_CACHE), limit))
    with rasterio.Env(GDAL_CACHEMAX=size):
        yield size


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _driver(path: Path) -> str:
    try:
        with open_regular(path) as file:
            head = file.read(4)
    except OSError as error:
        raise ImageError(f"cannot be opened ({error.strerror})", where=path) from error
    for mark, driver in DRIVERS.items():
        if head.startswith(mark):
            return driver
    raise ImageError(
        "not a TIFF, PNG or JPEG by its first bytes", remedy="convert it to GeoTIFF", where=path
    )


def _check_orientation(dataset: Any, path: Path) -> None:
    orientation = dataset.tags().get("EXIF_Orientation", "1").strip()
    if orientation not in ("", "0", "1"):
        raise ImageError(
            f"its EXIF orientation is {orientation}, and rasters are read as they are stored",
            remedy="rotate it first, e.g. with jpegtran or exiftran",
            where=path,
        )


def _check_length(dataset: Any, path: Path) -> None:
    """Find an incomplete copy of a TIFF before any work is done."""
    if dataset.driver != "GTiff":
        return
    length = path.stat().st_size
    shared = dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL"
    for band in (1,) if shared else dataset.indexes:
        rows, columns = dataset.block_shapes[band - 1]
        for row in range(-(-dataset.height // rows)):
            for column in range(-(-dataset.width // columns)):
                offset, size = (
                    dataset.get_tag_item(f"BLOCK_{key}_{column}_{row}", "TIFF", bidx=band)
                    for key in ("OFFSET", "SIZE")
                )
                if offset and size and int(offset) + int(size) > length:
                    raise ImageError(
                        f"cut short: it has {length:,} bytes, and its blocks need at least "
                        f"{int(offset) + int(size):,}",
                        remedy="copy it again",
                        where=path,
                    )

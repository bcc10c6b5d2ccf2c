"""Write label maps as Cloud-Optimized GeoTIFFs: tiled, with overviews, georeferenced and coloured.

GDAL makes such a file only from a finished raster. So a plain GeoTIFF is written first, one row of
blocks after the other, and then copied.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Any
from zlib import crc32

import numpy as np
from jaxtyping import UInt8

from fullconv.io.palettes import VOID, Palette
from fullconv.io.rasters.dataset import import_rasterio, quiet
from fullconv.io.rasters.reader import Raster

BLOCK = 512
"""Pixels of a block's side."""

TAG_PREFIX = "FULLCONV_"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class LabelStyle:
    """What a label file holds beside its labels: one colour a class, and the tags of the file."""

    palette: Palette
    tags: Mapping[str, str]


def write_cog(
    path: Path,
    folder: Path,
    like: Raster,
    style: LabelStyle,
    rows: Iterable[UInt8[np.ndarray, "rows W"]],
) -> None:
    """Write labels as a Cloud-Optimized GeoTIFF with the coordinates of `like`.

    Equal labels and tags give equal bytes.

    Args:
        path: the file; incomplete until this returns.
        folder: for the temporary file; best on the same file system.
        like: the raster that was labelled.
        style: colours and tags.
        rows: the labels from top to bottom, `BLOCK` rows at a time.

    Raises:
        OSError: the disk is full.
    """
    plain = folder / "plain.tif"
    try:
        with _write_errors(path, plain):
            expected = _write_plain(plain, like, style, rows)
            _copy_as_cog(plain, path)
            # GDAL may reach the end of a disk without an error.
            if _checksum(path) != expected:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        plain.unlink(missing_ok=True)


def read_tags(path: Path) -> dict[str, str]:
    """Read the tags that `write_cog` wrote; {} for a file of another program."""
    rasterio = import_rasterio(path)
    try:
        with quiet(), rasterio.open(path, driver="GTiff") as file:
            tags = file.tags()
    except rasterio.errors.RasterioError:
        return {}
    return {name: value for name, value in tags.items() if name.startswith(TAG_PREFIX)}


def _write_plain(
    path: Path, like: Raster, style: LabelStyle, rows: Iterable[UInt8[np.ndarray, "rows W"]]
) -> int:
    """Write a tiled GeoTIFF; returns the checksum of its labels."""
    import rasterio

    height, width = like.size
    options: dict[str, Any] = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": 1,
        "dtype": "uint8",
        "nodata": VOID,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "zlevel": 1,
        "bigtiff": "if_safer",
    }
    checksum, top = 0, 0
    with rasterio.open(path, "w", **options) as file:
        _copy_georeference(file, like)
        colors = {label: (*color, 255) for label, color in enumerate(style.palette)}
        file.write_colormap(1, colors | {VOID: (0, 0, 0, 0)})
        file.set_band_description(1, "labels")
        file.update_tags(**style.tags)
        for labels in rows:
            checksum = crc32(labels.tobytes(), checksum)
            file.write(labels, 1, window=((top, top + len(labels)), (0, width)))
            top += len(labels)
    return checksum


def _copy_georeference(file: Any, like: Raster) -> None:
    points, points_crs = like.dataset.gcps
    if like.crs:
        file.crs = like.crs
    if like.transform:
        file.transform = like.dataset.transform
        if like.crs and like.dataset.tags().get("AREA_OR_POINT") == "Point":
            file.update_tags(AREA_OR_POINT="Point")
    elif points:
        file.gcps = (points, points_crs)
    if like.dataset.rpcs:
        file.rpcs = like.dataset.rpcs


def _copy_as_cog(plain: Path, path: Path) -> None:
    from rasterio import shutil

    shutil.copy(
        plain,
        path,
        driver="COG",
        COMPRESS="DEFLATE",
        BLOCKSIZE=BLOCK,
        OVERVIEWS="IGNORE_EXISTING",
        OVERVIEW_RESAMPLING="MODE",
        BIGTIFF="IF_SAFER",
    )


def _checksum(path: Path) -> int:
    """Compute the checksum of a file's labels, reading them back."""
    import rasterio

    checksum = 0
    with rasterio.open(path, driver="GTiff") as file:
        for top in range(0, file.height, BLOCK):
            bottom = min(file.height, top + BLOCK)
            labels = file.read(1, window=((top, bottom), (0, file.width)))
            checksum = crc32(labels.tobytes(), checksum)
    return checksum


@contextmanager
def _write_errors(path: Path, plain: Path) -> Iterator[None]:
    """Raise an OSError in place of GDAL's errors, with the right number if the disk is full.

    GDAL often fails then without naming the reason.
    """
    rasterio = import_rasterio(path)
    from rasterio._err import CPLE_BaseError

    with quiet() as messages:
        try:
            yield
        except (rasterio.errors.RasterioError, CPLE_BaseError) as error:
            text = " ".join((*messages, str(error), str(error.__cause__)))
            named = (number for number in _DISK_FULL if os.strerror(number) in text)
            number = errno.ENOSPC if _is_full(plain) else next(named, errno.EIO)
            raise OSError(number, f"{os.strerror(number)} ({error})") from error


def _is_full(plain: Path) -> bool:
    """Whether there is no room for the copy and its overviews."""
    size = plain.stat().st_size if plain.exists() else 0
    return disk_usage(plain.parent).free < 2 * size + 2**20

"""Labels as a Cloud-Optimised GeoTIFF: tiled, with overviews, where and as coloured as they should.

Such a file can only be written in one go from a finished raster; so a plain one is written first,
row of blocks by row of blocks, and copied.
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
from fullconv.io.rasters.reader import Raster, imported, quiet

BLOCK = 512
"""Pixels of a block's side."""

TAG = "FULLCONV_"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Layer:
    """What a label raster says beside its labels.

    Attributes:
        palette: one colour a class.
        tags: of the file.
    """

    palette: Palette
    tags: Mapping[str, str]


def write_cog(
    path: Path,
    folder: Path,
    like: Raster,
    layer: Layer,
    rows: Iterable[UInt8[np.ndarray, "rows W"]],
) -> None:
    """Write labels as a Cloud-Optimised GeoTIFF that lies where `like` lies.

    Equal labels and tags give equal bytes.

    Args:
        path: of the file, which is not whole before this returns.
        folder: for what is in the making; the file system is best the same.
        like: the raster that was answered.
        layer: colours and tags.
        rows: the labels from top to bottom, `BLOCK` rows at a time.

    Raises:
        OSError: the disk is full.
    """
    plain = folder / "plain.tif"
    try:
        with _writing(path, plain):
            expected = _write_plain(plain, like, layer, rows)
            _copy(plain, path)
            # GDAL can come to the end of a disk without telling.
            if _checksum(path) != expected:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        plain.unlink(missing_ok=True)


def tags_of(path: Path) -> dict[str, str]:
    """The tags that `write_cog` wrote into a file; none where it is another's."""
    rasterio = imported(path)
    try:
        with quiet(), rasterio.open(path, driver="GTiff") as file:
            tags = file.tags()
    except rasterio.errors.RasterioError:
        return {}
    return {name: value for name, value in tags.items() if name.startswith(TAG)}


def _write_plain(
    path: Path, like: Raster, layer: Layer, rows: Iterable[UInt8[np.ndarray, "rows W"]]
) -> int:
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
    found, top = 0, 0
    with rasterio.open(path, "w", **options) as file:
        _place(file, like)
        colors = {label: (*color, 255) for label, color in enumerate(layer.palette)}
        file.write_colormap(1, colors | {VOID: (0, 0, 0, 0)})
        file.set_band_description(1, "labels")
        file.update_tags(**layer.tags)
        for part in rows:
            found = crc32(part.tobytes(), found)
            file.write(part, 1, window=((top, top + len(part)), (0, width)))
            top += len(part)
    return found


def _place(file: Any, like: Raster) -> None:
    """Let a raster lie where another one lies."""
    points, points_crs = like.source.gcps
    if like.crs:
        file.crs = like.crs
    if like.transform:
        file.transform = like.source.transform
        if like.crs and like.source.tags().get("AREA_OR_POINT") == "Point":
            file.update_tags(AREA_OR_POINT="Point")
    elif points:
        file.gcps = (points, points_crs)
    if like.source.rpcs:
        file.rpcs = like.source.rpcs


def _copy(plain: Path, path: Path) -> None:
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
    """Of the labels as they can be read back."""
    import rasterio

    found = 0
    with rasterio.open(path, driver="GTiff") as file:
        for top in range(0, file.height, BLOCK):
            bottom = min(file.height, top + BLOCK)
            part = file.read(1, window=((top, bottom), (0, file.width)))
            found = crc32(part.tobytes(), found)
    return found


@contextmanager
def _writing(path: Path, plain: Path) -> Iterator[None]:
    """Tell by the number of the error whether the disk is full, which GDAL often keeps silent."""
    rasterio = imported(path)
    from rasterio._err import CPLE_BaseError

    with quiet() as said:
        try:
            yield
        except (rasterio.errors.RasterioError, CPLE_BaseError) as error:
            text = " ".join((*said, str(error), str(error.__cause__)))
            number = next((one for one in _FULL if os.strerror(one) in text), errno.EIO)
            number = errno.ENOSPC if _is_full(plain) else number
            raise OSError(number, f"{os.strerror(number)} ({error})") from error


def _is_full(plain: Path) -> bool:
    """Whether there is no room for the copy and its overviews."""
    size = plain.stat().st_size if plain.exists() else 0
    return disk_usage(plain.parent).free < 2 * size + 2**20

"""Raster headers are read without decoding; files are written by GDAL and Pillow."""

import numpy as np
import pytest
from PIL import Image

from fullconv.io.rasters import RasterHeader, read_raster_header
from georeferenced import random_bands, write

SIZE = (21, 34)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_plain_photo_is_not_georeferenced(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(random_bands(3, SIZE).transpose(1, 2, 0)).save(path)
    assert read_raster_header(path) == RasterHeader(*SIZE)


@pytest.mark.parametrize("options", [{}, {"BIGTIFF": "YES"}, {"ENDIANNESS": "BIG"}])
@pytest.mark.filterwarnings("ignore")
def test_a_geotiff_is_georeferenced(tmp_path, options):
    pytest.importorskip("rasterio", reason="writes GeoTIFFs")
    path = write(tmp_path / "a.tif", random_bands(4, SIZE), **options)
    assert read_raster_header(path) == RasterHeader(*SIZE, georeferenced=True)
    plain = write(tmp_path / "b.tif", random_bands(4, SIZE), georeferenced=False, **options)
    assert read_raster_header(plain) == RasterHeader(*SIZE)
    assert read_raster_header(
        write(plain, random_bands(4, SIZE), georeferenced=False, nodata=0)
    ).georeferenced


def test_a_world_file_georeferences_a_photo(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(random_bands(3, SIZE).transpose(1, 2, 0)).save(path)
    (tmp_path / "a.jgw").write_text("10\n0\n0\n-10\n4e5\n5.8e6\n")
    assert read_raster_header(path) == RasterHeader(*SIZE, georeferenced=True)


def test_a_jpeg_with_a_long_header(tmp_path):
    exif = Image.Exif()
    exif[270] = "x" * 30_000
    path = tmp_path / "a.jpg"
    Image.fromarray(random_bands(3, SIZE).transpose(1, 2, 0)).save(
        path, exif=exif, progressive=True
    )
    assert read_raster_header(path) == RasterHeader(*SIZE)


def test_random_bytes_raise_no_error(tmp_path):
    draw = np.random.default_rng(0)
    path = tmp_path / "a"
    for head in (b"II*\0", b"MM\0*", b"II+\0", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b""):
        for length in (0, 1, 7, 19, 40, 400):
            path.write_bytes(head + draw.integers(0, 256, length, np.uint8).tobytes())
            read_raster_header(path)
    assert read_raster_header(tmp_path / "nothing") is None and read_raster_header(tmp_path) is None

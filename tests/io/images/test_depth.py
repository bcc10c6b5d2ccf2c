"""Photos with more than 8 bits a channel are read with all of their bits, or refused."""

import numpy as np
import pytest
from PIL import Image

from exif_photos import write_rotated
from fullconv.errors import ImageError
from fullconv.io import images
from fullconv.io.value_range import scale_values

SIZE = (37, 51)
RANGE = (200.0, 3000.0)


def values(channels, kind=np.uint16, seed=0):
    span = np.random.default_rng(seed).integers(0, 2**16, (channels, *SIZE))
    return (span if kind == np.uint16 else span - 2**15).astype(kind)


def scaled(raw):
    """Scale as the documentation says, without the package's code."""
    return np.rint(np.clip((raw.astype(np.float64) - RANGE[0]) / (RANGE[1] - RANGE[0]), 0, 1) * 255)


TIFFS = {
    "plain": {},
    "LZW": {"compress": "lzw"},
    "deflate with predictor": {"compress": "deflate", "predictor": 2},
    "tiles": {"compress": "lzw", "tiled": True, "blockxsize": 16, "blockysize": 16},
    "big-endian": {"ENDIANNESS": "BIG"},
    "big-endian LZW": {"ENDIANNESS": "BIG", "compress": "lzw"},
}


def write(path, raw, **options):
    """Write with GDAL, an independent encoder."""
    rasterio = pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
    if path.suffix == ".tif" and len(raw) == 3:
        options["photometric"] = "RGB"
    form = {"count": len(raw), "height": SIZE[0], "width": SIZE[1], "dtype": raw.dtype}
    driver = "PNG" if path.suffix == ".png" else "GTiff"
    with rasterio.open(path, "w", driver=driver, **form, **options) as file:
        file.write(raw)
    return path


pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("how", ["PNG", *TIFFS])
def test_16_bit_photos_keep_all_bits(tmp_path, how, channels):
    raw = values(channels)
    name = "a.png" if how == "PNG" else "a.tif"
    path = write(tmp_path / name, raw, **TIFFS.get(how, {}))
    expected = np.broadcast_to(raw, (3, *SIZE)).transpose(1, 2, 0)
    assert np.array_equal(images.read_photo(path), expected)
    assert np.array_equal(images.read_image(path, RANGE), scaled(expected))
    assert np.array_equal(images.decode_image(path.read_bytes(), "a", RANGE), scaled(expected))
    assert images.read_header(path).deep and images.is_deep_file(path)
    with pytest.raises(ImageError, match=r"a\.\w+: a photo with more than 8 bits.*no value range"):
        images.read_image(path)


def test_alpha_is_dropped_as_of_8_bits(tmp_path):
    raw = values(4)
    path = write(tmp_path / "a.png", raw)
    assert np.array_equal(images.read_photo(path), raw[:3].transpose(1, 2, 0))


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint32, np.float32])
def test_wide_and_floating_point_tiffs_keep_their_values(tmp_path, kind):
    raw = values(1, kind) if kind != np.uint32 else values(1).astype(np.uint32) * 65537
    path = write(tmp_path / "a.tif", raw)
    assert np.array_equal(images.read_photo(path)[..., 1], raw[0])
    assert np.array_equal(images.read_image(path, RANGE)[..., 2], scaled(raw[0]))


@pytest.mark.parametrize("channels", [3, 4])
def test_planes_and_four_bands_are_refused_and_not_misread(tmp_path, channels):
    options = {"interleave": "band"} if channels == 3 else {"photometric": "RGB", "alpha": "NO"}
    for compress in ("none", "lzw"):
        path = write(tmp_path / "a.tif", values(channels), compress=compress, **options)
        with pytest.raises(ImageError, match=r"four bands or planes.*rasters:FOLDER"):
            images.read_image(path, RANGE)


def test_floating_point_colours_are_refused_with_what_is_read(tmp_path):
    path = write(tmp_path / "a.tif", values(3, np.float32))
    with pytest.raises(ImageError, match=r"several channels of floating.*rasters:FOLDER"):
        images.read_image(path, RANGE)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_deep_photos_are_rotated_by_exif(tmp_path, orientation):
    raw = values(1)[0]
    upright = np.rot90(raw, {3: 2, 6: 3, 8: 1}[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(raw).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(images.read_photo(tmp_path / "a.png")[..., 0], upright)
    header, grey, _ = images.read_thumbnail(tmp_path / "a.png", (8, 8))
    assert header.size == upright.shape and grey.shape == (8, 8)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_a_thumbnail_shows_all_of_the_range(tmp_path, name):
    raw = (np.indices(SIZE).sum(0) + 300).astype(np.uint16)  # in 8 bits, all of it would be 1
    path = write(tmp_path / name, np.stack([raw] * 3))
    _, grey, opaque = images.read_thumbnail(path, SIZE)
    expected = np.rint((raw - 300.0) / (raw.max() - 300) * 255)
    assert np.abs(grey.astype(float) - expected).max() <= 1 and opaque == 1


def test_scaling_clips_and_takes_nan_for_black():
    given = np.array([-np.inf, -5, 0, 0.5, 1, 7, np.inf, np.nan], np.float32)
    assert scale_values(given, (0, 1)).tolist() == [0, 0, 0, 128, 255, 255, 255, 0]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_8_bit_and_broken_files_are_not_deep(tmp_path, name):
    write_rotated(tmp_path / name, np.zeros((4, 5, 3), np.uint8), 1)
    assert not images.is_deep_file(tmp_path / name)
    (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    assert not images.is_deep_file(tmp_path / name)
    assert not images.is_deep_file(tmp_path / "absent.tif")

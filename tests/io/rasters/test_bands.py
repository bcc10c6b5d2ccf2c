"""Which bands become red, green and blue, and which values black and white."""

import numpy as np
import pytest

from earth import field, write
from fullconv.errors import ConfigError, DataError, ImageError
from fullconv.io.rasters import Choice, opened, parse_bands, parse_range
from fullconv.io.window import Window

pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SIZE = (31, 45)
SOME = Window(3, 7, 20, 30)


def shown(path, bands=None, limits=None, window=SOME):
    with opened(path, bands, limits) as raster:
        return raster.read(window)


def test_bands_are_in_the_order_that_was_said(tmp_path):
    values = field(5, SIZE)
    path = write(tmp_path / "a.tif", values)
    expected = values[[3, 0, 1]].transpose(1, 2, 0)
    assert (shown(path, (4, 1, 2)) == expected[SOME.slices]).all()
    assert (shown(path, (5,)) == values[4][SOME.slices][..., None]).all()


def test_three_bands_are_in_the_order_of_their_meaning(tmp_path):
    values = field(3, SIZE)
    path = write(tmp_path / "a.tif", values, colorinterp=("blue", "red", "green"))
    assert (shown(path) == values[[1, 2, 0]].transpose(1, 2, 0)[SOME.slices]).all()


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.int32, np.float32, np.uint8])
def test_a_range_is_scaled_and_cut(tmp_path, kind):
    values = field(3, SIZE, kind=np.uint8).astype(kind)
    if kind in (np.int16, np.int32, np.float32):
        values -= 100
    path = write(tmp_path / "a.tif", values)
    expected = np.round(np.clip((values.astype(float) - 20) / 100, 0, 1) * 255)
    assert (shown(path, limits=(20, 120)) == expected.transpose(1, 2, 0)[SOME.slices]).all()


def test_a_range_must_be_said_unless_the_file_says_it(tmp_path):
    values = field(3, SIZE, kind=np.uint16)
    path = write(tmp_path / "a.tif", values)
    with pytest.raises(DataError, match=r"values of uint16.*--range, e.g. --range 0,3000"):
        shown(path)
    path = write(tmp_path / "b.tif", values, NBITS=12)
    assert (shown(path) == np.round(values / 4095 * 255).transpose(1, 2, 0)[SOME.slices]).all()


@pytest.mark.parametrize("count", [2, 4, 13])
def test_other_numbers_of_bands_are_never_guessed(tmp_path, count):
    path = write(tmp_path / "a.tif", field(count, SIZE))
    with pytest.raises(DataError, match=rf"a.tif: {count} bands: 1 .*say which are red"):
        shown(path)


def test_numbers_of_colours_are_no_colours(tmp_path):
    import rasterio

    path = write(tmp_path / "a.tif", field(1, SIZE))
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {3: (1, 2, 3)})
    with pytest.raises(DataError, match=r"numbers of colours in a table.*-expand rgb"):
        shown(path)


def test_a_turned_photo_is_refused(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(field(3, SIZE).transpose(1, 2, 0)).save(tmp_path / "a.jpg", exif=exif)
    with pytest.raises(ImageError, match=r"EXIF orientation is 6.*turn it first"):
        shown(tmp_path / "a.jpg")


def test_words_for_bands_and_ranges():
    assert parse_bands("4, 1,2") == (4, 1, 2) and parse_range("-1.5,3e3") == (-1.5, 3000)
    for wrong in ("", "4,1", "0,1,2", "a,b,c", "1,2,3,4", "-1,2,3"):
        with pytest.raises(ConfigError, match="--bands"):
            parse_bands(wrong)
    for wrong in ("", "5", "3,3", "0,inf", "nan,1", "1,2,3", "9,1"):
        with pytest.raises(ConfigError, match="--range"):
            parse_range(wrong)


def test_a_choice_says_itself():
    said = str(Choice((4, 1, 2), (0, 3000), 5))
    assert said == (
        "bands 4, 1, 2 as red, green, blue; 0 is black, 3000 white; "
        "where band 5 is 0 there is no data"
    )

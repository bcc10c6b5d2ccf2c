"""The choice of bands for red, green and blue, and the value range that is scaled to 0-255."""

import numpy as np
import pytest

from fullconv.errors import ConfigError, DataError, ImageError
from fullconv.io.rasters import BandChoice, open_raster, parse_bands, parse_options
from fullconv.io.window import Window
from georeferenced import random_bands, write

pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SIZE = (31, 45)
WINDOW = Window(3, 7, 20, 30)


def read(path, bands=None, value_range=None):
    with open_raster(path, BandChoice(bands, value_range)) as raster:
        return raster.read(WINDOW)


def test_bands_are_read_in_the_chosen_order(tmp_path):
    values = random_bands(5, SIZE)
    path = write(tmp_path / "a.tif", values)
    expected = values[[3, 0, 1]].transpose(1, 2, 0)
    assert (read(path, (4, 1, 2)) == expected[WINDOW.slices]).all()
    assert (read(path, (5,)) == values[4][WINDOW.slices][..., None]).all()


def test_three_bands_are_ordered_by_their_colours(tmp_path):
    values = random_bands(3, SIZE)
    path = write(tmp_path / "a.tif", values, colorinterp=("blue", "red", "green"))
    assert (read(path) == values[[1, 2, 0]].transpose(1, 2, 0)[WINDOW.slices]).all()


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.int32, np.float32, np.uint8])
def test_a_range_is_scaled_and_clipped(tmp_path, kind):
    values = random_bands(3, SIZE, kind=np.uint8).astype(kind)
    if kind in (np.int16, np.int32, np.float32):
        values -= 100
    path = write(tmp_path / "a.tif", values)
    expected = np.round(np.clip((values.astype(float) - 20) / 100, 0, 1) * 255)
    found = read(path, value_range=(20, 120))
    assert (found == expected.transpose(1, 2, 0)[WINDOW.slices]).all()


def test_a_range_has_to_be_chosen_unless_the_file_declares_it(tmp_path):
    values = random_bands(3, SIZE, kind=np.uint16)
    path = write(tmp_path / "a.tif", values)
    with pytest.raises(DataError, match=r"values of uint16.*FOLDER\?range=0,3000.*--range 0,3000"):
        read(path)
    path = write(tmp_path / "b.tif", values, NBITS=12)
    assert (read(path) == np.round(values / 4095 * 255).transpose(1, 2, 0)[WINDOW.slices]).all()


@pytest.mark.parametrize("count", [2, 4, 13])
def test_bands_of_other_counts_must_be_chosen(tmp_path, count):
    path = write(tmp_path / "a.tif", random_bands(count, SIZE))
    message = rf"a.tif: {count} bands: 1 .*choose red.*FOLDER\?bands=1,2,3.*--bands 1,2,3"
    with pytest.raises(DataError, match=message):
        read(path)


def test_indices_into_a_colour_table_are_refused(tmp_path):
    import rasterio

    path = write(tmp_path / "a.tif", random_bands(1, SIZE))
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {3: (1, 2, 3)})
    with pytest.raises(DataError, match=r"indices into a colour table.*-expand rgb"):
        read(path)


def test_a_rotated_photo_is_refused(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(random_bands(3, SIZE).transpose(1, 2, 0)).save(tmp_path / "a.jpg", exif=exif)
    with pytest.raises(ImageError, match=r"EXIF orientation is 6.*rotate it first"):
        read(tmp_path / "a.jpg")


def test_a_choice_is_parsed():
    assert parse_bands("4, 1,2", "-1.5,3e3") == BandChoice((4, 1, 2), (-1.5, 3000))
    assert parse_bands(None, None) == BandChoice() and not BandChoice().is_explicit
    assert parse_options("bands=5&range=0,9") == parse_bands("5", "0,9")
    assert parse_options("") == BandChoice()


@pytest.mark.parametrize("bands", ["", "4,1", "0,1,2", "a,b,c", "1,2,3,4", "-1,2,3", "1.5", "inf"])
def test_invalid_bands_are_refused(bands):
    with pytest.raises(ConfigError, match=rf"^bands {bands}: expected one or three .*from 1"):
        parse_bands(bands)


@pytest.mark.parametrize("limits", ["", "5", "3,3", "0,inf", "nan,1", "0,nan", "1,2,3", "9,1"])
def test_an_invalid_range_is_refused(limits):
    with pytest.raises(ConfigError, match=rf"^range {limits}: expected two "):
        parse_bands(None, limits)


def test_an_unknown_option_is_refused():
    with pytest.raises(ConfigError, match="no option 'band'; expected bands or range"):
        parse_options("band=1")


def test_a_choice_is_completed_by_another():
    trained = BandChoice((4, 1, 2), (0, 3000))
    assert BandChoice().or_else(trained) == trained and trained.or_else(None) == trained
    assert BandChoice((1,)).or_else(trained) == BandChoice((1,), (0, 3000))


def test_a_choice_is_described_in_words():
    text = str(BandChoice((4, 1, 2), (0, 3000)))
    assert text == "bands 4, 1, 2 as red, green, blue; 0 is black, 3000 white"
    assert str(BandChoice((2,))) == "bands 2 as grey"

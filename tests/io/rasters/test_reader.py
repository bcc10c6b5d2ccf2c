"""Training and prediction, windows and whole files, read the same pixels and nodata."""

import numpy as np
import pytest

from fullconv.data.formats import open_data
from fullconv.errors import ImageError
from fullconv.io.palettes import VOID
from fullconv.io.rasters import BandChoice, open_raster, read_raster
from fullconv.io.window import Window
from georeferenced import random_bands, write

pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SIZE = (150, 190)
RGBA = ("red", "green", "blue", "alpha")


def infrared(zeros=0.31):
    """Return four bands; the last has many values, and 0 in a share of the pixels."""
    values = random_bands(4, SIZE)
    values[3][np.random.default_rng(0).random(SIZE) < zeros] = 0
    return values


def smoothed():
    """Return four bands; the last is a mask with a smoothed edge."""
    values = random_bands(4, SIZE)
    values[3] = 255
    values[3, 20:90, 30:60] = 0
    values[3, 20:90, 60] = 100
    return values


FILES = {
    "no mask": (random_bands(4, SIZE), {}, (1, 2, 3)),
    "infrared tagged alpha": (infrared(), {"colorinterp": RGBA}, (1, 2, 3)),
    "infrared tagged alpha, chosen": (infrared(), {"colorinterp": RGBA}, (4, 1, 2)),
    "infrared that is 0": (infrared(1.1), {"colorinterp": RGBA}, (1, 2, 3)),
    "alpha": (smoothed(), {"colorinterp": RGBA}, (1, 2, 3)),
    "alpha, chosen": (smoothed(), {"colorinterp": RGBA}, (4,)),
    "nodata": (np.where(smoothed()[3] > 0, random_bands(4, SIZE), 0), {"nodata": 0}, (1, 2, 3)),
    "nodata and alpha": (smoothed(), {"colorinterp": RGBA, "nodata": 7}, (1, 2, 3)),
    "mask": (random_bands(4, SIZE), {"mask": smoothed()[3] > 0}, (3, 2, 1)),
    "not a number": (np.where(smoothed() > 0, random_bands(4, SIZE), np.nan), {}, (4,)),
}
HOLES = ("alpha", "nodata", "nodata and alpha", "mask", "not a number")


@pytest.mark.parametrize("name", FILES)
def test_training_and_prediction_agree_on_pixels_and_valid_data(tmp_path, name):
    values, options, bands = FILES[name]
    values = values.astype(np.float32) if name == "not a number" else values
    path = write(tmp_path / "images" / "a.tif", values, **options)
    write(tmp_path / "masks" / "a.tif", np.zeros((1, *SIZE), np.uint8))
    (tmp_path / "classes.txt").write_text("soil\n")
    choice = "bands=" + ",".join(map(str, bands)) + "&range=0,255"
    sample = open_data(f"rasters:{tmp_path}?{choice}")[0]

    seen, valid = np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, bool)
    with open_raster(path, BandChoice(bands, (0, 255))) as raster:
        for top in range(0, SIZE[0], 40):
            for left in range(0, SIZE[1], 70):
                window = Window(top, left, min(40, SIZE[0] - top), min(70, SIZE[1] - left))
                seen[window.slices] = raster.read(window)
                valid[window.slices] = raster.valid(window)
        assert raster.may_lack_data or valid.all()
    assert (seen == sample.image).all()
    assert (valid == (sample.labels != VOID)).all()
    if name in HOLES:
        assert (valid == (smoothed()[3] > 0)).mean() > 0.99 and not seen[~valid].any()
    else:
        assert valid.all()


def test_the_mask_band_is_part_of_the_description(tmp_path):
    paths = [
        write(tmp_path / f"{name}.tif", values, colorinterp=RGBA)
        for name, values in (("infrared", infrared()), ("alpha", smoothed()))
    ]
    descriptions = []
    for path in paths:
        with open_raster(path, BandChoice((1, 2, 3))) as raster:
            descriptions.append(raster.description)
    assert descriptions[0] == "bands 1, 2, 3 as red, green, blue"
    assert descriptions[1] == f"{descriptions[0]}; where band 4 is 0 there is no data"


@pytest.mark.parametrize("options", [{}, {"tiled": False, "blockysize": 1}, {"interleave": "band"}])
def test_an_alpha_band_is_examined_over_the_whole_file(tmp_path, options):
    values = smoothed()
    values[3, :128] = 0  # nodata in the first rows of blocks
    path = write(tmp_path / "a.tif", values, colorinterp=RGBA, **options)
    _, valid = read_raster(path, BandChoice((1, 2, 3)))
    assert (valid == (values[3] > 0)).all() and valid.any()


def test_files_of_other_drivers_are_not_opened(tmp_path):
    (tmp_path / "a.vrt").write_text("<VRTDataset rasterXSize='5' rasterYSize='5'/>")
    with pytest.raises(ImageError, match="not a TIFF, PNG or JPEG by its first bytes"):
        read_raster(tmp_path / "a.vrt")

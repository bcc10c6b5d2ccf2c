import shutil

import numpy as np
import pytest

from fullconv.data.formats import open_data
from fullconv.errors import ConfigError, DataError, FullconvError, ImageError, LabelError
from fullconv.io.palettes import VOID
from fullconv.io.rasters import BandChoice

rasterio = pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
HERE = rasterio.Affine(10, 0, 400_000, 0, -10, 5_800_000)

# rasterio 1.4 uses an operator that affine 3 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def write(path, values, **options):
    """Write bands (bands, height, width), by default georeferenced."""
    values = np.asarray(values)
    interpretation = options.pop("colorinterp", None)
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {"count": len(values), "height": values.shape[1], "width": values.shape[2]}
    options = {"crs": "EPSG:32633", "transform": HERE} | options
    with rasterio.open(path, "w", driver="GTiff", dtype=values.dtype, **shape, **options) as file:
        file.write(values)
        if interpretation:
            file.colorinterp = [rasterio.enums.ColorInterp[name] for name in interpretation]


LABELS = np.array([[[0, 1, 1], [1, 0, 255]]], np.uint8)
BANDS = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)


@pytest.fixture
def fields(tmp_path):
    write(tmp_path / "images" / "a.tif", BANDS)
    write(tmp_path / "masks" / "a.tif", LABELS)
    (tmp_path / "classes.txt").write_text("soil\ncrop\n")
    return tmp_path


def test_bands_are_chosen_not_dropped(fields):
    sample = open_data(f"rasters:{fields}?bands=4,2,1")[0]
    assert np.array_equal(sample.image, BANDS[[3, 1, 0]].transpose(1, 2, 0))
    assert np.array_equal(sample.labels, LABELS[0])
    with pytest.raises(DataError, match=r"4 bands: 1 .*uint8.*4 .*rasters:FOLDER\?bands=1,2,3"):
        open_data(f"rasters:{fields}")[0]
    with pytest.raises(DataError, match="no band 5; it has 4 bands"):
        open_data(f"rasters:{fields}?bands=5,1,2")[0]


def test_plain_folders_do_not_drop_a_fourth_band_either(fields):
    with pytest.raises(DataError, match=r"a TIFF with four bands.*rasters:FOLDER\?bands=1,2,3"):
        open_data(f"folders:{fields}")[0]


def test_three_bands_are_put_in_the_order_of_their_meaning(fields):
    write(fields / "images" / "a.tif", BANDS[:3], colorinterp=("blue", "green", "red"))
    image = open_data(f"rasters:{fields}")[0].image
    assert np.array_equal(image, BANDS[[2, 1, 0]].transpose(1, 2, 0))


def test_one_band_is_grey(fields):
    write(fields / "images" / "a.tif", BANDS[:1])
    image = open_data(f"rasters:{fields}")[0].image
    assert np.array_equal(image, np.stack([BANDS[0]] * 3, axis=-1))


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.float32])
def test_a_range_is_scaled_and_cut(fields, kind):
    values = np.array([[[0, 1000, 2000], [3000, 4000, 1500]]], kind)
    write(fields / "images" / "a.tif", values)
    with pytest.raises(DataError, match=r"values of .*no metadata.*\?range=0,3000"):
        open_data(f"rasters:{fields}")[0]
    image = open_data(f"rasters:{fields}?range=1000,3000")[0].image
    assert image[..., 0].tolist() == [[0, 0, 128], [255, 255, 64]]


def test_a_range_that_the_metadata_states(fields):
    write(fields / "images" / "a.tif", np.uint16([[[0, 2048, 4095]] * 2]), nbits=12)
    assert open_data(f"rasters:{fields}")[0].image[0, :, 0].tolist() == [0, 128, 255]


def test_pixels_without_data_are_void(fields):
    write(fields / "images" / "a.tif", np.uint8([[[7, 9, 9], [9, 9, 9]]]), nodata=7)
    write(fields / "masks" / "a.tif", np.uint8([[[0, 77, 1], [1, 1, 1]]]), nodata=77)
    sample = open_data(f"rasters:{fields}")[0]
    assert sample.labels.tolist() == [[VOID, VOID, 1], [1, 1, 1]]
    assert sample.image[0, 0].tolist() == [0, 0, 0]


def test_not_a_number_is_no_data(fields):
    values = np.ones((3, 2, 3), np.float32)
    values[1, 0, 1] = np.nan
    write(fields / "images" / "a.tif", values)
    labels = open_data(f"rasters:{fields}?range=0,1")[0].labels
    assert labels.tolist() == [[0, VOID, 1], [1, 0, 255]]


def test_nodata_that_is_a_class_is_an_error(fields):
    write(fields / "masks" / "a.tif", LABELS, nodata=0)
    with pytest.raises(DataError, match=r"declares 0 as nodata, but it is also the class 'soil'"):
        open_data(f"rasters:{fields}?bands=1")[0]
    (fields / "classes.txt").write_text("0 __ignore__\n1 crop\n")
    labels = open_data(f"rasters:{fields}?bands=1")[0].labels
    assert labels.tolist() == [[VOID, 0, 0], [0, VOID, VOID]]


def test_infrared_tagged_as_alpha_masks_nothing(fields):
    values = BANDS.copy()
    values[3] = 0
    write(fields / "images" / "a.tif", values, colorinterp=("red", "green", "blue", "alpha"))
    labels = open_data(f"rasters:{fields}?bands=1,2,3")[0].labels
    assert np.array_equal(labels, LABELS[0])


def test_an_alpha_of_0_and_255_masks_pixels_without_data(fields):
    values = BANDS.copy()
    values[3] = [[255, 0, 255], [255, 255, 0]]
    write(fields / "images" / "a.tif", values, colorinterp=("red", "green", "blue", "alpha"))
    sample = open_data(f"rasters:{fields}?bands=1,2,3")[0]
    assert np.array_equal(sample.labels == VOID, values[3] == 0)
    assert not sample.image[values[3] == 0].any()


def test_an_alpha_of_many_values_is_infrared(fields):
    values = BANDS.copy()
    values[3] = [[255, 0, 7], [90, 31, 2]]
    write(fields / "images" / "a.tif", values, colorinterp=("red", "green", "blue", "alpha"))
    assert np.array_equal(open_data(f"rasters:{fields}?bands=1,2,3")[0].labels, LABELS[0])


def test_a_mask_of_another_location_is_an_error(fields):
    write(fields / "masks" / "a.tif", LABELS, crs="EPSG:32632")
    with pytest.raises(DataError, match=r"EPSG:32632 .* instead of EPSG:32633 .*warp it"):
        open_data(f"rasters:{fields}?bands=1")[0]
    away = rasterio.Affine(10, 0, 400_010, 0, -10, 5_800_000)
    write(fields / "masks" / "a.tif", LABELS, transform=away)
    with pytest.raises(DataError, match="covers another place"):
        open_data(f"rasters:{fields}?bands=1")[0]


@pytest.mark.parametrize(("shift", "fits"), [(1.0, False), (0.2, False), (0.01, True)])
@pytest.mark.parametrize("side", [1.8e-7, 10.0])  # degrees, of 2 cm, and metres
def test_a_mask_is_compared_with_its_image_in_pixels(fields, side, shift, fits):
    crs = "EPSG:4326" if side < 1 else "EPSG:32633"
    for place, values, moved in (("images", BANDS, 0), ("masks", LABELS, shift)):
        affine = rasterio.Affine(side, 0, 8.5 + moved * side, 0, -side, 47.3)
        write(fields / place / "a.tif", values, transform=affine, crs=crs)
    data = open_data(f"rasters:{fields}?bands=1")
    if fits:
        assert np.array_equal(data[0].labels, LABELS[0])
    else:
        with pytest.raises(DataError, match="covers another place"):
            data[0]


def test_unequal_sizes_and_strange_masks_are_errors(fields):
    write(fields / "masks" / "a.tif", LABELS[:, :1])
    with pytest.raises(DataError, match=r"1 x 3 pixels .*has 2 x 3"):
        open_data(f"rasters:{fields}?bands=1")[0]
    write(fields / "masks" / "a.tif", LABELS + np.uint8(2))
    with pytest.raises(LabelError, match=r"the value 2 .*3 "):
        open_data(f"rasters:{fields}?bands=1")[0]
    write(fields / "masks" / "a.tif", LABELS.astype(np.float32) / 3)
    with pytest.raises(DataError, match="1 bands of float32; expected whole numbers"):
        open_data(f"rasters:{fields}?bands=1")


def test_the_choice_belongs_to_the_data_set(fields):
    assert open_data(f"rasters:{fields}?bands=4,2,1").band_choice == BandChoice((4, 2, 1))
    assert open_data(f"rasters:{fields}").band_choice is None
    with pytest.raises(ConfigError, match="bands 1,2: expected one or three"):
        open_data(f"rasters:{fields}?bands=1,2")


def test_samples_of_potsdam(shared, tmp_path):
    sample = shared("formats") / "potsdam_torchgeo"
    photo = sample / "4_Ortho_RGBIR" / "top_potsdam_2_10_RGBIR.tif"
    for source, kind in ((photo, "images"), (sample / "top_potsdam_2_10_label.tif", "masks")):
        (tmp_path / kind).mkdir()
        shutil.copy(source, tmp_path / kind)
    colors = ((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0))
    names = ("impervious", "building", "low vegetation", "tree", "car", "clutter")
    lines = (
        f"{name} {' '.join(map(str, color))}\n" for name, color in zip(names, colors, strict=True)
    )
    (tmp_path / "classes.txt").write_text("".join(lines))
    data = open_data(f"rasters:{tmp_path}?bands=4,1,2")
    with rasterio.open(photo) as raster:
        assert np.array_equal(data[0].image, raster.read([4, 1, 2]).transpose(1, 2, 0))
    with rasterio.open(sample / "top_potsdam_2_10_label.tif") as raster:
        target = raster.read().transpose(1, 2, 0)
    assert np.array_equal(np.array(colors)[data[0].labels], target)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("byte", "", None),
        ("rgb-byte-tenth", "", None),
        ("rotated", "", None),
        ("float_nan", "range=0,9", None),
        ("float_raster_with_nodata", "range=0,9", None),
        ("RGBA.uint16", "bands=3,2,1&range=0,9000", None),
        ("RGBA.uint16", "", "4 bands: 1 blue"),
        ("all-nodata", "bands=3,2,1&range=0,1", None),
        ("float32", "", "no metadata about which are black"),
        ("corrupt", "", "cut short: it has 298,232 bytes"),
    ],
)
def test_strange_rasters_are_read_or_refused(shared, tmp_path, name, options, message):
    (tmp_path / "images").mkdir()
    photo = shutil.copy(shared("formats") / "geotiff_rasterio" / f"{name}.tif", tmp_path / "images")
    with rasterio.open(photo) as raster:
        size, seen = raster.shape, raster.dataset_mask() > 0
    write(tmp_path / "masks" / f"{name}.tif", np.zeros((1, *size), np.uint8), crs=None)
    data = open_data(f"rasters:{tmp_path}?{options}")
    if message:
        with pytest.raises((DataError, ImageError), match=message):
            data[0]
    else:
        labels = data[0].labels
        assert labels.shape == size
        assert np.array_equal(labels == VOID, ~seen)
        assert (labels == VOID).all() == (name == "all-nodata")


def test_missing_masks_are_a_users_error(tmp_path):
    with pytest.raises(FullconvError, match="expected a folder of photos"):
        open_data(f"rasters:{tmp_path}?bands=1")

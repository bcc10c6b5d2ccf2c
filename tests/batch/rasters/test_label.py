"""Rasters that are labelled in parts equal the prediction of the whole raster."""

import copy
import csv
import json
import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from fullconv.batch.rasters import label as labelling
from fullconv.batch.rasters.label import label_raster
from fullconv.batch.rasters.outputs import RasterOutputs
from fullconv.errors import ConfigError, DataError, ImageError, MemoryBudgetError, OutputError
from fullconv.inference.planner import Plan
from fullconv.io.rasters import BandChoice, Raster
from fullconv.model import load
from fullconv.units import parse_bytes
from georeferenced import SIZE, predict_whole, random_bands, read, write
from photos import write_model

rasterio = pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
# rasterio 1.4 uses an operator that affine 3 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(write_model(tmp_path_factory.mktemp("model") / "m.safetensors", seed=5))


@pytest.fixture
def strips(monkeypatch):
    """Plan strips of 40 rows in bands of 100 columns, blocks of 32, as for a large raster."""
    planned = Plan("strips", True, (0, 0), 40, 100)

    def replanned(network, size, memory, resized, held, whole_width):
        assert whole_width
        return replace(planned, size=size, resized=None if resized == size else resized)

    monkeypatch.setattr(labelling, "plan", replanned)
    monkeypatch.setattr(labelling, "BLOCK", 32)


def label(model, source, target, rows=64, **options):
    """Label a raster and return the progress."""
    return list(label_raster(model, source, target, rows=rows, memory="1GiB", **options))


def until_a_part_is_kept(progress, folder):
    for _ in progress:
        if (folder / ".o.tif.parts" / "000000.part").exists():
            break
    progress.close()


def test_labels_of_parts_equal_the_whole_prediction(model, strips, tmp_path):
    values = random_bands()
    source = write(tmp_path / "a.tif", values)
    label(model, source, tmp_path / "o.tif", band_choice=BandChoice((4, 1, 2)))
    expected = predict_whole(model, values[[3, 0, 1]])
    assert len(np.unique(expected)) > 2
    assert (read(tmp_path / "o.tif") == expected).all()


def test_a_small_raster_is_labelled_in_one_part(model, tmp_path):
    values = random_bands(3)
    label(model, write(tmp_path / "a.tif", values), tmp_path / "o.tif")
    assert (read(tmp_path / "o.tif") == predict_whole(model, values)).all()


@pytest.mark.parametrize("scale", [0.5, 0.37, 1.5])
def test_a_raster_is_scaled_as_a_photo_is(model, strips, tmp_path, scale):
    scaled = copy.copy(model)
    scaled.input_scale = scale
    values = random_bands(3)
    label(scaled, write(tmp_path / "a.tif", values), tmp_path / "o.tif")
    expected = scaled.predict(np.ascontiguousarray(values.transpose(1, 2, 0)))
    assert len(np.unique(expected.labels)) > 1
    assert (read(tmp_path / "o.tif") == expected.labels).all()


@pytest.mark.parametrize("kind", ["nodata", "mask", "alpha"])
def test_nodata_pixels_are_ignored_and_black_for_the_network(model, tmp_path, kind):
    values = random_bands(4 if kind == "alpha" else 3)
    valid = np.ones(SIZE, bool)
    valid[20:100, 40:130] = valid[130:, 180:] = False
    options = {}
    if kind == "nodata":
        values[:, ~valid] = 0
        options = {"nodata": 0}
    elif kind == "mask":
        options = {"mask": valid}
    else:
        values[3] = np.where(valid, 255, 0)
        options = {"colorinterp": ("red", "green", "blue", "alpha")}
    source = write(tmp_path / "a.tif", values, **options)
    label(model, source, tmp_path / "o.tif", band_choice=BandChoice((1, 2, 3)))
    assert (read(tmp_path / "o.tif") == predict_whole(model, values[:3], valid)).all()


def test_nan_is_nodata(model, tmp_path):
    values = random_bands(3).astype(np.float32)
    values[1, 5:40, 7] = np.nan
    valid = np.isfinite(values).all(0)
    source = write(tmp_path / "a.tif", values)
    label(model, source, tmp_path / "o.tif", band_choice=BandChoice(None, (0, 255)))
    assert (read(tmp_path / "o.tif") == predict_whole(model, np.nan_to_num(values), valid)).all()


def test_blocks_without_data_are_skipped(model, strips, tmp_path, monkeypatch):
    values = random_bands(3)
    values[:, :80] = 0  # more than one part
    values[:, :, :64] = values[:, :, 160:] = 0
    windows, read_window = [], Raster.read
    monkeypatch.setattr(
        Raster, "read", lambda self, window: windows.append(window) or read_window(self, window)
    )
    label(model, write(tmp_path / "a.tif", values, nodata=0), tmp_path / "o.tif")
    assert (read(tmp_path / "o.tif") == predict_whole(model, values, (values != 0).any(0))).all()
    seen = sum(window.height * window.width for window in windows)
    windows.clear()
    label(model, write(tmp_path / "b.tif", random_bands(3)), tmp_path / "p.tif")
    assert seen < 0.6 * sum(window.height * window.width for window in windows)


def test_16_bit_values_are_scaled_by_the_range(model, tmp_path):
    values = random_bands(5, kind=np.uint16)
    source = write(tmp_path / "a.tif", values)
    label(model, source, tmp_path / "o.tif", band_choice=BandChoice((4, 1, 2), (500, 3000)))
    shown = np.round(np.clip((values[[3, 0, 1]].astype(float) - 500) / 2500, 0, 1) * 255)
    assert (read(tmp_path / "o.tif") == predict_whole(model, shown)).all()
    with rasterio.open(tmp_path / "o.tif") as file:
        protocol = file.tags()["FULLCONV_PROTOCOL"]
    assert "bands 4, 1, 2 as red, green, blue; 500 is black, 3000 white" in protocol


TRANSFORMS = {
    "north up": {},
    "rotated": {"transform": (3.0, 4.0, 4e5, 4.0, -3.0, 5.8e6)},
    "degrees": {"crs": "EPSG:4326", "transform": (1e-4, 0, 7.0, 0, -1e-4, 50.0)},
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_labels_have_the_transform_and_crs_of_the_raster(model, tmp_path, name):
    options = dict(TRANSFORMS[name])
    if "transform" in options:
        options["transform"] = rasterio.Affine(*options["transform"])
    source = write(tmp_path / "a.tif", random_bands(3), **options)
    label(model, source, tmp_path / "o.tif")
    with rasterio.open(source) as one, rasterio.open(tmp_path / "o.tif") as other:
        assert one.crs == other.crs and one.transform == other.transform
        assert one.shape == other.shape


@pytest.mark.parametrize("point", [False, True])
def test_ground_control_points_are_kept(model, tmp_path, point):
    points = [
        rasterio.control.GroundControlPoint(row, column, x, y)
        for row, column, x, y in ((0, 0, 7.0, 50.0), (0, 189, 7.1, 50.1), (149, 3, 7.0, 49.9))
    ]
    source = write(tmp_path / "a.tif", random_bands(3), georeferenced=False)
    with rasterio.open(source, "r+") as file:
        file.gcps = (points, rasterio.crs.CRS.from_epsg(4326))
        if point:
            file.update_tags(AREA_OR_POINT="Point")
    label(model, source, tmp_path / "o.tif")
    with rasterio.open(source) as one, rasterio.open(tmp_path / "o.tif") as other:
        found, expected = other.gcps, one.gcps
    assert found[1] == expected[1] and len(found[0]) == 3
    for a, b in zip(found[0], expected[0], strict=True):
        assert (a.row, a.col, a.x, a.y) == (b.row, b.col, b.x, b.y)


def test_a_raster_without_coordinates_is_labelled(model, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3), georeferenced=False)
    label(model, source, tmp_path / "o.tif")
    with rasterio.open(tmp_path / "o.tif") as file:
        assert file.crs is None and file.transform == rasterio.Affine.identity()


def test_a_transform_without_a_crs_gets_none(model, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3), crs=None)
    with rasterio.open(source, "r+") as file:
        file.update_tags(AREA_OR_POINT="Point")
    label(model, source, tmp_path / "o.tif")
    with rasterio.open(source) as one, rasterio.open(tmp_path / "o.tif") as other:
        assert one.tags()["AREA_OR_POINT"] == "Point"
        assert other.transform == one.transform and bool(other.crs) == bool(one.crs)


def test_the_file_is_a_cloud_optimized_geotiff(model, tmp_path):
    values = np.tile(random_bands(3), (1, 8, 6))
    label(model, write(tmp_path / "a.tif", values), tmp_path / "o.tif")
    with rasterio.open(tmp_path / "o.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) == [2, 4] and file.block_shapes == [(512, 512)]
        assert file.nodata == 255 and file.dtypes == ("uint8",)
        colors = file.colormap(1)
        assert [colors[label][:3] for label in range(4)] == list(model.palette)
        tags = file.tags()
        # All directories precede the pixels; the overviews' pixels precede the others.
        first = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
        over = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1, ovr=0))
        heads = [int(file.get_tag_item("IFD_OFFSET", "TIFF", bidx=1, ovr=o)) for o in (0, 1)]
        assert max(heads) < over < first
    assert json.loads(tags["FULLCONV_CLASSES"]) == list(model.classes)
    assert len(tags["FULLCONV_MODEL"]) == 16 and "4 classes" in tags["FULLCONV_PROTOCOL"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "o.tif"]


def test_an_overview_shows_the_most_frequent_class(model, tmp_path):
    values = np.tile(random_bands(3), (1, 8, 6))
    label(model, write(tmp_path / "a.tif", values), tmp_path / "o.tif")
    labels = read(tmp_path / "o.tif")
    with rasterio.open(tmp_path / "o.tif", OVERVIEW_LEVEL=0) as file:
        small = file.read(1)
    four = labels.reshape(600, 2, 570, 2).transpose(0, 2, 1, 3).reshape(600, 570, 4)
    counts = (four[..., None] == four[..., None, :]).sum(-1)  # how often each occurs
    shown = (four == small[..., None]) * counts
    assert (shown.max(-1) == counts.max(-1)).all()


def test_areas_are_pixels_and_square_metres(model, tmp_path):
    values = random_bands(3)
    values[:, :50] = 0
    source = write(tmp_path / "a.tif", values, nodata=0)
    label(model, source, RasterOutputs(tmp_path / "o.tif", areas=tmp_path / "o.csv"))
    rows = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    labels = read(tmp_path / "o.tif")
    for row in rows:
        pixels = int((labels == int(row["label"])).sum())
        assert int(row["pixels"]) == pixels and float(row["square metres"]) == 100 * pixels
    assert rows[-1]["class"] == "no data" and int(rows[-1]["pixels"]) == 50 * SIZE[1]
    assert sum(float(row["share"]) for row in rows[:-1]) == pytest.approx(1, abs=1e-5)


def test_feet_are_converted_to_square_metres(model, tmp_path):
    feet = {"crs": "EPSG:2263", "transform": rasterio.Affine(10, 0, 9e5, 0, -10, 2e5)}
    source = write(tmp_path / "a.tif", random_bands(3), **feet)
    label(model, source, RasterOutputs(tmp_path / "o.tif", areas=tmp_path / "o.csv"))
    row = next(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    foot = 1200 / 3937  # metres; the US survey foot
    area = int(row["pixels"]) * 100 * foot**2
    assert float(row["square metres"]) == pytest.approx(area, rel=1e-6)


def test_degrees_have_no_square_metres(model, tmp_path):
    degrees = {"crs": "EPSG:4326", "transform": rasterio.Affine(1e-4, 0, 7, 0, -1e-4, 50)}
    source = write(tmp_path / "a.tif", random_bands(3), **degrees)
    label(model, source, RasterOutputs(tmp_path / "o.tif", areas=tmp_path / "o.csv"))
    assert "metres" not in (tmp_path / "o.csv").read_text()


def test_rasterized_polygons_equal_the_labels(model, tmp_path):
    from rasterio.features import rasterize

    source = write(tmp_path / "a.tif", random_bands(3))
    label(model, source, RasterOutputs(tmp_path / "o.tif", polygons=tmp_path / "o.geojson"))
    found = json.loads((tmp_path / "o.geojson").read_text())
    shapes = [(one["geometry"], one["properties"]["label"]) for one in found["features"]]
    with rasterio.open(tmp_path / "o.tif") as file:
        drawn = rasterize(shapes, file.shape, 255, transform=file.transform, dtype="uint8")
        assert (drawn == file.read(1)).all()
    assert found["crs"]["properties"]["name"] == "EPSG:32633"


def test_too_little_memory_is_named_as_it_was_given_with_what_is_needed(model, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3))
    memory, rounds = "3.0 MiB", 0
    while not (tmp_path / "o.tif").exists():
        try:
            list(label_raster(model, source, tmp_path / "o.tif", memory=memory))
        except MemoryBudgetError as error:
            assert f"the memory given is {memory}: give it more" in str(error)
            need = re.search(r"(?:at least|take) ([\d.,]+ [KMG]iB)", str(error))[1]
            assert parse_bytes(need) > parse_bytes(memory)
            assert os.listdir(tmp_path) == ["a.tif"]
            memory, rounds = need, rounds + 1
    assert 1 <= rounds <= 3


def test_polygons_that_do_not_fit_are_refused_before_any_work(model, tmp_path, monkeypatch):
    source = write(tmp_path / "a.tif", random_bands(3))
    target = RasterOutputs(tmp_path / "o.tif", polygons=tmp_path / "o.geojson")
    with pytest.raises(ConfigError, match=r"polygons of 150 x 190 pixels take about 222.7 KiB"):
        list(label_raster(model, source, target, memory="0.1MiB"))
    assert os.listdir(tmp_path) == ["a.tif"]


def test_polygons_of_too_many_regions_are_refused_and_the_labels_kept(model, tmp_path, monkeypatch):
    source = write(tmp_path / "a.tif", random_bands(3))
    target = RasterOutputs(tmp_path / "o.tif", polygons=tmp_path / "o.geojson")
    with monkeypatch.context() as patch:
        patch.setattr("fullconv.data.labels.polygonize.EDGE_BYTES", 2**40)
        with pytest.raises(MemoryBudgetError, match="regions are so many that their polygons take"):
            list(label_raster(model, source, target, memory="1GiB"))
    assert not target.labels.exists() and not target.polygons.exists()
    first = next(label_raster(model, source, target, memory="1GiB"))
    assert first.done == first.pixels  # the parts are complete
    label(model, source, target)
    assert target.labels.exists() and target.polygons.exists()


def test_an_interrupted_raster_is_resumed_to_the_same_bytes(model, strips, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3))
    label(model, source, RasterOutputs(tmp_path / "whole.tif", tmp_path / "whole.csv"))
    target = RasterOutputs(tmp_path / "o.tif", tmp_path / "o.csv")
    for stop_after in (2, 7, 5):
        progress = label_raster(model, source, target, rows=64, memory="1GiB")
        for _ in range(stop_after):
            next(progress)
        progress.close()
        assert not target.labels.exists() and not target.areas.exists()
    again = label(model, source, target)
    assert "resuming: " in again[0].note and 0 < again[0].done < again[0].pixels
    for one, other in (("o.tif", "whole.tif"), ("o.csv", "whole.csv")):
        assert (tmp_path / one).read_bytes() == (tmp_path / other).read_bytes()
    assert len(list(tmp_path.iterdir())) == 5


def test_a_resumed_raster_keeps_its_plan(model, strips, tmp_path, monkeypatch):
    source = write(tmp_path / "a.tif", random_bands(3))
    label(model, source, tmp_path / "whole.tif")
    progress = label_raster(model, source, tmp_path / "o.tif", rows=64, memory="1GiB")
    until_a_part_is_kept(progress, tmp_path)
    monkeypatch.setattr(labelling, "plan", None)  # the stored plan is used
    threads = torch.get_num_threads()
    list(label_raster(model, source, tmp_path / "o.tif", memory="2GiB"))
    assert torch.get_num_threads() == threads
    assert (tmp_path / "o.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_temporaries_of_a_killed_process_are_removed(model, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3))
    outputs = RasterOutputs(tmp_path / "o.tif", tmp_path / "o.csv")
    for path in outputs.paths:
        (tmp_path / f".{path.name}.12345678.tmp").touch()
    label(model, source, outputs)
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "o.csv", "o.tif"]


def test_a_finished_raster_is_not_computed_again(model, tmp_path, monkeypatch):
    source = write(tmp_path / "a.tif", random_bands(3))
    target = RasterOutputs(tmp_path / "o.tif", tmp_path / "o.csv")
    label(model, source, target)
    before = target.labels.stat().st_mtime_ns
    target.areas.unlink()
    monkeypatch.setattr(labelling, "RowLabeller", None)
    (only,) = label(model, source, target)
    assert only.note == f"{target.labels} is already complete" and only.done == only.pixels
    assert target.labels.stat().st_mtime_ns == before and target.areas.exists()


def test_labels_of_another_job_are_not_overwritten(model, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3))
    label(model, source, tmp_path / "o.tif")
    before = (tmp_path / "o.tif").read_bytes()
    with pytest.raises(ConfigError, match=r"exists, and is not a file of this job.*--fresh"):
        label(model, source, tmp_path / "o.tif", band_choice=BandChoice((3, 2, 1)))
    assert (tmp_path / "o.tif").read_bytes() == before
    label(model, source, tmp_path / "o.tif", band_choice=BandChoice((3, 2, 1)), fresh=True)
    assert (tmp_path / "o.tif").read_bytes() != before
    shutil.copy(source, tmp_path / "b.tif")
    with pytest.raises(ConfigError, match="exists, and is not a file of this job"):
        label(model, source, tmp_path / "b.tif")


@pytest.mark.parametrize("kind", ["areas", "polygons"])
def test_other_files_without_labels_are_not_overwritten(model, tmp_path, kind):
    source = write(tmp_path / "a.tif", random_bands(3))
    target = RasterOutputs(tmp_path / "o.tif", tmp_path / "o.csv", tmp_path / "o.geojson")
    other = getattr(target, kind)
    other.write_text("of another program")
    with pytest.raises(ConfigError, match=f"{other.name} exists, and is not a file of this job"):
        label(model, source, target)
    assert other.read_text() == "of another program" and not target.labels.exists()
    label(model, source, target, fresh=True)
    assert other.read_text() != "of another program" and target.labels.exists()


def test_a_run_that_was_killed_before_its_labels_appeared_is_resumed(model, tmp_path, monkeypatch):
    source = write(tmp_path / "a.tif", random_bands(3))
    target = RasterOutputs(tmp_path / "o.tif", tmp_path / "o.csv", tmp_path / "o.geojson")

    def kill(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(labelling, "replacing", kill)
        patch.setattr(
            labelling,
            "write_derived",
            lambda *args, **options: (target.areas.write_text(""), target.polygons.write_text("")),
        )
        label(model, source, target)
    assert target.areas.exists() and not target.labels.exists()
    label(model, source, target)
    assert target.labels.exists() and target.areas.read_text() and target.polygons.read_text()


def test_other_files_are_not_overwritten_by_a_resumed_run_that_also_wants_them(
    model, strips, tmp_path
):
    source = write(tmp_path / "a.tif", random_bands(3))
    target = RasterOutputs(tmp_path / "o.tif", tmp_path / "o.csv")
    until_a_part_is_kept(label_raster(model, source, target, rows=64, memory="1GiB"), tmp_path)
    more = replace(target, polygons=tmp_path / "o.geojson")
    more.polygons.write_text("of another program")
    with pytest.raises(ConfigError, match=r"o\.geojson exists, and is not a file of this"):
        label(model, source, more)
    assert more.polygons.read_text() == "of another program"
    label(model, source, target)
    assert target.labels.exists() and not (tmp_path / ".o.tif.parts").exists()


@pytest.mark.parametrize("kind", ["areas", "polygons"])
def test_other_files_beside_finished_labels_are_not_overwritten(model, tmp_path, kind):
    source = write(tmp_path / "a.tif", random_bands(3))
    label(model, source, tmp_path / "o.tif")
    target = RasterOutputs(tmp_path / "o.tif", tmp_path / "o.csv", tmp_path / "o.geojson")
    other = getattr(target, kind)
    other.write_text("of another program")
    with pytest.raises(ConfigError, match=f"{other.name} exists, and is not a file of this job"):
        label(model, source, target)
    assert sorted(os.listdir(tmp_path)) == sorted(["a.tif", "o.tif", other.name])
    assert other.read_text() == "of another program"
    other.unlink()
    label(model, source, target)
    files = {path: path.read_bytes() for path in target.paths}
    label(model, source, target)  # its own files are kept
    assert {path: path.read_bytes() for path in target.paths} == files
    label(model, source, target, fresh=True)
    assert {path: path.read_bytes() for path in target.paths} == files


def test_what_fresh_may_replace_is_what_its_options_named(model, strips, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3))
    target = RasterOutputs(tmp_path / "o.tif", tmp_path / "o.csv")
    label(model, source, target)
    choice = BandChoice((3, 2, 1))
    options = {"rows": 64, "memory": "1GiB", "band_choice": choice, "fresh": True}
    until_a_part_is_kept(label_raster(model, source, target, **options), tmp_path)
    more = replace(target, polygons=tmp_path / "o.geojson")
    more.polygons.write_text("of another program")
    with pytest.raises(ConfigError, match=r"o\.geojson exists, and is not a file of this job"):
        label(model, source, more, band_choice=choice)
    assert more.polygons.read_text() == "of another program"
    before = target.areas.read_text()
    label(model, source, target, band_choice=choice)
    assert target.areas.read_text() != before


def test_labels_that_appear_while_a_run_is_interrupted_are_not_overwritten(model, strips, tmp_path):
    source, target = write(tmp_path / "a.tif", random_bands(3)), tmp_path / "o.tif"
    until_a_part_is_kept(label_raster(model, source, target, rows=64, memory="1GiB"), tmp_path)
    shutil.copy(source, target)
    with pytest.raises(ConfigError, match=r"o\.tif exists, and is not a file of this job"):
        label(model, source, target)
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("fresh", [False, True])
def test_the_raster_itself_is_never_overwritten(model, tmp_path, fresh):
    source = write(tmp_path / "a.tif", random_bands(3))
    before = source.read_bytes()
    with pytest.raises(ConfigError, match=r"a.tif is the raster itself; choose another name"):
        label(model, source, source, fresh=fresh)
    assert source.read_bytes() == before


def test_overwriting_can_be_interrupted(model, strips, tmp_path):
    source, target = write(tmp_path / "a.tif", random_bands(3)), tmp_path / "o.tif"
    write(target, random_bands(1))
    before = target.read_bytes()
    progress = label_raster(model, source, target, rows=64, memory="1GiB", fresh=True)
    until_a_part_is_kept(progress, tmp_path)
    assert target.read_bytes() == before
    label(model, source, target)
    assert (read(target) == predict_whole(model, random_bands(3))).all()


def test_a_raster_that_changed_is_not_resumed(model, strips, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3))
    progress = label_raster(model, source, tmp_path / "o.tif", rows=64, memory="1GiB")
    until_a_part_is_kept(progress, tmp_path)
    write(source, random_bands(3, seed=1))
    with pytest.raises(
        ConfigError, match=r"o.tif was started with other settings: content was .*--fresh"
    ):
        label(model, source, tmp_path / "o.tif")
    label(model, source, tmp_path / "o.tif", fresh=True)
    assert (read(tmp_path / "o.tif") == predict_whole(model, random_bands(3, seed=1))).all()


def test_a_network_with_global_pooling_gets_blended_tiles_and_a_note(tmp_path, model, monkeypatch):
    planned = Plan("tiles", False, (0, 0), 128, 128, note="blended", overlap=32)
    monkeypatch.setattr(
        labelling, "plan", lambda net, size, memory, **given: replace(planned, size=size)
    )
    monkeypatch.setattr(labelling, "BLOCK", 32)
    source = write(tmp_path / "a.tif", random_bands(3))
    progress = label(model, source, tmp_path / "o.tif", rows=SIZE[0])
    assert progress[0].note == "blended" and "overlapping tiles disagree at" in progress[-1].note
    label(model, source, tmp_path / "p.tif", rows=96)
    assert (read(tmp_path / "o.tif") == read(tmp_path / "p.tif")).all()


def test_the_image_size_of_the_training_is_noted(model, tmp_path, monkeypatch):
    monkeypatch.setattr(model, "size", (96, 128))
    progress = label(model, write(tmp_path / "a.tif", random_bands(3)), tmp_path / "o.tif")
    note = progress[0].note
    assert "images scaled to fit 96 x 128; a raster is predicted at its own size" in note


@pytest.mark.parametrize("options", [{}, {"compress": "deflate"}, {"tiled": False}])
def test_a_truncated_file_is_refused_before_any_work(model, tmp_path, options):
    source = write(tmp_path / "a.tif", random_bands(3), **options)
    content = source.read_bytes()
    source.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ImageError, match=r"a.tif: cut short: it has .* bytes.*copy it again"):
        label(model, source, tmp_path / "o.tif")
    assert os.listdir(tmp_path) == ["a.tif"]


def test_a_damaged_file_leaves_no_output(model, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3), compress="deflate")
    content = bytearray(source.read_bytes())
    with rasterio.open(source) as file:
        at = int(file.get_tag_item("BLOCK_OFFSET_2_0", "TIFF", bidx=1))
    content[at : at + 40] = bytes(40)
    source.write_bytes(content)
    with pytest.raises(ImageError, match=r"a.tif: cannot be read \(.*\); copy or export it again"):
        label(model, source, tmp_path / "o.tif")
    assert os.listdir(tmp_path) == ["a.tif"]


def test_bands_must_be_chosen(model, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(4))
    message = r"4 bands: 1 red \(uint8\).*--bands 1,2,3 .*; band 4, tagged alpha, then marks"
    with pytest.raises(DataError, match=message):
        label(model, source, tmp_path / "o.tif")
    with pytest.raises(DataError, match="there is no band 7; it has 4 bands"):
        label(model, source, tmp_path / "o.tif", band_choice=BandChoice((7, 1, 2)))
    assert os.listdir(tmp_path) == ["a.tif"]


def test_a_target_that_cannot_be_written_is_an_output_error(model, tmp_path):
    source = write(tmp_path / "a.tif", random_bands(3))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/o.tif could not be written: .*--out"):
        label(model, source, tmp_path / "file" / "o.tif")


def test_a_full_disk_leaves_no_file_and_can_be_resumed_from(model, strips, tmp_path, monkeypatch):
    source = write(tmp_path / "a.tif", random_bands(3))
    label(model, source, tmp_path / "whole.tif")
    from rasterio import shutil as copying

    def full(*_, **__):
        raise rasterio._err.CPLE_FileIOError(3, 3, "write: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(copying, "copy", full)
        with pytest.raises(OutputError, match="the disk is full"):
            label(model, source, tmp_path / "o.tif")
    left = sorted(path.name for path in (tmp_path / ".o.tif.parts").iterdir())
    assert left == ["000000.part", "000001.part", "000002.part", "job.json", "lock"]
    assert not (tmp_path / "o.tif").exists()
    monkeypatch.setattr(labelling, "RowLabeller", None)  # nothing is computed again
    label(model, source, tmp_path / "o.tif")
    assert (tmp_path / "o.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


@pytest.mark.parametrize("driver", ["PNG", "JPEG", "GTiff"])
def test_plain_images_are_read_by_windows(model, tmp_path, driver):
    path = tmp_path / "a.dat"
    shape = {"count": 3, "height": SIZE[0], "width": SIZE[1], "dtype": "uint8"}
    with rasterio.open(path, "w", driver=driver, **shape) as file:
        file.write(random_bands(3))
    with rasterio.open(path) as file:  # JPEG changes the values slightly
        values = file.read()
    label(model, path, tmp_path / "o.tif")
    assert (read(tmp_path / "o.tif") == predict_whole(model, values)).all()


def test_other_files_are_refused(model, tmp_path):
    (tmp_path / "a.vrt").write_text("<VRTDataset rasterXSize='5' rasterYSize='5'/>")
    with pytest.raises(ImageError, match="not a TIFF, PNG or JPEG by its first bytes"):
        label(model, tmp_path / "a.vrt", tmp_path / "o.tif")
    with pytest.raises(ImageError, match="cannot be opened"):
        label(model, tmp_path / "nothing.tif", tmp_path / "o.tif")

"""The command predict on rasters."""

import json
import os

import numpy as np
import pytest

from earth import field, read, whole, write
from fullconv.cli import run
from fullconv.model import load
from photos import write_model, write_photos

pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "m.safetensors", seed=3)


def predict(*arguments):
    return run(["predict", *map(str, arguments), "--quiet"])


def test_a_geotiff_among_photos(model, tmp_path):
    values = field(3)
    photos = write_photos(tmp_path / "in", 2)
    write(tmp_path / "in" / "land.tif", values)
    out, result = tmp_path / "out", tmp_path / "result.json"
    assert predict(model, photos, "--out", out, "--save", "labels,geojson", "--json", result) == 0
    assert sorted(os.listdir(out / "labels")) == ["land.tif", "photo-000.png", "photo-001.png"]
    assert (read(out / "labels" / "land.tif") == whole(load(model), values)).all()
    assert os.listdir(out / "areas") == ["land.csv"] and (out / "geojson" / "land.geojson").exists()
    assert [one["name"] for one in json.loads(result.read_text())["predictions"]] == [
        *("land", "photo-000", "photo-001")
    ]
    raster = json.loads((out / "manifest.jsonl").read_text().splitlines()[0])
    assert raster["id"].endswith("in/land.tif") and sum(raster["pixels"].values()) == 150 * 190


def test_out_may_name_the_file_of_one_raster(model, tmp_path):
    values = field(5)
    source = write(tmp_path / "a.tif", values)
    assert predict(model, source, "--bands", "5,1,2", "--out", tmp_path / "o.tif") == 0
    assert (read(tmp_path / "o.tif") == whole(load(model), values[[4, 0, 1]])).all()
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "o.areas.csv", "o.tif"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "a.tif: 5 bands: 1 "),
        (("--bands", "5,1"), "--bands 5,1: expected one or three numbers"),
        (("--bands", "5,1,x"), "--bands 5,1,x: expected one or three"),
        (("--bands", "9,1,2"), "there is no band 9"),
        (("--bands", "1,2,3", "--range", "9"), "--range 9: expected two numbers"),
        (("--bands", "1,2,3", "--tta"), "--tta does not support rasters; omit it"),
        (("--bands", "1,2,3", "--memory", "1MiB"), "give it more"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_files(model, tmp_path, capsys, options, message):
    source = write(tmp_path / "a.tif", np.tile(field(5), (1, 8, 6)))
    assert predict(model, source, "--out", tmp_path / "o.tif", *options) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert os.listdir(tmp_path) == ["a.tif"]


def test_one_bad_raster_does_not_stop_the_others(model, tmp_path, capsys):
    good, bad = (write(tmp_path / f"{name}.tif", field(3)) for name in ("good", "bad"))
    bad.write_bytes(bad.read_bytes()[:20_000])
    assert predict(model, bad, good, "--out", tmp_path / "out") == 0
    assert os.listdir(tmp_path / "out" / "labels") == ["good.tif"]
    assert "skipped: " in capsys.readouterr().out


def test_bands_default_to_those_of_the_training(model, tmp_path):
    values = field(5)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "best.safetensors").write_bytes(model.read_bytes())
    (folder / "config.yaml").write_text("data: rasters:fields?bands=4,3,1\n")
    source = write(tmp_path / "a.tif", values)
    assert predict(folder, source, "--out", tmp_path / "o.tif") == 0
    assert (read(tmp_path / "o.tif") == whole(load(model), values[[3, 2, 0]])).all()

"""The command predict on rasters."""

import json
import os
import shutil

import numpy as np
import pytest

from fullconv.cli import run
from fullconv.io.rasters import BandChoice
from fullconv.model import load
from georeferenced import predict_whole, random_bands, read, write
from photos import write_model, write_photos

pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "m.safetensors", seed=3)


def predict(*arguments):
    return run(["predict", *map(str, arguments), "--quiet"])


def test_a_geotiff_among_photos(model, tmp_path):
    values = random_bands(3)
    photos = write_photos(tmp_path / "in", 2)
    write(tmp_path / "in" / "land.tif", values)
    out, result = tmp_path / "out", tmp_path / "result.json"
    assert predict(model, photos, "--out", out, "--save", "labels,geojson", "--json", result) == 0
    assert sorted(os.listdir(out / "labels")) == ["land.tif", "photo-000.png", "photo-001.png"]
    assert (read(out / "labels" / "land.tif") == predict_whole(load(model), values)).all()
    assert os.listdir(out / "areas") == ["land.csv"] and (out / "geojson" / "land.geojson").exists()
    assert [one["name"] for one in json.loads(result.read_text())["predictions"]] == [
        *("land", "photo-000", "photo-001")
    ]
    raster = json.loads((out / "manifest.jsonl").read_text().splitlines()[0])
    assert raster["id"].endswith("in/land.tif") and sum(raster["pixels"].values()) == 150 * 190


def test_out_may_name_the_file_of_one_raster(model, tmp_path):
    values = random_bands(5)
    source = write(tmp_path / "a.tif", values)
    assert predict(model, source, "--bands", "5,1,2", "--out", tmp_path / "o.tif") == 0
    assert (read(tmp_path / "o.tif") == predict_whole(load(model), values[[4, 0, 1]])).all()
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "o.areas.csv", "o.tif"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "a.tif: 5 bands: 1 "),
        (("--bands", "5,1"), "bands 5,1: expected one or three"),
        (("--bands", "5,1,x"), "bands 5,1,x: expected one or three"),
        (("--bands", "9,1,2"), "there is no band 9"),
        (("--bands", "1,2,3", "--range", "9"), "range 9: expected two numbers"),
        (("--bands", "1,2,3", "--tta"), "--tta does not support rasters; omit it"),
        (("--bands", "1,2,3", "--memory", "1MiB"), "give it more"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_files(model, tmp_path, capsys, options, message):
    source = write(tmp_path / "a.tif", np.tile(random_bands(5), (1, 8, 6)))
    assert predict(model, source, "--out", tmp_path / "o.tif", *options) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert os.listdir(tmp_path) == ["a.tif"]


def test_one_bad_raster_does_not_stop_the_others(model, tmp_path, capsys):
    good, bad = (write(tmp_path / f"{name}.tif", random_bands(3)) for name in ("good", "bad"))
    bad.write_bytes(bad.read_bytes()[:20_000])
    assert predict(model, bad, good, "--out", tmp_path / "out") == 0
    assert os.listdir(tmp_path / "out" / "labels") == ["good.tif"]
    assert "skipped: " in capsys.readouterr().out


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that was trained on bands 4, 3 and 1 of rasters of 16 bits; and one of these."""
    folder = tmp_path_factory.mktemp("trained")
    values = random_bands(5, (64, 80), kind=np.uint16)
    source = write(folder / "fields" / "images" / "a.tif", values)
    write(folder / "fields" / "masks" / "a.tif", (values[:1] > 2000).astype(np.uint8))
    (folder / "fields" / "classes.txt").write_text("soil\ncrop\n")
    data = f"rasters:{folder / 'fields'}?bands=4,3,1&range=0,3000"
    tiny = ("--model", "fcn32s-vgg11", "--width", "0.03125", "--hidden", "8", "--size", "64x64")
    options = (*tiny, "--steps", "3", "--batch", "1", "--out", folder, "--name", "fields")
    assert run(["train", *map(str, (data, *options)), "--quiet"]) == 0
    return next(folder.glob("train/*")), source, values


def test_a_copied_model_file_keeps_the_bands_of_its_training(trained, tmp_path):
    run_folder, source, values = trained
    shutil.copy(run_folder / "best.safetensors", tmp_path / "copied.safetensors")
    assert predict(run_folder, source, "--out", tmp_path / "a.tif") == 0
    assert predict(tmp_path / "copied.safetensors", source, "--out", tmp_path / "b.tif") == 0
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    model = load(tmp_path / "copied.safetensors")
    assert model.band_choice == BandChoice((4, 3, 1), (0, 3000))
    shown = np.round(np.clip(values[[3, 2, 0]] / 3000, 0, 1) * 255)
    assert (read(tmp_path / "a.tif") == predict_whole(model, shown)).all()


def test_a_raster_without_coordinates_is_read_with_them_too(trained, tmp_path):
    run_folder, _, values = trained
    source = write(tmp_path / "in" / "a.tif", values, georeferenced=False)
    assert predict(run_folder, source, "--out", tmp_path / "out") == 0
    shown = np.round(np.clip(values[[3, 2, 0]] / 3000, 0, 1) * 255).astype(np.uint8)
    expected = predict_whole(load(run_folder), shown)
    assert (read(tmp_path / "out" / "labels" / "a.tif") == expected).all()
    prediction = load(run_folder).predict(source)
    assert (prediction.image == shown.transpose(1, 2, 0)).all()


def test_bands_on_the_command_line_replace_those_of_the_training(trained, tmp_path):
    run_folder, source, values = trained
    assert predict(run_folder, source, "--bands", "1,2,5", "--out", tmp_path / "o.tif") == 0
    shown = np.round(np.clip(values[[0, 1, 4]] / 3000, 0, 1) * 255)
    assert (read(tmp_path / "o.tif") == predict_whole(load(run_folder), shown)).all()

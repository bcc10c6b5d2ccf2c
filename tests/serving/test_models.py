"""Models get names that stand in URLs, and are described."""

import pytest

from fullconv.errors import ConfigError, WeightsError
from fullconv.io.rasters import BandChoice
from fullconv.model import Model, load
from fullconv.serving import open_models
from photos import write_model


def test_names_come_from_files_folders_or_the_user(tmp_path):
    path = write_model(tmp_path / "street view!.safetensors")
    strange = write_model(tmp_path / "a=b.safetensors", 2)
    found = open_models([str(path), f"day={path}", str(strange)])
    assert list(found) == ["street-view", "day", "a-b"]
    assert found["day"].fingerprint == found["street-view"].fingerprint != found["a-b"].fingerprint
    assert all(served.name == name for name, served in found.items())
    folder = tmp_path / "run-007"
    folder.mkdir()
    write_model(folder / "best.safetensors")
    assert list(open_models([str(folder)])) == ["run-007"]


def test_names_that_cannot_be_used(tmp_path):
    path = write_model(tmp_path / "m.safetensors")
    with pytest.raises(ConfigError, match="two models are called 'm'; name one of them: NAME="):
        open_models([str(path), str(path)])
    for name in ("", "a/b", "..", "-a", "x" * 65, "a b"):
        with pytest.raises(ConfigError, match="cannot stand in a URL"):
            open_models([f"{name}={path}"])
    with pytest.raises(ConfigError, match="no model to serve"):
        open_models([])
    with pytest.raises(WeightsError):
        open_models([str(tmp_path / "missing.safetensors")])


def test_models_of_bands_are_refused(tmp_path):
    plain = load(write_model(tmp_path / "m.safetensors"))
    choice = BandChoice((4, 1, 2), None)
    model = Model(plain.network, plain.classes, band_choice=choice)
    model.save(tmp_path / "bands.safetensors")
    with pytest.raises(ConfigError, match=r"reads bands of rasters .*; use `fullconv predict`"):
        open_models([str(tmp_path / "bands.safetensors")])


def test_descriptions(tmp_path):
    path = write_model(tmp_path / "m.safetensors")
    served = open_models([str(path)])["m"]
    found = served.describe()
    assert found["engine"] == "torch" and found["precision"] == "fp32" and found["parity"] is None
    assert found["classes"] == ["sky", "road", "car", "tree"] and found["size"] is None

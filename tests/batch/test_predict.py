"""The public functions predict as the commands do."""

import json

import numpy as np
import pytest

import fullconv as fc
from fullconv.batch import FailureRecord, PredictionRecord
from fullconv.cli import run
from fullconv.errors import ConfigError, ImageError, UnknownNameError
from photos import content, write_model, write_photos


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "model.safetensors")
    write_photos(tmp_path / "photos", 3)
    return tmp_path


def test_predict_many_writes_what_the_command_writes(folder):
    records = list(fc.batch.predict_many("model.safetensors", "photos", "own"))
    assert [type(record) for record in records] == [PredictionRecord] * 3
    assert run(["predict", "model.safetensors", "photos", "--out", "command", "--quiet"]) == 0
    assert content(folder / "own") == content(folder / "command")


def test_a_model_is_as_good_as_its_path(folder):
    model = fc.load("model.safetensors")
    records = fc.batch.predict_many(model, "photos", "own")
    first = next(records)
    records.close()
    again = list(fc.batch.predict_many(model, "photos", "own"))
    assert again[0] == first and len(again) == 3
    list(fc.batch.predict_many("model.safetensors", "photos", "from-path"))
    names = [name for name in content(folder / "own") if name.endswith(".png")]
    assert names and all(
        content(folder / "own")[name] == content(folder / "from-path")[name] for name in names
    )


def test_predict_many_resumes_and_yields_earlier_records_first(folder):
    records = fc.batch.predict_many("model.safetensors", ["photos"], "out", save=["labels"])
    first = next(records)
    records.close()
    again = list(fc.batch.predict_many("model.safetensors", ["photos"], "out", save=["labels"]))
    assert again[0] == first and len(again) == 3
    assert len((folder / "out" / "manifest.jsonl").read_text().splitlines()) == 3


def test_options_are_those_of_the_command(folder):
    options = {"save": ["labels", "coco"], "scales": (1, 1.5), "threads": 1, "memory": "1GiB"}
    for index in range(2):
        list(
            fc.batch.predict_many("model.safetensors", "photos", "out", shard=(index, 2), **options)
        )
    assert len(fc.batch.merge_shards(["out"])) == 3
    job = json.loads((folder / "out" / "predict-1-of-2.json").read_text())
    assert job["options"] == {"save": ["coco", "labels"], "scales": [1, 1.5]}


def test_mistakes_are_raised_by_the_call(folder):
    with pytest.raises(ImageError, match="no such photo"):
        fc.batch.predict_many("model.safetensors", "nowhere.png", "out")
    with pytest.raises(UnknownNameError, match="unknown output kind"):
        fc.batch.predict_many("model.safetensors", "photos", "out", save=["label"])
    with pytest.raises(ConfigError, match="save the model and give its path"):
        fc.batch.predict_many(fc.load("model.safetensors"), "photos", "out", executor="ray")
    with pytest.raises(ConfigError, match="2GiB"):
        fc.batch.predict_many("model.safetensors", "photos", "out", memory="much", threads=1)
    assert not (folder / "out").exists()


def test_a_bad_photo_becomes_a_failure(folder):
    (folder / "photos" / "photo-001.png").write_bytes(b"no picture")
    records = list(fc.batch.predict_many("model.safetensors", "photos", "out"))
    assert [type(record) for record in records].count(FailureRecord) == 1


def test_one_prediction_is_written_as_by_the_command(folder):
    prediction = fc.load("model.safetensors").predict("photos/photo-000.png")
    paths = fc.batch.write_prediction(prediction, folder / "one", "street", ["labels", "geojson"])
    assert [str(path.relative_to(folder)) for path in paths] == [
        *("one/labels/street.png", "one/geojson/street.geojson")
    ]
    assert paths[1].read_bytes() == fc.batch.encode_prediction(prediction, "geojson")


def test_every_public_name_is_there():
    assert all(getattr(fc.batch, name) is not None for name in fc.batch.__all__)
    assert set(dir(fc.batch)) == set(fc.batch.__all__)
    with pytest.raises(AttributeError, match="predict_much"):
        _ = fc.batch.predict_much


def test_kinds_may_be_joined_by_commas_as_on_the_command_line(folder):
    list(fc.batch.predict_many("model.safetensors", "photos", "list", save=["labels", "overlay"]))
    list(fc.batch.predict_many("model.safetensors", "photos", "text", save="labels,overlay"))
    assert content(folder / "text") == content(folder / "list")
    with pytest.raises(UnknownNameError, match="unknown output kind 'lables'"):
        fc.batch.predict_many("model.safetensors", "photos", "other", save="lables")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inputs": [np.zeros((4, 4, 3), np.uint8)]}, "an input is of the type ndarray; expected"),
        ({"scales": []}, "scales none: expected one or more"),
        ({"scales": "1,2"}, "scales '1,2': expected one or more"),
    ],
)
def test_what_is_no_input_or_scale_is_refused_before_anything_is_written(folder, given, message):
    arguments = {"model": "model.safetensors", "inputs": "photos", "out": "own"} | given
    with pytest.raises(ConfigError, match=message):
        fc.batch.predict_many(**arguments)
    assert not (folder / "own").exists()

"""The engine of a prediction job: one for all of its photos, named, and kept."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import export_models
import fullconv as fc
from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import detect_media, resolve_inputs
from fullconv.batch.photo_memory import predict_photo
from fullconv.engines import workload
from fullconv.errors import ConfigError


@pytest.fixture
def folder(doubles, monkeypatch, tmp_path):
    """A folder with a model and photos, where a conversion pays for any number of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workload.Workload, "conversion_pays", lambda self, *network: True)
    monkeypatch.setattr("fullconv.engines.choose.TINY", 0)
    monkeypatch.setattr(workload.Workload, "opening_pays", lambda self, *seconds: True)
    export_models.model().save("model.safetensors")
    (tmp_path / "photos").mkdir()
    for number, photo in enumerate(export_models.photos(*[(60, 80)] * 6)):
        Image.fromarray(photo).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path


def predict(out="out", **options):
    options = {"save": ["labels"], "threads": 1} | options
    return list(fc.batch.predict_many("model.safetensors", "photos", out, **options))


def described(out="out", name="predict.json"):
    return json.loads(Path(out, name).read_text())


def labels(out):
    return {path.name: path.read_bytes() for path in sorted(Path(out, "labels").iterdir())}


def test_the_job_names_its_engine_and_its_labels_are_those_of_pytorch(folder, doubles):
    predict()
    assert described()["engine"] == "openvino" and described()["engine_pixels"] > 60 * 80
    doubles.opened.clear()
    predict("plain", engine="torch")
    assert described("plain")["engine"] == "torch" and not doubles.opened
    assert labels("out") == labels("plain")


@pytest.mark.parametrize(("first", "second"), [("onnx", "torch"), ("torch", "onnx")])
def test_jobs_that_take_turns_keep_their_own_engines(folder, monkeypatch, first, second):
    for number, photo in enumerate(export_models.photos(*[(60, 80)] * 14), 6):
        Image.fromarray(photo).save(folder / "photos" / f"{number}.png")
    used = []

    def compute(model, image, *more):
        used.append(model.engine)
        return predict_photo(model, image, *more)

    monkeypatch.setattr("fullconv.batch.job.predict_photo", compute)
    options = {"save": ["labels"], "threads": 1}
    own = fc.batch.predict_many("model.safetensors", "photos", "own", engine=first, **options)
    next(own)
    begun = len(used)
    assert begun < 20
    records = predict("other", engine=second)
    assert len(records) == len(list(own)) + 1 == 20
    assert used.count(first) == used.count(second) == 20
    assert described("own")["engine"] == first and described("other")["engine"] == second


def test_a_job_that_is_resumed_keeps_to_its_engine(folder, doubles):
    predict(engine="onnx")
    (folder / "out" / "labels" / "3.png").unlink()
    records = predict()  # "auto" would choose openvino
    assert len(records) == 6 and described()["engine"] == "onnx"
    pixels = described()["engine_pixels"]
    (folder / "out" / "labels" / "3.png").unlink()
    predict(memory="1GiB")
    assert described()["engine_pixels"] == pixels, "the limit is part of the job"


def test_a_job_of_another_engine_is_refused_and_started_over_if_asked_for(folder):
    predict(engine="onnx")
    with pytest.raises(ConfigError, match=r"another engine.*onnx.*now torch.*--fresh"):
        predict(engine="torch")
    predict(engine="torch", fresh=True)
    assert described()["engine"] == "torch"


def test_a_job_whose_engine_is_gone_says_so(folder, monkeypatch):
    predict(engine="onnx")
    (folder / "out" / "labels" / "3.png").unlink()
    monkeypatch.setattr("fullconv.engines.installed_engines", lambda: ())
    with pytest.raises(ConfigError, match=r"begun with the engine onnx.*--fresh"):
        predict()


def test_shards_stay_with_pytorch_unless_one_is_named(folder):
    predict(shard=(0, 2))
    assert described(name="predict-0-of-2.json")["engine"] == "torch"
    predict("named", shard=(0, 2), engine="onnx")
    predict("named", shard=(1, 2))
    assert described("named", "predict-1-of-2.json")["engine"] == "onnx", "as the other shard"


def test_other_places_than_the_cpu_and_other_files_refuse_an_engine(folder):
    model = fc.load("model.safetensors")
    inputs = detect_media(resolve_inputs(["photos"], None), False)
    given = model, "model.safetensors", inputs
    with pytest.raises(ConfigError, match="not on cuda"):
        create_job(*given, out="out", device="cuda", engine="onnx")
    assert create_job(*given, out="out", device="cuda", engine="auto").description.engine == "torch"


def test_photos_beyond_the_limit_are_predicted_by_pytorch_with_a_note(folder, monkeypatch):
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save("photos/large.png")
    monkeypatch.setattr("fullconv.engines.workload.MEMORY_SHARE", 0)
    monkeypatch.setattr("fullconv.engines.choose.FIXED", -(2**20))
    records = {record.id: record for record in predict(engine="onnx", save=["labels"])}
    most = described()["engine_pixels"]
    for record in records.values():
        large = record.height * record.width > most
        assert ("computed by PyTorch" in record.note) == large
    assert 60 * 80 < most < 300 * 400

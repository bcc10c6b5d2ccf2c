import numpy as np
import pytest
import torch

import exportable
import fullconv as fc
from fullconv.data.sample import Data, Sample
from fullconv.errors import ConfigError, ImageError, WeightsError
from fullconv.export.export import export
from fullconv.export.exported import Exported, is_exported, open_model
from fullconv.export.exporters import exporters


@pytest.fixture(scope="module")
def model():
    return exportable.model("fcn32s-vgg11", size=(60, 60))


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    export(model, path, exportable.photos())
    return path


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    photos = exportable.photos((40, 50), (90, 70))
    samples = [
        Sample(photo, random.integers(0, 3, photo.shape[:2], np.uint8), f"photo-{index}")
        for index, photo in enumerate(photos)
    ]
    colours = ((0, 0, 0), (1, 1, 1), (2, 2, 2))
    names = tuple(sample.name for sample in samples)
    return Data("drawn", "val", exportable.CLASSES, colours, names, samples.__getitem__)


def test_an_exported_file_is_a_model_with_the_same_answers(model, file):
    opened = open_model(file)
    assert isinstance(opened, Exported) and isinstance(opened, fc.Model)
    assert (opened.classes, opened.size) == (model.classes, model.size)
    assert [tuple(colour) for colour in opened.palette] == [tuple(c) for c in model.palette]
    for photo in exportable.photos((1, 1), (33, 47), (120, 90)):
        expected, found = model.predict(photo), opened.predict(photo)
        assert np.array_equal(found.labels, expected.labels)
        assert np.abs(found.probabilities - expected.probabilities).max() < 1e-5


def test_it_is_evaluated_by_the_same_protocol(model, file, data):
    expected, found = fc.evaluate(model, data), fc.evaluate(open_model(file), data)
    assert np.array_equal(found.confusion.counts, expected.confusion.counts)
    assert found.protocol == expected.protocol


def test_int8_is_said_with_every_number(file, monkeypatch):
    opened = open_model(file)
    monkeypatch.setattr(
        opened, "description", opened.description.model_copy(update={"precision": "int8"})
    )
    assert opened.protocol.endswith("; computed in int8")


def test_images_below_the_least_size_are_refused_in_a_sentence(file):
    opened = open_model(file)
    opened.network.least = (17, 17)
    opened.predict(exportable.photos((17, 20))[0])
    with pytest.raises(ImageError, match=r"16 x 20 pixels; this exported file .* 17 x 17 on"):
        opened.predict(exportable.photos((16, 20))[0])


def test_a_file_for_one_size_refuses_others_and_answers_batches_one_by_one(file):
    opened = open_model(file)
    opened.network.fixed = (40, 60)
    assert opened.predict(exportable.photos((40, 60))[0]).labels.shape == (40, 60)
    batch = exportable.batch(3, 40, 60)
    found = opened.network(torch.from_numpy(batch)).numpy()
    assert np.array_equal(found[2:], opened.network(torch.from_numpy(batch[2:])).numpy())
    with pytest.raises(ImageError, match="41 x 60 pixels; this file was exported for 40 x 60 only"):
        opened.predict(exportable.photos((41, 60))[0])


def test_it_cannot_be_saved_as_a_model(file, tmp_path):
    with pytest.raises(ConfigError, match="is an exported file"):
        open_model(file).save(tmp_path / "net.safetensors")


def test_models_are_opened_as_ever(model, tmp_path):
    model.save(tmp_path / "net.safetensors")
    opened = open_model(str(tmp_path / "net.safetensors"))
    assert not isinstance(opened, Exported) and opened.classes == model.classes


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.onnx", True), ("a.PT2", True), ("b.xml", True), ("c.safetensors", False), ("run", False)],
)
def test_exported_files_are_known_by_their_names(name, expected, tmp_path):
    assert is_exported(tmp_path / name) == expected


def test_a_run_folder_may_be_called_like_a_file(tmp_path):
    (tmp_path / "v1.onnx").mkdir()
    assert not is_exported(tmp_path / "v1.onnx")


@pytest.mark.parametrize("text", [None, "{", "[]", '{"format": 2}', '{"fullconv": "1"}'])
def test_a_file_without_a_usable_description_is_refused(text, model, tmp_path):
    path = tmp_path / "net.pt2"
    exporters["program"].write(model.network, path)
    if text is not None:
        exporters["program"].stamp(path, text)
    with pytest.raises(WeightsError, match=r"net\.pt2: .*description"):
        open_model(path)

"""Exported files load as models whose predictions equal the original model's."""

import copy

import numpy as np
import pytest
import torch

import export_models
import fullconv as fc
from fullconv.data.sample import Data, Sample
from fullconv.errors import ConfigError, ImageError, WeightsError
from fullconv.export.export import export
from fullconv.export.exporters import exporters
from fullconv.inference.predictor import plan_prediction
from fullconv.inference.runtimes import is_exported, runtimes


@pytest.fixture(scope="module")
def model():
    made = export_models.model("fcn32s-vgg11", size=(60, 60))
    made.tta_scales = (1.0, 1.5)
    return made


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    export(model, path, export_models.photos())
    return path


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    photos = export_models.photos((40, 50), (90, 70))
    samples = [
        Sample(photo, random.integers(0, 3, photo.shape[:2], np.uint8), f"photo-{index}")
        for index, photo in enumerate(photos)
    ]
    colours = ((0, 0, 0), (1, 1, 1), (2, 2, 2))
    names = tuple(sample.name for sample in samples)
    return Data("drawn", "val", export_models.CLASSES, colours, names, samples.__getitem__)


def check_equal_predictions(model, loaded):
    assert type(loaded) is fc.Model and loaded.exported is not None
    assert loaded.classes == model.classes
    assert (loaded.size, loaded.input_scale) == (model.size, model.input_scale)
    assert loaded.tta_scales == model.tta_scales
    assert [tuple(colour) for colour in loaded.palette] == [tuple(c) for c in model.palette]
    for photo in export_models.photos((1, 1), (33, 47), (120, 90)):
        for tta in (False, True):
            expected, found = model.predict(photo, tta=tta), loaded.predict(photo, tta=tta)
            assert np.array_equal(found.labels, expected.labels)
            assert np.abs(found.probabilities - expected.probabilities).max() < 1e-5


def test_a_pt2_file_predicts_as_the_model(model, file):
    check_equal_predictions(model, fc.load(file))


@pytest.mark.parametrize("name", ["net.onnx", "net.xml", "NET.ONNX"])
def test_load_takes_each_exported_format(model, name, tmp_path):
    model = copy.copy(model)
    model.input_scale = 0.75
    export(model, tmp_path / name, export_models.photos())
    check_equal_predictions(model, fc.load(str(tmp_path / name)))


def test_the_exported_network_has_the_model_facts(model, file):
    network = fc.load(file).network
    assert network.architecture == model.network.architecture
    assert network.normalization == model.network.normalization
    assert network.classes == 3 and network.file.path == file


def test_evaluation_uses_the_same_protocol(model, file, data):
    expected, found = fc.evaluate(model, data), fc.evaluate(fc.load(file), data)
    assert np.array_equal(found.confusion.counts, expected.confusion.counts)
    assert found.protocol == expected.protocol


def test_the_protocol_names_int8(file):
    network = fc.load(file)
    described = network.exported.description
    network.exported.description = described.model_copy(update={"precision": "int8"})
    assert network.protocol.endswith("; computed in int8")


def test_images_below_the_minimum_size_are_refused(file):
    loaded = fc.load(file)
    loaded.exported.min_size = (17, 17)
    loaded.predict(export_models.photos((17, 20))[0])
    message = "16 x 20 pixels; expected at least 17 x 17 for this exported file: use the model"
    with pytest.raises(ImageError, match=message):
        loaded.predict(export_models.photos((16, 20))[0])


def test_a_file_refuses_other_channels(file):
    with pytest.raises(
        ImageError, match=r"images of shape \(1, 1, 40, 60\); expected \(B, 3, H, W\)"
    ):
        fc.load(file).network(torch.zeros(1, 1, 40, 60))


def test_a_file_for_one_size_refuses_others_and_splits_batches(file):
    loaded = fc.load(file)
    loaded.exported.fixed_size = (40, 60)
    assert loaded.predict(export_models.photos((40, 60))[0]).labels.shape == (40, 60)
    batch = export_models.batch(3, 40, 60)
    found = loaded.network(torch.from_numpy(batch)).numpy()
    assert np.array_equal(found[2:], loaded.network(torch.from_numpy(batch[2:])).numpy())
    with pytest.raises(ImageError, match="41 x 60 pixels; expected 40 x 60, the only size that"):
        loaded.predict(export_models.photos((41, 60))[0])


def test_an_exported_file_cannot_be_saved_as_a_model(file, tmp_path):
    message = r"net\.pt2 is an exported file, which has no weights to save; save the model that"
    with pytest.raises(ConfigError, match=message):
        fc.load(file).save(tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_model_file_is_not_an_exported_one(model, tmp_path):
    model.save(tmp_path / "net.safetensors")
    loaded = fc.load(str(tmp_path / "net.safetensors"))
    assert loaded.exported is None and loaded.classes == model.classes


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.onnx", True), ("a.PT2", True), ("b.xml", True), ("c.safetensors", False), ("run", False)],
)
def test_exported_files_are_known_by_their_suffix(name, expected, tmp_path):
    assert is_exported(tmp_path / name) == expected


def test_a_folder_is_not_an_exported_file(tmp_path):
    (tmp_path / "v1.onnx").mkdir()
    assert not is_exported(tmp_path / "v1.onnx")


def test_each_exporter_has_the_runtime_that_opens_its_files():
    assert list(exporters) == list(runtimes)
    for name in exporters:
        assert exporters[name].suffix == runtimes[name].suffix


@pytest.mark.parametrize("text", [None, "{", "[]", '{"format": 2}', '{"fullconv": "1"}'])
def test_a_file_without_a_usable_description_is_refused(text, model, tmp_path):
    path = tmp_path / "net.pt2"
    exporters["torch_export"].write(model.network, path)
    if text is not None:
        exporters["torch_export"].stamp(path, text)
    with pytest.raises(WeightsError, match=r"net\.pt2.*description"):
        fc.load(path)


@pytest.mark.parametrize("name", ["net.onnx", "net.pt2", "net.xml", "net.safetensors", "nowhere"])
def test_a_missing_file_is_named(name, tmp_path):
    with pytest.raises(WeightsError, match=rf"{name}: there is no such"):
        fc.load(tmp_path / name)


@pytest.mark.parametrize("name", ["net.tflite", "net.pth"])
def test_other_formats_are_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"content")
    expected = r"unsupported format \.\w+; supported: \.html, \.onnx, \.pt2, \.safetensors, \.xml;"
    with pytest.raises(WeightsError, match=expected):
        fc.load(tmp_path / name)


@pytest.mark.parametrize("memory", [None, "1GiB", "20MiB"])
def test_the_plan_of_a_file_is_that_of_its_network(file, memory):
    loaded = fc.load(file)
    for size in ((40, 60), (90, 70), (700, 900)):
        given = size, loaded.size, loaded.input_scale, memory
        expected = plan_prediction(loaded.network, *given)
        assert plan_prediction(loaded.exported, *given) == expected


def test_a_file_of_an_earlier_version_takes_what_its_layers_take(file):
    loaded, older = fc.load(file), fc.load(file)
    older.exported.description = older.exported.description.model_copy(update={"pixel_bytes": None})
    sizes = [(900, 700), (2000, 3000)]
    new, old = ([one.plan_memory(size, memory="4GiB") for size in sizes] for one in (loaded, older))
    assert old == pytest.approx(new, rel=0.01)

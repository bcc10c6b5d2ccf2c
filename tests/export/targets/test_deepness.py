"""Deepness' way of using a file gives the network's labels."""

import json

import numpy as np
import pytest

import export_models
from fullconv.errors import ConfigError, ExportError
from fullconv.export.targets import Wanted, deepness, targets
from fullconv.inference.runtimes.description import Description

SIDE = 64


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("deepness") / "map.onnx"
    model = export_models.model()
    wanted = Wanted(model, path, path, export_models.photos((90, 110)), (SIDE, SIDE))
    return model, path, targets["deepness"].write(wanted)


def test_deepness_sees_the_networks_labels(written):
    """What its Segmentor does: values / 255, minus mean, by std; threshold; argmax."""
    model, path, _ = written
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime runs the file")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    known = {key: json.loads(value) for key, value in metadata.items()}
    (given,), (returned,) = session.get_inputs(), session.get_outputs()
    assert given.shape[-2:] == [SIDE, SIDE] == returned.shape[-2:]
    assert returned.shape[-3] == len(model.classes) == len(known["class_names"])
    for tile in export_models.photos((SIDE, SIDE), (SIDE, SIDE)):
        values = tile.astype(np.float32) / 255
        values = (values - known["standardization_mean"]) / known["standardization_std"]
        batch = values.transpose(2, 0, 1)[None].astype(np.float32)
        (found,) = session.run(None, {given.name: batch})
        assert found.min() >= known["seg_thresh"] and found.sum(1) == pytest.approx(1, abs=1e-5)
        plain = tile.transpose(2, 0, 1)[None].astype(np.float32)
        expected = export_models.scores(model.network, plain)
        assert np.array_equal(found.argmax(1), expected.argmax(1))


def test_the_metadata_is_what_deepness_documents(written):
    onnx = pytest.importorskip("onnx", reason="onnx reads the file")
    model, path, result = written
    entries = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(entries["model_type"]) == "Segmentor"
    assert json.loads(entries["class_names"]) == {
        str(label): name for label, name in enumerate(model.classes)
    }
    assert json.loads(entries["tile_size"]) == json.loads(entries["tiles_size"]) == SIDE
    assert 0 <= json.loads(entries["tiles_overlap"]) < 100
    assert "fullconv" not in entries, "its output is not what a file of `fullconv export` returns"
    assert result.parity.difference <= 1e-4 and "64 x 64" in result.notes[0]


@pytest.mark.parametrize("value", [np.nan, 2.0])
def test_other_probabilities_are_refused(tmp_path, monkeypatch, value):
    path = tmp_path / "map.onnx"
    description = Description.model_construct(parity=None)
    monkeypatch.setattr(deepness, "write_and_compare", lambda *_: description)
    monkeypatch.setattr(deepness, "add_softmax", lambda path: path.touch())
    monkeypatch.setattr(deepness, "add_metadata", lambda *_: None)
    monkeypatch.setattr(deepness, "probabilities", lambda *_: np.full((1, 3, SIDE, SIDE), value))
    wanted = Wanted(export_models.model(), path, path, export_models.photos(), (SIDE, SIDE))
    with pytest.raises(ExportError, match="probabilities differ"):
        targets["deepness"].write(wanted)
    assert not path.exists()


def test_names_and_sizes_are_checked(tmp_path):
    check = targets["deepness"].check
    check(tmp_path / "a.onnx", None)
    with pytest.raises(ConfigError, match=r"an \.onnx file is written"):
        check(tmp_path / "a", None)
    with pytest.raises(ConfigError, match="square"):
        check(tmp_path / "a.onnx", (64, 96))

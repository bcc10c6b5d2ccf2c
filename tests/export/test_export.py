import os

import numpy as np
import pytest

import export_models
from fullconv.errors import ConfigError, ExportError, OutputError
from fullconv.export.export import export
from fullconv.export.exporters import Exporter, exporters
from fullconv.inference.runtimes import Opened, Runtime, runtimes


@pytest.fixture
def model():
    return export_models.model(size=(60, 60))


@pytest.fixture
def fake(monkeypatch):
    """Register a format that runs the network itself, with an adjustable error."""
    state = {"off": 0.0}

    def write(network, path, size=None):
        state["network"] = network
        path.write_text("graph ")
        path.with_suffix(".weights").write_text("weights")

    def run(image):
        found = export_models.scores(state["network"], image)
        found[0, 0, 0, 0] += state["off"] * np.abs(found).max()
        return found

    exporter = Exporter(
        suffix=".fake",
        write=write,
        stamp=lambda path, text: path.write_text(path.read_text() + text),
        companions=(".weights",),
    )
    runtime = Runtime(
        suffix=".fake",
        title="tests",
        open=lambda path: Opened(run, path.read_text().removeprefix("graph ") or None),
    )
    exporters._load()
    runtimes._load()
    monkeypatch.setitem(exporters._members, "fake", exporter)
    monkeypatch.setitem(runtimes._members, "fake", runtime)
    return state


def test_the_file_has_the_model_facts_and_the_parity(model, fake, tmp_path):
    path = tmp_path / "new" / "net.fake"
    description = export(model, path, export_models.photos((70, 90)))
    text = path.read_text().removeprefix("graph ")
    assert text == description.model_dump_json()
    assert description.classes == export_models.CLASSES
    assert description.size == (60, 60) and description.protocol == model.protocol
    assert description.architecture == model.network.architecture
    assert description.least == (1, 1) and description.precision == "fp32"
    assert description.parity.sizes[0] == (47, 59)  # the network gets 47 x 60
    assert description.parity.difference < 1e-6
    assert sorted(os.listdir(path.parent)) == ["net.fake", "net.weights"]


def test_a_file_with_other_scores_is_removed(model, fake, tmp_path):
    fake["off"] = 1e-3
    with pytest.raises(ExportError):
        export(model, tmp_path / "net.fake", export_models.photos())
    assert os.listdir(tmp_path) == []


def test_a_failed_export_keeps_the_existing_file(model, fake, tmp_path):
    path = tmp_path / "net.fake"
    export(model, path, export_models.photos())
    before = path.read_bytes()
    fake["off"] = 1e-3
    with pytest.raises(ExportError):
        export(model, path, export_models.photos())
    assert path.read_bytes() == before and path.with_suffix(".weights").exists()


def test_an_unsupported_suffix_is_refused_with_the_supported_ones(model, tmp_path):
    expected = r"tflite: unsupported format \.tflite; supported: \.html, \.onnx, \.pt2, "
    with pytest.raises(ConfigError, match=expected + r"\.safetensors, \.xml$"):
        export(model, tmp_path / "net.tflite", export_models.photos())


def test_a_folder_that_cannot_be_created_is_an_output_error(model, fake, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not be written"):
        export(model, tmp_path / "file" / "net.fake", export_models.photos())


def test_a_file_of_the_users_with_the_name_of_a_companion_is_kept(model, fake, tmp_path):
    (tmp_path / "net.weights").write_text("mine")
    with pytest.raises(OutputError, match=r"net\.weights exists, and net\.fake is written with"):
        export(model, tmp_path / "net.fake", export_models.photos())
    assert os.listdir(tmp_path) == ["net.weights"]
    assert (tmp_path / "net.weights").read_text() == "mine"

"""docs/examples/run_onnx.py, which users copy, predicts the same labels as fullconv."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import export_models
from fullconv.export.export import describe, export
from fullconv.export.exporters import exporters
from fullconv.io.images import read_mask, write_image

pytest.importorskip("onnx", reason="needs the extra [onnx]")
pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
SOURCE = Path(__file__).parents[1] / "docs" / "examples" / "run_onnx.py"


@pytest.fixture(scope="module")
def runner_file():
    found = importlib.util.spec_from_file_location("run_onnx", SOURCE)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model():
    return export_models.model("fcn32s-vgg11", size=(60, 60))


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("runner") / "net.onnx"
    export(model, path, export_models.photos())
    return path


def test_the_script_is_self_contained_and_short():
    text = SOURCE.read_text()
    assert "import fullconv" not in text and "torch" not in text.partition('"""\n\n')[2]
    assert len(text.splitlines()) <= 110


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (60, 60), (97, 130), (200, 90)])
def test_labels_equal_those_of_the_model(size, model, file, runner_file):
    photo = export_models.photos(size)[0]
    expected = model.predict(photo)
    runner = runner_file.Runner(str(file), threads=1)
    assert np.abs(runner.score(photo) - expected.score.numpy()).max() < 1e-4
    assert (runner.labels(photo) == expected.labels).mean() > 0.9999
    assert runner.classes == list(model.classes)


def test_the_script_runs_on_files(model, file, runner_file, tmp_path, monkeypatch, capsys):
    photo = export_models.photos((50, 40))[0]
    write_image(tmp_path / "photo.png", photo)
    arguments = ["run_onnx.py", str(file), str(tmp_path / "photo.png"), str(tmp_path / "out.png")]
    monkeypatch.setattr("sys.argv", arguments)
    runner_file.main()
    assert np.array_equal(read_mask(tmp_path / "out.png"), model.predict(photo).labels)
    assert "%" in capsys.readouterr().out


def test_images_below_the_minimum_size_are_refused(model, runner_file, file, tmp_path):
    path = tmp_path / "small.onnx"
    exporters["onnx"].write(model.network, path)
    exporters["onnx"].stamp(path, describe(model, least=(17, 17)).model_dump_json())
    with pytest.raises(ValueError, match="16 x 40 pixels"):
        runner_file.Runner(str(path), threads=1).labels(export_models.photos((16, 40))[0])

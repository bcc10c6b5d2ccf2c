"""Rasters that an engine labels in windows have the labels of PyTorch's whole image."""

import json
from contextlib import contextmanager

import numpy as np
import pytest

from engine_doubles import install_doubles
from fullconv.batch.rasters import label as labelling
from fullconv.batch.rasters.label import label_raster
from fullconv.engines.choose import choose_engine
from fullconv.errors import ConfigError
from fullconv.inference.planner import Plan, windows
from fullconv.model import load
from georeferenced import predict_whole, random_bands, read, write
from photos import write_model

rasterio = pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SIZE = (1201, 150)
MOST_PIXELS = 800 * 150


@pytest.fixture
def model(monkeypatch, tmp_path):
    """A model whose engine computes at most two thirds of the raster at once."""
    install_doubles(monkeypatch, tmp_path / "cache")
    monkeypatch.setattr(windows, "MOST_WORK", 4)  # receptive fields are large for a small raster
    found = load(write_model(tmp_path / "m.safetensors", seed=5))
    choose(found)
    return found


def choose(model, engine="onnx"):
    choose_engine(model.network, engine, most_pixels=MOST_PIXELS)


@pytest.fixture
def computed(model, monkeypatch):
    """The shapes of what the engine computes from here on."""
    shapes, engine = [], model.network.engine
    run = engine.run

    def note(image):
        shapes.append(image.shape[2:])
        return run(image)

    monkeypatch.setattr(engine, "run", note)
    return shapes


def label(model, source, target, **options):
    return list(label_raster(model, source, target, memory="1GiB", **options))


@contextmanager
def by_pytorch(model):
    """Take the engine away inside the block."""
    engine, model.network.engine = model.network.engine, None
    yield model
    model.network.engine = engine


def expected(model, values, valid=True):
    with by_pytorch(model):
        return predict_whole(model, values, valid)


def test_labels_equal_those_of_pytorchs_whole_image(model, computed, tmp_path):
    values = random_bands(3, SIZE)
    source, target = write(tmp_path / "a.tif", values), tmp_path / "o.tif"
    notes = [step.note for step in label(model, source, target)]
    assert "computed by ONNX Runtime" in notes
    assert len(computed) > 1 and all(h * w <= MOST_PIXELS for h, w in computed)
    labels, whole = read(target), expected(model, values)
    assert len(np.unique(whole)) > 2 and np.mean(labels == whole) > 0.999  # ties
    with rasterio.open(target) as file:
        assert file.tags()["FULLCONV_PROTOCOL"].endswith("as if computed whole, by ONNX Runtime")


def test_windows_without_data_are_not_computed(model, computed, tmp_path):
    values = random_bands(3, SIZE)
    valid = np.ones(SIZE, bool)
    valid[:500] = valid[900:, 100:] = False
    source, target = write(tmp_path / "a.tif", values, mask=valid), tmp_path / "o.tif"
    label(model, source, tmp_path / "all.tif")
    everything = len(computed)
    source = write(tmp_path / "b.tif", values, mask=valid & (np.arange(SIZE[0]) < 300)[:, None])
    label(model, source, target)
    assert len(computed) == everything > 0 and (read(target) == 255).all()
    labels, whole = read(tmp_path / "all.tif"), expected(model, values, valid)
    assert ((labels == 255) == ~valid).all() and np.mean(labels == whole) > 0.999  # ties


def test_a_small_raster_is_one_window(model, computed, tmp_path):
    values = random_bands(3)
    label(model, write(tmp_path / "a.tif", values), tmp_path / "o.tif")
    assert computed == [values.shape[1:]]
    assert (read(tmp_path / "o.tif") == expected(model, values)).all()


def begin(model, source, target, **options):
    """Stop a raster as soon as its first part is kept."""
    progress = label_raster(model, source, target, memory="1GiB", **options)
    for _ in progress:
        if (target.parent / f".{target.name}.parts" / "000000.part").exists():
            break
    progress.close()


def test_a_resumed_raster_keeps_to_its_windows_and_its_engine(model, computed, tmp_path):
    source, target = write(tmp_path / "a.tif", random_bands(3, SIZE)), tmp_path / "o.tif"
    label(model, source, tmp_path / "uninterrupted.tif")
    whole = len(computed)
    assert whole > 1
    begin(model, source, target)
    stored = json.loads((tmp_path / ".o.tif.parts" / "job.json").read_text())["plan"]
    assert stored["engine"] == "onnx"
    engine, model.network.engine = model.network.engine, None
    with pytest.raises(ConfigError, match=r"started with the engine onnx.*torch now.*--fresh"):
        label(model, source, target)
    choose(model, "openvino")
    with pytest.raises(ConfigError, match=r"openvino now; use --engine onnx"):
        label(model, source, target)
    engine.most_pixels = 10**9  # would plan one window now
    model.network.engine = engine
    label(model, source, target)
    assert len(computed) == 2 * whole, "nothing is computed twice"
    assert target.read_bytes() == (tmp_path / "uninterrupted.tif").read_bytes()


def test_a_raster_that_pytorch_began_is_finished_by_it(model, computed, tmp_path, monkeypatch):
    def strips(network, size, memory, **options):
        return Plan("strips", True, size, 64, size[1])

    monkeypatch.setattr(labelling, "plan", strips)
    source, target = write(tmp_path / "a.tif", random_bands(3, SIZE)), tmp_path / "o.tif"
    with by_pytorch(model):
        begin(model, source, target, rows=512)
    label(model, source, target)
    assert not computed and target.exists()


def test_scaled_rasters_stay_with_pytorch_and_the_job_says_so(model, computed, tmp_path):
    model.input_scale = 0.5
    source = write(tmp_path / "a.tif", random_bands(3, SIZE))
    notes = [step.note for step in label(model, source, tmp_path / "o.tif")]
    assert not computed and any("computed by PyTorch" in note for note in notes)
    with rasterio.open(tmp_path / "o.tif") as file:
        assert file.tags()["FULLCONV_PROTOCOL"].endswith("as if computed whole, by PyTorch")

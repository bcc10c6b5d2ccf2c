import os
from dataclasses import replace

import numpy as np
import pytest

import export_models
from fullconv.data.sample import Data, Sample
from fullconv.errors import ConfigError, DataError, ExportError
from fullconv.export.exporters import Exporter, exporters
from fullconv.export.quantize import check_cost, evenly_spaced, export_int8
from fullconv.inference.runtimes import Opened, Runtime, runtimes
from fullconv.inference.runtimes.description import QuantizationCost


def drawn(count, classes=export_models.CLASSES, label=None):
    random = np.random.default_rng(0)
    photos = export_models.photos(*[(40, 50)] * count)
    target = [
        np.full((40, 50), label, np.uint8)
        if label is not None
        else random.integers(0, 3, (40, 50), np.uint8)
        for _ in photos
    ]
    names = tuple(f"photo-{index}" for index in range(count))
    colours = tuple((index, 0, 0) for index in range(len(classes)))
    return Data(
        "drawn", "val", classes, colours, names, lambda i: Sample(photos[i], target[i], names[i])
    )


@pytest.fixture
def fake(monkeypatch):
    """Register a format whose int8 file predicts the last class in a share of the rows."""
    state = {"wrong": 0.0, "images": []}

    def run(image):
        return export_models.scores(state["network"], image)

    def run_int8(image):
        found = run(image)
        rows = int(state["wrong"] * found.shape[2])
        found[:, :, :rows] = 0
        found[:, 2, :rows] = 1
        return found

    def quantize(source, target, images):
        state["images"] = images
        target.write_text("int8")

    def write(network, path, size=None):
        state["network"] = network
        path.write_text("fp32")

    def opened(path):
        return Opened(run_int8 if path.read_text().startswith("int8") else run, None)

    def stamp(path, text):
        path.write_text(path.read_text() + text)

    exporters._load()
    runtimes._load()
    monkeypatch.setitem(exporters._members, "fake", Exporter(".fake", write, stamp, quantize))
    monkeypatch.setitem(runtimes._members, "fake", Runtime(".fake", "tests", opened))
    return state


@pytest.fixture
def model():
    return export_models.model("fcn32s-vgg11", size=(20, 50))


def test_a_file_without_loss_of_accuracy_is_written_with_its_figures(model, fake, tmp_path):
    description = export_int8(model, tmp_path / "net.fake", drawn(40), drawn(2), tolerance=0)
    assert (tmp_path / "net.fake").read_text() == "int8" + description.model_dump_json()
    assert os.listdir(tmp_path) == ["net.fake"]
    cost = description.loss
    assert description.precision == "int8" and description.parity.difference < 1e-6
    assert cost.before == cost.after and cost.agreement == 1 and cost.images == 2
    assert len(fake["images"]) == 32
    assert fake["images"][0].shape == (1, 3, 20, 25)  # as resized for the network


def test_the_cost_is_the_loss_of_mean_iou_and_the_agreement_is_counted(model, fake, tmp_path):
    fake["wrong"] = 0.5
    data = drawn(1)
    target = data[0].labels
    labels = model.predict(data[0].image).labels
    description = export_int8(model, tmp_path / "net.fake", data, data, tolerance=100)
    cost = description.loss
    shares = [
        (labels == k)[target == k].sum() / ((labels == k) | (target == k)).sum() for k in range(3)
    ]
    assert cost.before == pytest.approx(shares)
    assert cost.mean_before == pytest.approx(np.mean(shares))
    assert cost.mean_after != cost.mean_before and cost.agreement < 1


def test_a_cost_above_the_tolerance_leaves_no_file(model, fake, tmp_path):
    fake["wrong"] = 1.0
    labels = model.predict(drawn(1)[0].image).labels
    best = drawn(1, label=int(np.bincount(labels.ravel(), minlength=3)[:2].argmax()))
    with pytest.raises(ExportError, match=r"int8 costs .* points of mean IoU .* no file was"):
        export_int8(model, tmp_path / "net.fake", best, best, tolerance=1.0)
    assert os.listdir(tmp_path) == []


COST = QuantizationCost(
    data="drawn",
    images=3,
    before=(0.9, 0.5, None),
    after=(0.88, 0.5, None),
    mean_before=0.7,
    mean_after=0.69,
    agreement=0.99,
)


def test_the_tolerance_is_in_percentage_points():
    check_cost(COST, export_models.CLASSES, tolerance=1.01)
    with pytest.raises(ExportError, match=r"int8 costs 1\.00 points .*road 90\.0 % to 88\.0 %"):
        check_cost(COST, export_models.CLASSES, tolerance=0.99)
    check_cost(COST.model_copy(update={"mean_after": 0.8}), export_models.CLASSES, tolerance=0)


def test_a_format_without_int8_is_refused_with_those_that_have_it(model, tmp_path):
    with pytest.raises(ConfigError, match=r"\.pt2 has no int8; expected \.onnx or \.xml or \.html"):
        export_int8(model, tmp_path / "net.pt2", drawn(1), drawn(1))


def test_data_without_photos_or_labels_or_of_other_classes_is_refused(model, fake, tmp_path):
    path = tmp_path / "net.fake"
    with pytest.raises(DataError, match="no images to calibrate"):
        export_int8(model, path, drawn(0), drawn(1))
    with pytest.raises(DataError, match="no labelled pixel"):
        export_int8(model, path, drawn(1), drawn(1, label=255))
    with pytest.raises(DataError, match="its own classes"):
        export_int8(model, path, drawn(1), replace(drawn(1), classes=("a", "b", "c")))


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [(0, 3, []), (1, 3, [0]), (3, 3, [0, 1, 2]), (101, 3, [0, 50, 100]), (5, 1, [0])],
)
def test_indices_are_spread_evenly(count, most, expected):
    assert evenly_spaced(count, most) == expected

"""The bundled CamVid model has the settings and the metrics of its model card."""

import json
from pathlib import Path

import numpy as np
import pytest

import fullconv as fc
from fullconv.evaluation.evaluate import evaluate
from fullconv.io.images import scale_image
from fullconv.io.settings_file import read_settings

FOLDER = Path(__file__).parents[1] / "models" / "camvid"
FILE = FOLDER / "fcn4s-lite2.safetensors"
INT8 = FOLDER / "fcn4s-lite2-int8.onnx"


def test_the_file_is_small_and_has_the_settings_of_its_card():
    assert FILE.stat().st_size < 12e6
    settings = read_settings(FOLDER / "second.yaml")
    model = fc.load(FILE)
    assert model.network.architecture.name == settings["model"]
    assert model.input_scale == settings["input_scale"]
    assert sum(weight.numel() for weight in model.network.parameters()) < 5.1e6


def test_its_int8_file_gives_nearly_the_same_labels():
    photo = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    photo = scale_image(photo, (96, 128))
    labels = [fc.load(path).predict(photo).labels for path in (FILE, INT8)]
    assert (labels[0] == labels[1]).mean() > 0.9


def test_its_metrics_are_those_of_its_card(shared):
    metrics = json.loads((FOLDER / "metrics.json").read_text())["val"]
    data = fc.open_data(f"camvid:{shared('camvid')}", "val").take(range(0, 101, 5))
    found = evaluate(fc.load(FILE), data).confusion
    assert found.mean_iou == pytest.approx(metrics["mean_iou"], abs=0.02)
    assert found.pixel_accuracy == pytest.approx(metrics["pixel_accuracy"], abs=0.01)


def test_the_card_has_the_numbers_of_its_metrics():
    metrics = json.loads((FOLDER / "metrics.json").read_text())
    card = (FOLDER / "README.md").read_text()
    names = ("pixel_accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou")
    for row, key in (("val, 101 frames (trained on)", "val"), ("int8", "val, int8")):
        shown = " | ".join(f"{100 * metrics[key][name]:.1f}" for name in names)
        assert f"\n| {row} | {shown} |\n" in card
    description = json.loads((FOLDER / "model.json").read_text())
    # Rounded once: four digits of 0.86745 would be shown as 86.8.
    assert f"{100 * description['mean_iou']:.1f}" == f"{100 * metrics['val']['mean_iou']:.1f}"

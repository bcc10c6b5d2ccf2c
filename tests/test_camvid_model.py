"""The bundled CamVid model has the settings and the metrics of its model card."""

import json
from pathlib import Path

import pytest

import fullconv as fc
from fullconv.evaluation.evaluate import evaluate
from fullconv.io.settings_file import read_settings

FOLDER = Path(__file__).parents[1] / "models" / "camvid"
FILE = FOLDER / "fcn4s-lite0.safetensors"


def test_the_file_is_small_and_has_the_settings_of_its_card():
    assert FILE.stat().st_size < 12e6
    settings = read_settings(FOLDER / "config.yaml")
    architecture = fc.load(FILE).network.architecture
    assert architecture.name == settings["model"]
    assert architecture.context == settings["context"]
    assert architecture.skip_context == settings["skip_context"]
    assert (architecture.top, architecture.upsampling) == (settings["top"], settings["upsampling"])


def test_its_metrics_are_those_of_its_card(shared):
    metrics = json.loads((FOLDER / "metrics.json").read_text())["val"]
    data = fc.open_data(f"camvid:{shared('camvid')}", "val").take(range(0, 101, 5))
    found = evaluate(fc.load(FILE), data).confusion
    assert found.mean_iou == pytest.approx(metrics["mean_iou"], abs=0.02)
    assert found.pixel_accuracy == pytest.approx(metrics["pixel_accuracy"], abs=0.01)

"""Calibration, against stored values of torchmetrics and netcal."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from fullconv.evaluation.calibration import (
    TEMPERATURES,
    CalibrationBuilder,
    best_temperature,
    threshold_curve,
)
from fullconv.evaluation.confidence_intervals import Units
from fullconv.evaluation.image_table import PixelChunk


def drawn(pixels):
    """Return scores of five classes, and labels that are the best of them in 60 % and more."""
    random = np.random.default_rng(0)
    scores = torch.from_numpy(random.normal(0, 2, (5, pixels)).astype(np.float32))
    best = scores.softmax(0).argmax(0).numpy()
    labels = np.where(random.random(pixels) < 0.6, best, random.integers(0, 5, pixels))
    return scores, torch.from_numpy(labels)


def test_the_calibration_error_equals_torchmetrics_and_netcal():
    scores, labels = drawn(1_000_000)
    builder = CalibrationBuilder(5)
    builder.add(PixelChunk(scores.softmax(0), labels))
    builder.end_image()
    found = builder.result()
    assert found.error == pytest.approx(0.1619649181793779, abs=1e-6)  # netcal 1.4.0, ECE(15)
    assert found.error == pytest.approx(0.16196462512016296, abs=1e-6)  # torchmetrics 1.9.0, l1
    assert found.nll == pytest.approx(1.4107161195975662, abs=1e-6)  # PyTorch's cross entropy
    assert found.image_error == found.error


def test_chunks_and_images_add_up():
    scores, labels = drawn(4000)
    probabilities = scores.softmax(0)
    one, several = CalibrationBuilder(5), CalibrationBuilder(5)
    one.add(PixelChunk(probabilities, labels))
    one.end_image()
    for part in (slice(0, 1000), slice(1000, 4000)):
        several.add(PixelChunk(probabilities[:, part], labels[part]))
        several.end_image()
    first, second = one.result(), several.result()
    assert second.error == pytest.approx(first.error) and second.image_error != first.image_error
    assert (second.nll, second.brier) == pytest.approx((first.nll, first.brier))
    squares = (probabilities - torch.eye(5)[labels].T).square().sum(0).mean()
    assert first.brier == pytest.approx(float(squares), rel=1e-5)
    assert first.excess.sum() == pytest.approx(0, abs=1e-6)


def test_the_temperature_is_that_of_the_best_likelihood():
    scores, labels = drawn(200_000)
    builder = CalibrationBuilder(5)
    builder.add(PixelChunk(scores.softmax(0), labels))
    builder.end_image()
    scores, labels = scores[:, ::10].double(), labels[::10]

    def nll(temperature):
        return float(torch.nn.functional.cross_entropy((scores / temperature).T, labels))

    best = minimize_scalar(nll, bounds=(0.5, 3), method="bounded")
    found = builder.result()
    assert found.temperature == pytest.approx(best.x, rel=0.015)
    assert found.tempered_nll == pytest.approx(best.fun, rel=0.002)


def test_a_temperature_at_the_end_of_the_range_is_kept():
    assert best_temperature(np.arange(13.0) + 1) == TEMPERATURES[0]
    assert best_temperature(np.arange(13.0, 0, -1)) == TEMPERATURES[-1]
    assert np.isnan(best_temperature(np.zeros(13)))


def test_threshold_curves_count_the_pixels_at_each_threshold():
    random = np.random.default_rng(3)
    units = Units("images", np.arange(9))
    builder = CalibrationBuilder(2)
    everything = []
    for _ in range(9):
        labels = torch.from_numpy(random.integers(0, 2, 500))
        # A class that is too rarely predicted: its best threshold is below 0.5.
        probability = torch.from_numpy(random.beta(2 + 3 * labels.numpy(), 6)).float()
        builder.add(PixelChunk(torch.stack([1 - probability, probability]), labels))
        builder.end_image()
        everything.append((probability.numpy(), labels.numpy()))
    curve = threshold_curve(builder.result().histograms, units)
    probability, labels = map(np.concatenate, zip(*everything, strict=True))
    for index in (0, 20, 35, 60):
        above = probability >= curve.thresholds[index]
        correct = (above & (labels == 1)).sum()
        expected = [
            correct / above.sum(),
            correct / (labels == 1).sum(),
            correct / (above | (labels == 1)).sum(),
        ]
        row = [curve.precision[index], curve.recall[index], curve.iou[index]]
        assert row == pytest.approx(expected, abs=2e-3)
    assert curve.best == curve.thresholds[np.argmax(curve.iou)] < 0.5
    assert curve.interval[0] <= curve.best <= curve.interval[1]

"""What is kept of each image: confidence, likelihood, and errors near boundaries."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from fullconv.evaluation.image_table import class_edges, measure_image, near_boundary
from fullconv.io.palettes import VOID


def blobs(seed, size=(37, 61), classes=4):
    """Return labels in squares, with ignored pixels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, (size[0] // 6 + 1, size[1] // 6 + 1))
    labels = labels.repeat(6, 0).repeat(6, 1)[: size[0], : size[1]].astype(np.uint8)
    labels[random.random(size) < 0.1] = VOID
    return labels


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 5])
def test_near_a_boundary_is_the_euclidean_distance(radius):
    labels = blobs(0)
    distance = distance_transform_edt(~class_edges(labels))
    assert (near_boundary(labels, radius) == (distance <= radius)).all()


def test_neither_the_frame_nor_ignored_pixels_make_edges():
    labels = np.zeros((5, 6), np.uint8)
    labels[:, 3] = VOID
    assert not class_edges(labels).any() and not near_boundary(labels, 3).any()
    labels[:, 4:] = 1
    assert not class_edges(labels).any()
    labels[2, 3] = 0
    assert np.argwhere(class_edges(labels)).tolist() == [[2, 3], [2, 4]]


def test_confidence_and_likelihood_equal_those_of_all_pixels_at_once():
    labels = blobs(1, (300, 350))
    score = torch.from_numpy(np.random.default_rng(2).normal(0, 3, (4, 300, 350)))
    predicted = score.argmax(0).numpy().astype(np.uint8)
    valid = labels != VOID
    probabilities = score.softmax(0).numpy()[:, valid]
    found = measure_image(labels, predicted, score.float())
    of_target = probabilities[labels[valid], np.arange(valid.sum())]
    assert found.confidence == pytest.approx(probabilities.max(0).mean(), rel=1e-6)
    assert found.nll == pytest.approx(-np.log(of_target).mean(), rel=1e-5)
    painted = torch.where(torch.from_numpy(valid), score, torch.full((), 50.0))
    assert measure_image(labels, predicted, painted.float()) == found


def test_what_is_unknown_is_nan():
    labels = blobs(1)
    without = measure_image(labels, labels, None)
    assert without.near == 0 and np.isnan([without.confidence, without.nll]).all()
    void = np.full((4, 4), VOID, np.uint8)
    assert np.isnan(measure_image(void, void, torch.zeros(3, 4, 4)).nll)


def test_an_impossible_target_has_a_finite_likelihood():
    labels, score = np.zeros((1, 1), np.uint8), torch.tensor([-1e4, 0.0])[:, None, None]
    assert measure_image(labels, labels + 1, score).nll == pytest.approx(87)

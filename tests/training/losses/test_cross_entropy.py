"""Cross entropy, its sum and label smoothing, against their definitions and PyTorch."""

import math

import numpy as np
import pytest
import torch

from fullconv.training.losses import make_loss
from fullconv.training.target import cross_entropy


def drawn():
    score = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    labels = torch.randint(0, 4, (2, 3, 5))
    labels[0, 0] = 255
    return score, labels


WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 4.0], dtype=torch.float64)


def test_cross_entropy_is_the_mean_over_valid_pixels():
    score, labels = drawn()
    logs = score.log_softmax(1).permute(0, 2, 3, 1)
    picked = [
        -float(logs[b, r, c, labels[b, r, c]])
        for b in range(2)
        for r in range(3)
        for c in range(5)
        if labels[b, r, c] != 255
    ]
    assert math.isclose(float(cross_entropy(score, labels)), sum(picked) / len(picked))
    assert math.isclose(float(make_loss("cross-entropy")(score, labels)), sum(picked) / len(picked))


def test_weights_equal_torchs_weighted_mean():
    score, labels = drawn()
    expected = torch.nn.CrossEntropyLoss(WEIGHTS, ignore_index=255)(score, labels)
    assert torch.isclose(cross_entropy(score, labels, WEIGHTS), expected)
    assert torch.isclose(make_loss("cross-entropy", WEIGHTS)(score, labels), expected)
    assert cross_entropy(score, torch.full_like(labels, 255), WEIGHTS) == 0


def test_ignored_pixels_only_give_zero_loss_and_gradient():
    score = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = cross_entropy(score, torch.full((1, 2, 2), 255))
    loss.backward()
    assert float(loss.detach()) == 0 and score.grad is not None and not score.grad.any()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equal_scores_have_loss_ln_k(smoothing):
    labels = torch.zeros(1, 2, 2, dtype=torch.int64)
    loss = cross_entropy(torch.zeros(1, 7, 2, 2), labels, smoothing=smoothing)
    assert math.isclose(float(loss), math.log(7), rel_tol=1e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_smoothed_labels_are_the_cross_entropy_to_a_mixture(weights):
    score, labels = drawn()
    each = np.ones(4) if weights is None else weights.numpy()
    logs = score.numpy() - np.log(np.exp(score.numpy()).sum(1, keepdims=True))
    total, weight = 0.0, 0.0
    for image, row, column in np.argwhere(labels.numpy() != 255):
        right = int(labels[image, row, column])
        share = 0.3 / 4 + 0.7 * (np.arange(4) == right)
        total -= float((share * each * logs[image, :, row, column]).sum())
        weight += each[right]
    loss = make_loss("cross-entropy", weights, 0.3)
    assert math.isclose(float(loss(score, labels)), total / weight)
    torchs = torch.nn.CrossEntropyLoss(weights, ignore_index=255, label_smoothing=0.3)
    assert torch.isclose(loss(score, labels), torchs(score, labels))


def test_the_sum_is_over_pixels_and_the_mean_over_images():
    score, labels = drawn()
    logs = score.log_softmax(1)
    by_image = [
        -sum(
            float(logs[image, labels[image, r, c], r, c])
            for r in range(3)
            for c in range(5)
            if labels[image, r, c] != 255
        )
        for image in range(2)
    ]
    value = float(make_loss("cross-entropy-sum")(score, labels))
    assert math.isclose(value, sum(by_image) / 2)


def test_for_one_image_the_sum_is_the_mean_times_its_valid_pixels():
    score, labels = (part[:1] for part in drawn())
    mean, total = (
        make_loss(spec)(score, labels) for spec in ("cross-entropy", "cross-entropy-sum")
    )
    assert torch.isclose(total, mean * (labels != 255).sum())

"""Focal loss against torchvision's, which is for two classes, and against its formula."""

import math

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from fullconv.training.losses import make_loss


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2, 5])
def test_two_classes_equal_torchvisions_sigmoid_focal_loss(gamma):
    above = 3 * torch.randn(2, 1, 5, 6, dtype=torch.float64)
    labels = torch.randint(0, 2, (2, 5, 6))
    expected = sigmoid_focal_loss(above[:, 0], labels.double(), alpha=-1, gamma=gamma).mean()
    score = torch.cat([torch.zeros_like(above), above], 1)
    assert torch.isclose(make_loss(f"focal(gamma={gamma})")(score, labels), expected)


def test_weights_equal_torchvisions_alpha():
    above = torch.randn(1, 1, 4, 4, dtype=torch.float64)
    labels = torch.randint(0, 2, (1, 4, 4))
    total = sigmoid_focal_loss(above[:, 0], labels.double(), alpha=0.3, reduction="sum")
    weights = torch.tensor([0.7, 0.3], dtype=torch.float64)
    score = torch.cat([torch.zeros_like(above), above], 1)
    assert torch.isclose(make_loss("focal", weights)(score, labels), total / weights[labels].sum())


def test_several_classes_by_hand():
    # Probabilities 0.5, 0.25, 0.25: the true classes have 0.5 and 0.25; the third pixel is ignored.
    score = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64).log().view(1, 3, 1, 1)
    labels = torch.tensor([[[0, 2, 255]]])
    by_hand = (0.5**2 * math.log(2) + 0.75**2 * math.log(4)) / 2
    assert math.isclose(float(make_loss("focal")(score.expand(1, 3, 1, 3), labels)), by_hand)


def test_gamma_zero_is_the_cross_entropy_and_the_loss_falls_with_gamma():
    score, labels = torch.randn(2, 5, 4, 4, dtype=torch.float64), torch.randint(0, 5, (2, 4, 4))
    values = [float(make_loss(f"focal(gamma={gamma})")(score, labels)) for gamma in (0, 1, 2, 4)]
    assert math.isclose(values[0], float(make_loss("cross-entropy")(score, labels)))
    assert values == sorted(values, reverse=True)

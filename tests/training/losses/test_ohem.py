"""OHEM against picking the hard pixels one by one."""

import math

import pytest
import torch

from fullconv.training.losses import make_loss


def picked(score, labels, weights, smoothing, confidence, share):
    """Return the mean over a list of (probability, weighted loss, weight), hardest first."""
    pixels = []
    for image, row, column in (labels != 255).nonzero().tolist():
        logs = score[image, :, row, column].log_softmax(0)
        right = int(labels[image, row, column])
        mixture = (1 - smoothing) * torch.eye(len(logs)).double()[right] + smoothing / len(logs)
        loss = -float((mixture * weights * logs).sum())
        pixels.append((math.exp(logs[right]), loss, float(weights[right])))
    pixels.sort()
    hard = [pixel for pixel in pixels if pixel[0] < confidence]
    chosen = pixels[: max(len(hard), math.ceil(share * len(pixels)))]
    return sum(loss for _, loss, _ in chosen) / sum(weight for *_, weight in chosen)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("confidence", "share"), [(0.7, 0.0625), (0.1, 0.3), (0.9, 1.0)])
def test_ohem_is_the_mean_over_the_hard_pixels(confidence, share, weighted, smoothing):
    score = 2 * torch.randn(2, 4, 5, 5, dtype=torch.float64)
    labels = torch.randint(0, 4, (2, 5, 5))
    labels[1, :2] = 255
    weights = torch.tensor([1.0, 0.5, 2.0, 3.0]).double() if weighted else torch.ones(4).double()
    spec = f"ohem(confidence={confidence}, share={share})"
    loss = make_loss(spec, weights if weighted else None, smoothing)
    expected = picked(score, labels, weights, smoothing, confidence, share)
    assert math.isclose(float(loss(score, labels)), expected, rel_tol=1e-9)


def test_easy_pixels_have_no_gradient():
    score = torch.zeros(1, 2, 1, 4)
    score[0, 0, 0] = torch.tensor([9.0, 8.0, 0.0, -9.0])
    score.requires_grad_()
    make_loss("ohem")(score, torch.zeros(1, 1, 4, dtype=torch.int64)).backward()
    assert (score.grad[0, 0, 0] != 0).tolist() == [False, False, True, True]

"""The loss of several heads is the weighted sum of the losses of their own scores and labels."""

import torch

from fullconv.training.losses import make_loss
from fullconv.training.losses.heads import HeadsLoss


def test_a_weighted_sum_of_the_heads():
    torch.manual_seed(0)
    score = torch.randn(4, 5, 6, 7, requires_grad=True)
    labels = torch.stack([torch.randint(0, 3, (4, 6, 7)), torch.randint(0, 2, (4, 6, 7))], 1)
    labels[:, 0, :2] = 255
    first, second = make_loss("cross-entropy+0.5*dice"), make_loss("focal")
    loss = HeadsLoss((first, second), ("a", "b"), (3, 2), (1.0, 0.25))
    value = loss(score, labels)
    alone = first(score[:, :3], labels[:, 0]) + 0.25 * second(score[:, 3:], labels[:, 1])
    assert torch.allclose(value, alone)
    assert len(loss.normalizers(labels)) == 3
    assert "a: " in loss.describe()
    assert "b: 0.25 x " in loss.describe()


def test_parts_of_a_batch_add_up():
    torch.manual_seed(0)
    score = torch.randn(4, 5, 6, 7)
    labels = torch.stack([torch.randint(0, 3, (4, 6, 7)), torch.randint(0, 2, (4, 6, 7))], 1)
    labels[:2, 0, :2] = 255
    second = make_loss("focal")
    cross = HeadsLoss((make_loss("cross-entropy"), second), ("a", "b"), (3, 2), (1.0, 0.25))
    whole = cross(score, labels)
    halves = [
        cross(score[at : at + 2], labels[at : at + 2], cross.normalizers(labels)) for at in (0, 2)
    ]
    assert torch.allclose(sum(halves), whole, rtol=1e-5)

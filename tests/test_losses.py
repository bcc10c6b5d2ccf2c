import math

import torch

from fullconv.losses import cross_entropy


def test_it_is_the_mean_over_valid_pixels():
    score = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    labels = torch.randint(0, 4, (2, 3, 5))
    labels[0, 0] = 255
    logs = score.log_softmax(1).permute(0, 2, 3, 1)
    picked = [
        -float(logs[b, r, c, labels[b, r, c]])
        for b in range(2)
        for r in range(3)
        for c in range(5)
        if labels[b, r, c] != 255
    ]
    assert math.isclose(float(cross_entropy(score, labels)), sum(picked) / len(picked))


def test_weights_are_torchs_weighted_mean():
    score = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    labels = torch.randint(0, 4, (2, 3, 5))
    labels[0, 0] = 255
    weights = torch.tensor([1.0, 2.0, 0.5, 4.0], dtype=torch.float64)
    expected = torch.nn.CrossEntropyLoss(weights, ignore_index=255)(score, labels)
    assert torch.isclose(cross_entropy(score, labels, weights), expected)
    assert cross_entropy(score, torch.full_like(labels, 255), weights) == 0


def test_all_void_is_zero_and_so_is_its_gradient():
    score = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = cross_entropy(score, torch.full((1, 2, 2), 255))
    loss.backward()
    assert float(loss.detach()) == 0 and score.grad is not None and not score.grad.any()


def test_equal_scores_lose_the_logarithm_of_the_classes():
    loss = cross_entropy(torch.zeros(1, 7, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64))
    assert math.isclose(float(loss), math.log(7), rel_tol=1e-6)

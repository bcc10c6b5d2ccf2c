"""Lovász-softmax against its definition: the convex closure of 1 - IoU on all sets of errors."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from sklearn.metrics import jaccard_score

from fullconv.training.losses import make_loss
from fullconv.training.losses.lovasz import lovasz_extension


def one_minus_iu(mistaken, inside):
    """Return 1 - IoU of the prediction that is wrong exactly at `mistaken`."""
    predicted = inside ^ mistaken
    return 1 - (inside & predicted).sum() / (inside | predicted).sum()


def convex_closure(errors, inside):
    """Return the least mean of 1 - IoU over mixtures of error sets with these mean errors."""
    corners = [np.array(corner, bool) for corner in product([0, 1], repeat=len(errors))]
    cost = [one_minus_iu(corner, inside) for corner in corners]
    mixtures = np.vstack([np.stack(corners, 1), np.ones(len(corners))])
    return linprog(cost, A_eq=mixtures, b_eq=[*errors, 1]).fun


@pytest.mark.parametrize("seed", range(12))
def test_the_extension_is_the_convex_closure(seed):
    random = np.random.default_rng(seed)
    errors, inside = random.random(5), random.random(5) < 0.5
    inside[0] = True
    if seed % 3 == 0:
        errors = errors.round(1).clip(0.2, 0.4)  # equal errors
    probability = torch.from_numpy(np.where(inside, 1 - errors, errors))
    ours = float(lovasz_extension(probability, torch.from_numpy(inside)))
    assert math.isclose(ours, convex_closure(errors, inside), rel_tol=1e-9, abs_tol=1e-12)


def test_hard_errors_give_one_minus_iou():
    for inside in product([False, True], repeat=4):
        for mistaken in product([False, True], repeat=4):
            if any(inside):
                target, wrong = np.array(inside), np.array(mistaken)
                ours = lovasz_extension(
                    torch.from_numpy(target ^ wrong).double(), torch.from_numpy(target)
                )
                assert math.isclose(float(ours), one_minus_iu(wrong, target), abs_tol=1e-15)


def test_the_mean_is_over_the_classes_that_occur():
    score = torch.randn(2, 4, 1, 3, dtype=torch.float64)
    labels = torch.tensor([[[0, 2, 255]], [[2, 2, 0]]])
    valid = (labels != 255).flatten()
    share = score.softmax(1).movedim(1, -1).reshape(-1, 4)[valid].numpy()
    target = labels.flatten()[valid].numpy()
    by_class = [
        convex_closure(np.abs((target == label) - share[:, label]), target == label)
        for label in (0, 2)
    ]
    assert math.isclose(float(make_loss("lovasz")(score, labels)), np.mean(by_class), rel_tol=1e-9)


def test_hard_predictions_have_loss_one_minus_mean_iou():
    predicted, labels = torch.randint(0, 4, (2, 2, 9, 8))
    score = 1e3 * torch.nn.functional.one_hot(predicted, 4).movedim(-1, 1).double()
    iu = jaccard_score(labels.flatten(), predicted.flatten(), average="macro")
    assert math.isclose(float(make_loss("lovasz")(score, labels)), 1 - iu)


def test_float32_is_exact_for_a_million_pixels():
    random = np.random.default_rng(0)
    inside = random.random(1_000_000) < 0.3
    probability = np.clip(0.5 * inside + 0.5 * random.random(len(inside)), 0, 1)
    single, double = (
        float(
            lovasz_extension(torch.from_numpy(probability.astype(kind)), torch.from_numpy(inside))
        )
        for kind in (np.float32, np.float64)
    )
    assert math.isclose(single, double, rel_tol=1e-5)

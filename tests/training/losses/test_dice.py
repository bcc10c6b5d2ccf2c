"""Dice loss against scikit-learn's F1 for hard predictions, and pixel by pixel."""

import math

import torch
from sklearn.metrics import f1_score

from fullconv.training.losses import make_loss


def test_hard_predictions_give_one_minus_the_mean_f1():
    predicted, labels = torch.randint(0, 5, (2, 3, 6, 7))
    labels[0, :2] = 255
    labels[labels == 4] = 3  # a class that is predicted and never true
    score = 1e3 * torch.nn.functional.one_hot(predicted, 5).movedim(-1, 1).double()
    valid = labels != 255
    f1 = f1_score(
        labels[valid], predicted[valid], labels=range(4), average="macro", zero_division=0
    )
    assert math.isclose(float(make_loss("dice")(score, labels)), 1 - f1)


def test_probabilities_count_as_fractions_of_pixels():
    score = torch.randn(1, 3, 2, 3, dtype=torch.float64)
    labels = torch.tensor([[[0, 1, 1], [255, 0, 1]]])
    share = score.softmax(1)[0]
    losses = []
    for label in (0, 1):  # 2 does not occur
        intersection = predicted = labelled = 0.0
        for row in range(2):
            for column in range(3):
                if labels[0, row, column] != 255:
                    probability = float(share[label, row, column])
                    intersection += probability * bool(labels[0, row, column] == label)
                    predicted += probability
                    labelled += bool(labels[0, row, column] == label)
        losses.append(1 - 2 * intersection / (predicted + labelled))
    assert math.isclose(float(make_loss("dice")(score, labels)), sum(losses) / 2)


def test_a_rare_class_counts_as_much_as_a_frequent_one():
    labels = torch.zeros(1, 10, 10, dtype=torch.int64)
    labels[0, 0, 0] = 1
    score = torch.stack([torch.full((1, 10, 10), 50.0), torch.zeros(1, 10, 10)], 1)
    assert float(make_loss("dice")(score, labels)) > 0.5

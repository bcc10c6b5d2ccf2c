"""The training monitor warns about each kind of problem once, and only then."""

import numpy as np
import pytest
import torch

from fullconv.config import TrainConfig
from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.metrics import Confusion
from fullconv.networks.fcn import create_model
from fullconv.training.monitor import TrainingMonitor

CLASSES = ("Road", "Sky", "Pole")


def recorder(lr=0.01, steps=1000, **settings):
    return TrainingMonitor(CLASSES, TrainConfig(lr=lr, **settings), steps)


def confusion(rows):
    counts = np.zeros((3, 4), np.int64)
    counts[:, :3] = rows
    return HeadMetrics({"": Confusion(3, counts)})


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = create_model("fcn16s-vgg11", 3, width=1 / 32, hidden=4)
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight)
    return network


def notes(losses, **settings):
    one = recorder(**settings)
    return [note for number, loss in enumerate(losses, 1) for note in one.step(number, loss)]


def test_a_falling_loss_gives_no_warning():
    assert notes(1.1 * 0.99**step for step in range(400)) == []


def test_a_rising_loss():
    (note,) = notes(1.0 + step / 20 for step in range(300))
    assert "rose from" in note and "too high" in note and "--lr 0.001" in note


def test_a_loss_that_does_not_move():
    (note,) = notes([1.0] * 600)
    assert "hardly moved" in note and "--lr 0.1" in note
    assert notes([0.2] * 600) == [], "weights that have learned leave little to learn"


def test_a_resumed_run_is_compared_with_its_first_epoch():
    late = recorder()
    late.resume(1.9)
    assert [note for number in range(1380, 1780) for note in late.step(number, 0.27)] == []
    stuck = recorder()
    stuck.resume(1.9)
    (note,) = [note for number in range(1380, 1780) for note in stuck.step(number, 1.9)]
    assert "hardly moved in 1579 steps" in note


def final_notes(losses, first=1, resumed=None):
    """Return the warnings of a training of 400 steps, of which the last 200 have another loss."""
    settings = {"lr": 0.01, "final_loss": "lovasz", "final_loss_share": 0.5}
    one = TrainingMonitor(CLASSES, TrainConfig(**settings), 400)
    if resumed:
        one.resume(resumed)
    return [note for number, loss in enumerate(losses, first) for note in one.step(number, loss)]


def test_losses_are_compared_within_one_loss_only():
    falling = [0.3 * 0.99**step for step in range(200)]
    assert final_notes([*falling, *[0.9] * 200]) == []
    assert final_notes([0.9] * 200, first=201, resumed=0.3) == []
    (note,) = final_notes([*falling, *(0.5 + step / 50 for step in range(200))])
    assert "the loss rose from 0.690" in note


def test_a_resumed_process_does_not_warn_at_once():
    late = recorder()
    assert [note for number in range(1380, 1480) for note in late.step(number, 0.27)] == []


def test_a_learning_rate_for_the_summed_loss():
    (note,) = notes([1.0] * 600, lr=1e-10)
    assert "summed loss" in note and "1e-10" in note


def test_a_collapse_is_reported_with_both_shares(network):
    # 97 of 100 pixels are predicted as Road, 29 are Road
    predictions = confusion([[29, 0, 0], [45, 0, 1], [23, 2, 0]])
    one = recorder()
    (note, *more) = one.epoch(10, predictions, network)
    assert "97% of the pixels are predicted as Road (ground truth 29%)" in note and not more
    assert "learning rate 0.01 is too high" in note
    assert one.epoch(20, predictions, network) == [], "once is enough"
    (note,) = recorder(lr=2e-9).epoch(10, predictions, network)
    assert "too high" not in note and "learned almost nothing" in note


def test_a_data_set_dominated_by_one_class_is_not_a_collapse(network):
    assert recorder().epoch(10, confusion([[95, 1, 0], [1, 2, 0], [0, 0, 1]]), network) == []


def test_a_class_never_predicted_after_half_of_the_training(network):
    predictions = confusion([[50, 0, 0], [0, 40, 0], [5, 5, 0]])
    one = recorder()
    assert one.epoch(400, predictions, network) == []
    (note,) = one.epoch(500, predictions, network)
    assert "class Pole has never been predicted" in note and "--balance" in note
    (note,) = recorder(balance="enet").epoch(500, predictions, network)
    assert note.endswith("rare classes may need a longer training"), "they have weights already"


def test_a_class_that_was_predicted_before_is_not_called_never_predicted(network):
    poles = confusion([[50, 0, 0], [0, 40, 0], [5, 4, 1]])
    none = confusion([[50, 0, 0], [0, 40, 0], [5, 5, 0]])
    one = recorder()
    assert one.epoch(400, poles, network) == one.epoch(500, none, network) == []
    resumed = recorder()
    resumed.resume(1.0, {2})
    assert resumed.epoch(500, none, network) == []


def test_a_skip_with_zero_score_weights(network):
    torch.nn.init.zeros_(network.score_pool4.weight)
    (note,) = recorder().epoch(10, confusion(np.eye(3, dtype=int) * 30), network)
    assert "pool4" in note and "zero" in note

"""EMA averages the weights and does not change them."""

import torch
from torch import nn

from fullconv.training.ema import EMA


def test_the_average_is_the_weighted_sum_of_all_weights():
    network = nn.Linear(1, 1, bias=False)
    values = [1.0, 5.0, -2.0, 7.0]
    with torch.no_grad():
        network.weight.fill_(values[0])
        average = EMA(network, 0.5)
        for step, value in enumerate(values[1:], 1):
            network.weight.fill_(value)
            average.update(step)
    shares = [1.0]  # of the first value, then of each further one: 2/11, 3/12, 4/13 are kept
    for kept in (2 / 11, 3 / 12, 4 / 13):
        shares = [share * kept for share in shares] + [1 - kept]
    expected = sum(share * value for share, value in zip(shares, values, strict=True))
    assert abs(average.values["weight"].item() - expected) < 1e-6
    assert network.weight.item() == 7.0


def test_late_updates_use_the_full_decay():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = EMA(network, 0.9)
    nn.init.ones_(network.weight)
    for step in range(1000, 1010):
        average.update(step)
    assert abs(average.values["weight"].item() - (1 - 0.9**10)) < 1e-6


def test_apply_swaps_the_average_in_and_back():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    average = EMA(network, 0.5)
    own = {name: value.clone() for name, value in network.state_dict().items()}
    for value in average.values.values():
        value.add_(3)
    kept = {name: value.clone() for name, value in average.values.items()}
    with average.apply():
        state = network.state_dict()
        assert all(torch.equal(state[name], kept[name]) for name in kept)
        assert int(state["1.num_batches_tracked"]) == 0  # counted, not averaged
    assert all(torch.equal(value, own[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(value, kept[name]) for name, value in average.values.items())

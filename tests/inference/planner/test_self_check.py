"""A network's strips are believed where they add up to the whole, and only there."""

import torch
from torch import nn

from fullconv.inference.planner import plan_parts
from fullconv.inference.planner import self_check as trust
from fullconv.inference.planner.self_check import streaming_error
from random_networks import random_network


def test_a_network_whose_parts_do_not_add_up_is_not_trusted(monkeypatch):
    network = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1)).eval()
    monkeypatch.setattr(trust, "_difference", lambda network, bands: 0.3)
    found = plan_parts(network, (200, 200))
    assert found.kind == "tiles" and not found.exact and "differ by 3e-01" in found.note


def test_what_adds_up_is_trusted_and_what_does_not_is_refused_with_how_far_it_is_off(monkeypatch):
    network = random_network("fcn8s-vgg11", width=1 / 16, hidden=8)
    assert streaming_error(network, 3) == ""
    other = random_network("fcn8s-vgg11", width=1 / 16, hidden=8)
    run = trust.run_side_by_side
    scaled = lambda *arguments: (1.5 * strip for strip in run(*arguments))  # noqa: E731
    monkeypatch.setattr(trust, "run_side_by_side", scaled)
    assert streaming_error(other, 3) == "this network's streamed scores differ by 5e-01"


def test_a_network_without_numbers_is_believed():
    network = nn.Conv2d(3, 2, 3, padding=1).to("meta").eval()
    assert streaming_error(network, 3) == "" and isinstance(network.weight, torch.Tensor)

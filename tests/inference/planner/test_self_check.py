"""A network is streamed only if its streamed scores equal those of the whole image."""

import torch
from torch import nn

from fullconv.inference.planner import plan_parts, self_check
from fullconv.inference.planner.self_check import streaming_error
from random_networks import random_network


def test_a_network_whose_streamed_scores_differ_gets_tiles(monkeypatch):
    network = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1)).eval()
    monkeypatch.setattr(self_check, "_difference", lambda network, bands: 0.3)
    found = plan_parts(network, (200, 200))
    assert found.kind == "tiles" and not found.exact and "differ by 3e-01" in found.note


def test_different_streamed_scores_are_reported_with_their_error(monkeypatch):
    network = random_network("fcn8s-vgg11", width=1 / 16, hidden=8)
    assert streaming_error(network, 3) == ""
    other = random_network("fcn8s-vgg11", width=1 / 16, hidden=8)
    run = self_check.run_side_by_side
    scaled = lambda *arguments: (1.5 * strip for strip in run(*arguments))  # noqa: E731
    monkeypatch.setattr(self_check, "run_side_by_side", scaled)
    assert streaming_error(other, 3) == "this network's streamed scores differ by 5e-01"


def test_a_network_on_meta_tensors_is_not_checked():
    network = nn.Conv2d(3, 2, 3, padding=1).to("meta").eval()
    assert streaming_error(network, 3) == "" and isinstance(network.weight, torch.Tensor)

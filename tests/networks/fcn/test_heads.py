"""Heads are ranges of a network's scores; one of them is a network of its own."""

import pytest
import torch
from torch import nn

from fullconv.networks.fcn import create_model
from fullconv.networks.fcn.heads import select_scores

TINY = {"width": 1 / 16, "hidden": 4}


@pytest.mark.parametrize("padding", ["same", 100])
@pytest.mark.parametrize("name", ["fcn32s-vgg11", "fcn8s-vgg11"])
@torch.no_grad()
def test_one_head_gives_its_scores(name, padding):
    network = create_model(name, 5, padding=padding, **TINY).eval()
    for layer in network.score_layers():
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    image = torch.rand(1, 3, 40, 33) * 255
    alone = select_scores(network, 2, 3)
    assert alone.architecture.classes == 3
    assert not alone.training
    assert torch.allclose(alone(image), network(image)[:, 2:], rtol=1e-5, atol=1e-5)
    before = {name: p.requires_grad for name, p in network.named_parameters()}
    assert before == {name: p.requires_grad for name, p in alone.named_parameters()}


@torch.no_grad()
def test_one_head_is_on_the_device_and_of_the_type_of_the_network():
    network = create_model("fcn32s-vgg11", 5, **TINY)
    assert select_scores(network.double(), 0, 2).normalize.mean.dtype is torch.float64
    alone = select_scores(network.to("meta"), 0, 2)
    assert alone(torch.zeros(1, 3, 9, 7, dtype=torch.float64, device="meta")).shape[1] == 2

"""Late fusion: features of several backbones side by side."""

import pytest
import torch
from torch import nn

from fullconv.inference.tiling import verify
from fullconv.networks.fcn import create_model

TINY = {"width": 1 / 16, "hidden": 4}


def fused(name="fcn16s-vgg11", **settings):
    network = create_model(name, 3, streams=(3, 4), **TINY, **settings).eval()
    for layer in network.score_layers():
        nn.init.normal_(layer.weight)
    return network


@pytest.mark.parametrize("padding", ["same", 100])
@torch.no_grad()
def test_scores_are_the_sum_of_the_streams(padding):
    network = fused("fcn32s-vgg11", padding=padding)
    image = torch.rand(1, 7, 40, 33) * 255
    total = torch.zeros(1, 3, 40, 33)
    for number, (first, width) in enumerate(((0, 3), (3, 4))):
        alone = create_model(
            "fcn32s-vgg11", 3, padding=padding, channels=width, upsampling=network.upsampling,
            mean=network.normalization.mean[first : first + width],
            std=network.normalization.std[first : first + width], **TINY,
        ).eval()  # fmt: skip
        alone.backbone.load_state_dict(network.backbone.streams[number].state_dict())
        alone.score_fr.weight.copy_(network.score_fr.weight[:, 4 * number : 4 * number + 4])
        total += alone(image[:, first : first + width])
    assert torch.allclose(network(image), total, rtol=1e-4, atol=1e-5 * float(total.abs().max()))


@torch.no_grad()
def test_parts_equal_the_whole():
    network = fused()
    image = (torch.rand(90, 70, 7) * 255).byte().numpy()
    assert verify(network, image).largest < 1e-5


def test_skips_see_all_streams():
    network = fused()
    assert network.get_submodule("score_pool4").in_channels == 2 * 32
    assert network.offsets() == create_model("fcn16s-vgg11", 3, **TINY).offsets()

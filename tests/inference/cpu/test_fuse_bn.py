"""Batch norms are fused only into a convolution that they directly follow."""

import pytest
import torch
from torch import nn

from fullconv.inference.cpu.fuse_bn import fuse_batch_norms


def randomized(layers):
    """Set random statistics and weights."""
    torch.manual_seed(0)
    for layer in layers.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for value in (layer.running_mean, layer.weight, layer.bias):
                nn.init.normal_(value)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return layers.eval()


class Shared(nn.Module):
    """One norm after two convolutions, and one after a sum."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        self.both, self.sum = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x):
        one, two = self.one(x), self.two(x)
        return self.sum(self.both(one) + self.both(two))


def norms(layers):
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in layers.modules())


@torch.no_grad()
def equal(layers, fused, x):
    return torch.allclose(fused(x), layers(x), atol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
def test_a_norm_after_a_convolution_is_fused_into_it(bias):
    parts = nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4)
    layers, x = randomized(nn.Sequential(*parts)), torch.randn(2, 3, 8, 9)
    before = {name: value.clone() for name, value in layers.state_dict().items()}
    fused = fuse_batch_norms(layers, x)
    assert norms(fused) == 1 and equal(layers, fused, x), "the second one has no convolution"
    assert fused[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(value, before[name]) for name, value in layers.state_dict().items())
    assert norms(layers) == 2 and not any(one._forward_hooks for one in layers.modules())


def test_a_norm_that_is_called_twice_is_kept():
    layers, x = randomized(Shared()), torch.randn(1, 3, 8, 9)
    fused = fuse_batch_norms(layers, x)
    assert norms(fused) == 2 and equal(layers, fused, x)


def test_a_norm_without_running_statistics_is_kept():
    parts = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)
    layers, x = nn.Sequential(*parts).eval(), torch.randn(2, 3, 8, 9)
    fused = fuse_batch_norms(layers, x)
    assert norms(fused) == 1 and equal(layers, fused, x)


def test_timms_norms_keep_their_activation():
    timm = pytest.importorskip("timm")
    layers, x = timm.layers.ConvNormAct(3, 4, 3), torch.randn(1, 3, 8, 9)
    randomized(layers)
    fused = fuse_batch_norms(layers, x)
    assert norms(fused) == 0 and equal(layers, fused, x)
    assert (layers(x) == 0).any(), "it has an activation"

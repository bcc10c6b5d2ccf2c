"""Every implementation of a convolution equals PyTorch's."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fullconv.inference.cpu import packed_conv as packing
from fullconv.inference.cpu.packed_conv import DirectConv, MatmulConv, WinogradConv, pack_layers
from fullconv.networks.layers import NamedSequential

KINDS = [
    (WinogradConv, {"kernel_size": 3, "padding": 1}),
    (DirectConv, {"kernel_size": 3, "padding": 1, "stride": 2}),
    (DirectConv, {"kernel_size": 3, "padding": 2, "dilation": 2}),
    (DirectConv, {"kernel_size": 3, "groups": 2}),
    (MatmulConv, {"kernel_size": 7, "padding": 3}),
    (MatmulConv, {"kernel_size": 5, "stride": 2}),
    (MatmulConv, {"kernel_size": 1}),
    (MatmulConv, {"kernel_size": 1, "stride": 2}),
]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(packing, "MANY", 1)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("kind", "settings"), KINDS, ids=lambda one: getattr(one, "__name__", ""))
@torch.no_grad()
def test_each_implementation_equals_the_convolution(kind, settings, relu):
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 8, **settings)
    followers = {"relu": nn.ReLU()} if relu else {}
    (name, layer), *rest = pack_layers(NamedSequential({"conv": conv, **followers}.items()))
    assert type(layer) is kind and name == ("relu" if relu else "conv") and rest == []
    for size in ((9, 13), (8, 8), (21, 7)):
        x = torch.randn(2, 6, *size).to(memory_format=torch.channels_last)
        expected = conv(x).relu() if relu else conv(x)
        assert torch.allclose(layer(x), expected, atol=1e-5)
        padded = F.conv2d(x, conv.weight, conv.bias, conv.stride, 4, conv.dilation, conv.groups)
        padded = padded.relu() if relu else padded
        assert torch.allclose(layer.padded(x, 4), padded, atol=1e-5)


@torch.no_grad()
def test_batch_norm_and_dropout_are_fused_into_the_convolution_before_them():
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    nn.init.normal_(norm.running_mean)
    layers = {
        "conv": conv,
        "bn": norm,
        "relu": nn.ReLU(),
        "drop": nn.Dropout(),
        "pool": nn.MaxPool2d(2),
    }
    chain = NamedSequential(layers.items()).eval()
    (name, layer), (last, pool) = pack_layers(chain)
    assert (name, last) == ("drop", "pool") and pool is layers["pool"]
    x = torch.randn(1, 3, 9, 9).to(memory_format=torch.channels_last)
    assert torch.allclose(layer(x), norm(conv(x)).relu(), atol=1e-5)

"""Layers for feature maps give, at every position, what the layers for vectors give."""

import pytest
import torch
from torch import nn

from fullconv.networks.dense.map_layers import linear_as_conv, norm_for_maps


def drawn(layer):
    """Set random weights and statistics."""
    generator = torch.Generator().manual_seed(0)
    for tensor in layer.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return layer.eval()


@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_a_linear_layer_at_every_position(bias):
    layer = drawn(nn.Linear(2 * 3 * 4, 5, bias=bias))
    maps = torch.rand(1, 2, 6, 7)
    found = linear_as_conv(layer, 2, (3, 4))(maps)
    assert found.shape == (1, 5, 4, 4)
    for row in range(4):
        for column in range(4):
            window = maps[:, :, row : row + 3, column : column + 4]
            torch.testing.assert_close(found[:, :, row, column], layer(window.flatten(1)))


@torch.no_grad()
def test_a_linear_layer_with_dilation():
    layer = drawn(nn.Linear(2 * 2 * 2, 3))
    maps = torch.rand(1, 2, 5, 5)
    found = linear_as_conv(layer, 2, (2, 2), dilation=3)(maps)
    torch.testing.assert_close(found[:, :, 0, 1], layer(maps[:, :, 0:4:3, 1:5:3].flatten(1)))


@pytest.mark.parametrize("norm", [nn.LayerNorm(4), nn.BatchNorm1d(4)])
@torch.no_grad()
def test_a_norm_at_every_position(norm):
    norm, maps = drawn(norm), torch.rand(2, 4, 3, 5)
    pixels = maps.movedim(1, -1).reshape(-1, 4)
    expected = norm(pixels).reshape(2, 3, 5, 4).movedim(-1, 1)
    torch.testing.assert_close(norm_for_maps(norm).eval()(maps), expected)


def test_tensors_are_shared():
    norm, layer = nn.LayerNorm(4), nn.Linear(4, 2)
    assert norm_for_maps(norm).weight is norm.weight
    convolution = linear_as_conv(layer, 4, (1, 1))
    assert convolution.bias is layer.bias
    assert convolution.weight.data_ptr() == layer.weight.data_ptr()

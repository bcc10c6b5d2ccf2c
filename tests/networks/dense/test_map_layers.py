"""Layers for vectors, laid over maps: at every place they give what they give of one vector."""

import pytest
import torch
from torch import nn

from fullconv.networks.dense.map_layers import linear_as_conv, norm_for_maps


def drawn(layer):
    """Weights and statistics that are not those of a new layer."""
    generator = torch.Generator().manual_seed(0)
    for tensor in layer.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return layer.eval()


@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_a_linear_layer_slides_over_maps(bias):
    layer = drawn(nn.Linear(2 * 3 * 4, 5, bias=bias))
    maps = torch.rand(1, 2, 6, 7)
    found = linear_as_conv(layer, 2, (3, 4))(maps)
    assert found.shape == (1, 5, 4, 4)
    for row in range(4):
        for column in range(4):
            window = maps[:, :, row : row + 3, column : column + 4]
            torch.testing.assert_close(found[:, :, row, column], layer(window.flatten(1)))


@torch.no_grad()
def test_its_rows_may_lie_apart():
    layer = drawn(nn.Linear(2 * 2 * 2, 3))
    maps = torch.rand(1, 2, 5, 5)
    found = linear_as_conv(layer, 2, (2, 2), dilation=3)(maps)
    torch.testing.assert_close(found[:, :, 0, 1], layer(maps[:, :, 0:4:3, 1:5:3].flatten(1)))


@pytest.mark.parametrize("norm", [nn.LayerNorm(4), nn.BatchNorm1d(4)])
@torch.no_grad()
def test_a_norm_of_vectors_is_done_at_every_place(norm):
    norm, maps = drawn(norm), torch.rand(2, 4, 3, 5)
    places = maps.movedim(1, -1).reshape(-1, 4)
    expected = norm(places).reshape(2, 3, 5, 4).movedim(-1, 1)
    torch.testing.assert_close(norm_for_maps(norm).eval()(maps), expected)


def test_tensors_are_shared():
    norm, layer = nn.LayerNorm(4), nn.Linear(4, 2)
    assert norm_for_maps(norm).weight is norm.weight
    convolution = linear_as_conv(layer, 4, (1, 1))
    assert convolution.bias is layer.bias
    assert convolution.weight.data_ptr() == layer.weight.data_ptr()

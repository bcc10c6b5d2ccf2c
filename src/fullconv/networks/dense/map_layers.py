"""Layers for vectors as layers for feature maps: the same weights, applied at every position."""

import torch
from torch import Tensor, nn


def linear_as_conv(
    layer: nn.Linear, maps: int, window: tuple[int, int], dilation: int = 1, padding: int = 0
) -> nn.Conv2d:
    """Return a linear layer over flattened feature maps as a convolution with the same weights.

    Args:
        layer: over maps * rows * columns numbers.
        maps: number of feature maps.
        window: their rows and columns.
        dilation: pixels between two of the rows.
        padding: zeros around the map.
    """
    with torch.device("meta"):
        bias = layer.bias is not None
        convolution = nn.Conv2d(
            maps, layer.out_features, window, padding=padding, dilation=dilation, bias=bias
        )
    weight = layer.weight.detach().reshape(layer.out_features, maps, *window)
    convolution.weight = nn.Parameter(weight, layer.weight.requires_grad)
    if layer.bias is not None:
        convolution.bias = layer.bias
    return convolution


def norm_for_maps(layer: nn.LayerNorm | nn.BatchNorm1d) -> nn.Module:
    """Return the same norm for feature maps; parameters and buffers are shared."""
    norm: nn.Module
    if isinstance(layer, nn.LayerNorm):
        norm = LayerNormOverMaps(layer.normalized_shape, layer.eps, layer.elementwise_affine)
    else:
        norm = BatchNormOverMaps(layer.num_features, layer.eps, layer.momentum, layer.affine)
    norm._parameters, norm._buffers = layer._parameters, layer._buffers
    return norm


class LayerNormOverMaps(nn.LayerNorm):
    """A layer norm of vectors, at every position of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize over C."""
        normed: Tensor = super().forward(x.movedim(1, -1))
        return normed.movedim(-1, 1)


class BatchNormOverMaps(nn.BatchNorm1d):
    """A batch norm of vectors, at every position of (B, C, H, W)."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass

"""Layers for one vector as layers for maps: the same numbers, at every place."""

import torch
from torch import Tensor, nn


def over_window(
    layer: nn.Linear, maps: int, window: tuple[int, int], step: int = 1, padding: int = 0
) -> nn.Conv2d:
    """A linear layer over flattened maps as the convolution that it is, of the same numbers.

    Args:
        layer: over `maps` x rows x columns numbers.
        maps: how many there are.
        window: their rows and columns.
        step: pixels between two of its rows.
        padding: zeros around.
    """
    with torch.device("meta"):
        bias = layer.bias is not None
        convolution = nn.Conv2d(
            maps, layer.out_features, window, padding=padding, dilation=step, bias=bias
        )
    weight = layer.weight.detach().reshape(layer.out_features, maps, *window)
    convolution.weight = nn.Parameter(weight, layer.weight.requires_grad)
    if layer.bias is not None:
        convolution.bias = layer.bias
    return convolution


def shared_norm(layer: nn.Module) -> nn.Module:
    """The same norm with the same tensors, for maps."""
    other: nn.Module
    if isinstance(layer, nn.LayerNorm):
        other = LayerNormOverMaps(layer.normalized_shape, layer.eps, layer.elementwise_affine)
    else:
        assert isinstance(layer, nn.BatchNorm1d)
        other = BatchNormOverMaps(layer.num_features, layer.eps, layer.momentum, layer.affine)
    other._parameters, other._buffers = layer._parameters, layer._buffers
    return other


class LayerNormOverMaps(nn.LayerNorm):
    """A layer norm of vectors, at every place of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised over C, of the same shape."""
        normed: Tensor = super().forward(x.movedim(1, -1))
        return normed.movedim(-1, 1)


class BatchNormOverMaps(nn.BatchNorm1d):
    """A batch norm of vectors, at every place of (B, C, H, W)."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass

"""Convolutions with weights packed for this CPU, each with the algorithm that suits its shape.

Batch norm and ReLU are fused, maps are channels_last. The algorithm is chosen by the layer's shape
only, never by timing, so results do not depend on the load of the machine.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullconv.inference.cpu.fuse_bn import fused_parameters
from fullconv.inference.cpu.winograd import TAPS, Winograd
from fullconv.networks.geometry import window_of
from fullconv.networks.layers import NamedSequential
from fullconv.networks.padding.regions import FusedLayer

# Input times output channels from which Winograd's transforms cost less than they save; see
# benchmarks/cpu_convolutions.py.
MANY = 128 * 256
LARGE = 5  # kernel size from which a matrix product over the windows is faster


def pack_layers(chain: NamedSequential) -> Iterator[tuple[str, nn.Module]]:
    """Yield a chain's layers; norm, ReLU and dropout are fused into the convolution before.

    A fused layer has the name of its last part.
    """
    layers = list(chain.named_children())
    while layers:
        name, layer = layers.pop(0)
        if type(layer) is not nn.Conv2d:
            yield name, layer
            continue
        followers: dict[type, nn.Module] = {}
        for kind in (nn.BatchNorm2d, nn.ReLU, nn.Dropout):
            if layers and type(layers[0][1]) is kind:
                name, followers[kind] = layers.pop(0)
        yield name, _convolution(layer, followers.get(nn.BatchNorm2d), nn.ReLU in followers)


class DirectConv(FusedLayer):
    """A convolution, with fused ReLU, with weights packed for oneDNN."""

    def __init__(self, conv: nn.Conv2d, weight: Tensor, bias: Tensor, relu: bool) -> None:
        super().__init__()
        self.window, self.weights = window_of(conv), weight.numel()
        self.strides, self.dilation, self.groups = (
            list(conv.stride),
            list(conv.dilation),
            conv.groups,
        )
        self.bias, self.relu = bias, "relu" if relu else "none"
        layout = [0, 0], self.strides, self.dilation, self.groups
        self.packed = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *layout)

    def padded(self, x: Tensor, padding: int) -> Tensor:
        """Return the output with this padding instead of the window's."""
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x,
            self.packed,
            self.bias,
            [padding] * 2,
            self.strides,
            self.dilation,
            self.groups,
            self.relu,
            [],
            "",
        )
        return y


class MatmulConv(FusedLayer):
    """A convolution, with fused ReLU, as one matrix product.

    For 1 x 1 kernels, over the pixels; for large kernels such as fc6, over the unfolded windows,
    which are few compared with the weights. The layout of a packed matrix does not depend on the
    number of pixels. That of a convolution depends on the map's size on some processors, and oneDNN
    repacks the weights each time: fc6 took seconds on an AMD EPYC.
    """

    def __init__(self, conv: nn.Conv2d, weight: Tensor, bias: Tensor, relu: bool) -> None:
        super().__init__()
        self.window, self.weights = window_of(conv), weight.numel()
        self.bias, self.relu = bias, "relu" if relu else "none"
        matrix = weight.permute(0, 2, 3, 1).reshape(len(weight), -1)
        self.packed = torch.ops.mkldnn._reorder_linear_weight(matrix.contiguous())

    def padded(self, x: Tensor, padding: int) -> Tensor:
        """Return the output with this padding instead of the window's."""
        x = F.pad(x, [padding] * 4) if padding else x
        size, stride = self.window.kernel, self.window.stride
        windows = x.permute(0, 2, 3, 1).unfold(1, size, stride).unfold(2, size, stride)
        batch, height, width = windows.shape[:3]
        rows = windows.permute(0, 1, 2, 4, 5, 3).reshape(batch * height * width, -1)
        y: Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self.packed, self.bias, self.relu, [], ""
        )
        return y.view(batch, height, width, -1).permute(0, 3, 1, 2)


class WinogradConv(FusedLayer):
    """A 3 x 3 convolution, with fused ReLU, by Winograd's algorithm."""

    def __init__(self, conv: nn.Conv2d, weight: Tensor, bias: Tensor, relu: bool) -> None:
        super().__init__()
        self.window, self.weights = window_of(conv), weight.numel()
        self.convolution = Winograd(weight, bias, relu)

    def padded(self, x: Tensor, padding: int) -> Tensor:
        """Return the output with this padding instead of the window's."""
        y: Tensor = self.convolution(F.pad(x, [padding] * 4) if padding else x)
        return y


def _convolution(conv: nn.Conv2d, norm: nn.Module | None, relu: bool) -> nn.Module:
    weight, bias = conv.weight, conv.bias
    if isinstance(norm, nn.BatchNorm2d):
        weight, bias = fused_parameters(conv, norm)
    weight = weight.detach()
    bias = weight.new_zeros(len(weight)) if bias is None else bias.detach()
    window = window_of(conv)
    kind: type[DirectConv | WinogradConv | MatmulConv] = DirectConv
    if conv.groups == 1 and window.kernel == 1:
        kind = MatmulConv
    elif conv.groups == 1 and conv.dilation == (1, 1) and math.prod(weight.shape[:2]) >= MANY:
        if (window.kernel, window.stride) == (TAPS, 1):
            kind = WinogradConv
        elif window.kernel >= LARGE:
            kind = MatmulConv
    return kind(conv, weight, bias, relu)

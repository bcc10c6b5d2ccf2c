"""A network as it is best handed to other runtimes: the same numbers, from simpler layers."""

import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.networks.fcn import FCN
from fullconv.networks.layers import NamedSequential, TransposedUpsample, bilinear_kernel
from fullconv.networks.padding.fixed_size import FixedSizeBackbone


def make_portable(network: nn.Module, size: tuple[int, int] | None = None) -> nn.Module:
    """A copy of the network, made of the same weights, for an export.

    For one size the padding is only computed where the image has an influence; for any size all
    of it is, since the short cut's windows are whole numbers. In both,
    bilinear transposed convolutions become interpolations; TensorFlow's "same" padding is fixed.
    """
    # Only a timm network has layers inside its backbone that are exchanged.
    deep = any(_same(layer) for layer in network.modules())
    network = copy.deepcopy(network) if deep else copy.copy(network)
    network._modules = dict(network._modules)
    for switch, value in (("sparse_padding", False), ("optimized_backbone", None)):
        if hasattr(network, switch):
            setattr(network, switch, value)
    for path, layer in list(network.named_modules()):
        folder, _, name = path.rpartition(".")
        if _same(layer):
            setattr(network.get_submodule(folder), name, Padded(layer))
        elif isinstance(layer, TransposedUpsample) and not folder and _bilinear(layer):
            network._modules[name] = ZeroPaddedUpsample(layer.factor)
    if size and isinstance(network, FCN) and isinstance(network.backbone, NamedSequential):
        inside = FixedSizeBackbone(network.backbone.eval(), size, (*network.skips, network.top))
        network._modules["backbone"] = inside if inside.steps else network.backbone
    return network.eval()


class ZeroPaddedUpsample(nn.Module):
    """Interpolate score maps bilinearly with zeros around them, as a new upsampling layer does.

    A transposed convolution multiplies every class with every other, nearly always by zero, and
    takes five times as long.

    Args:
        factor: how much larger; even, so that the pixels lie on half positions.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K H W"]:
        """`factor * (input + 1)` pixels high and wide."""
        x = F.pad(x, (1, 1, 1, 1))
        size = [self.factor * side for side in x.shape[-2:]]
        x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        margin = self.factor // 2
        return x[..., margin:-margin, margin:-margin]


class Padded(nn.Module):
    """A convolution with TensorFlow's "same" padding, on maps whose sides its stride divides.

    There the padding does not depend on the size. timm works it out by rounding a float, which a
    graph for every size cannot hold; our backbones enlarge images to a multiple of every stride.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        assert isinstance(layer, nn.Conv2d)
        self.layer = layer
        self.around: list[int] = []
        for kernel, stride, dilation in zip(
            layer.kernel_size[::-1], layer.stride[::-1], layer.dilation[::-1], strict=True
        ):
            zeros = max(0, dilation * (kernel - 1) + 1 - stride)
            self.around += [zeros // 2, zeros - zeros // 2]

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K h w"]:
        """The layer's output."""
        layer = self.layer
        x = F.pad(x, self.around)
        return F.conv2d(x, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)


def _same(layer: nn.Module) -> bool:
    return type(layer).__name__ == "Conv2dSame" and isinstance(layer, nn.Conv2d)


def _bilinear(layer: TransposedUpsample) -> bool:
    """Return whether the weights still are the bilinear kernel."""
    if layer.kernel_size[0] != 2 * layer.factor or layer.factor % 2:
        return False
    begun = torch.zeros_like(layer.weight)
    classes = range(layer.in_channels)
    begun[classes, classes] = bilinear_kernel(layer.kernel_size[0]).to(begun)
    return torch.equal(layer.weight, begun)

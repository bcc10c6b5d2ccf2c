"""Replace layers by simpler ones that other runtimes support well, with the same scores."""

import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.networks.fcn import FCN
from fullconv.networks.layers import NamedSequential, TransposedUpsample, bilinear_kernel
from fullconv.networks.padding.fixed_size import FixedSizeBackbone


def make_portable(network: nn.Module, size: tuple[int, int] | None = None) -> nn.Module:
    """Return a copy of the network for an export; weights are shared.

    For one size, the padding is computed only where the image influences it. For any size all of it
    is computed, since border skipping needs sizes that are known. Bilinear transposed convolutions
    become interpolations; TensorFlow's "same" padding becomes a fixed one.
    """
    # Only in timm networks are layers inside the backbone replaced.
    deep = any(_same(layer) for layer in network.modules())
    network = copy.deepcopy(network) if deep else copy.copy(network)
    network._modules = dict(network._modules)
    for switch, value in (
        ("sparse_padding", False),
        ("optimized_backbone", None),
        ("engine", None),
    ):
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
        network._modules["backbone"] = inside if inside.regions else network.backbone
    return network.eval()


class ZeroPaddedUpsample(nn.Module):
    """Bilinear interpolation with zeros around the map: equals a transposed convolution at start.

    The transposed convolution multiplies every class with every other, nearly always by zero, and
    takes five times as long.

    Args:
        factor: of the upsampling; even, so pixel centres are at half positions.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K H W"]:
        """Return maps of `factor * (input + 1)` pixels per side."""
        x = F.pad(x, (1, 1, 1, 1))
        size = [self.factor * side for side in x.shape[-2:]]
        x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        margin = self.factor // 2
        return x[..., margin:-margin, margin:-margin]


class Padded(nn.Module):
    """A convolution with TensorFlow's "same" padding, for maps whose sides its stride divides.

    For these the padding does not depend on the size. timm computes it by rounding a float, which a
    graph for any size cannot represent; our backbones pad images to a multiple of every stride.
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
        """Return the convolution's output."""
        layer = self.layer
        x = F.pad(x, self.around)
        return F.conv2d(x, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)


def _same(layer: nn.Module) -> bool:
    return type(layer).__name__ == "Conv2dSame" and isinstance(layer, nn.Conv2d)


def _bilinear(layer: TransposedUpsample) -> bool:
    """Return whether the weights still are the bilinear kernel."""
    if layer.kernel_size[0] != 2 * layer.factor or layer.factor % 2:
        return False
    initial = torch.zeros_like(layer.weight)
    classes = range(layer.in_channels)
    initial[classes, classes] = bilinear_kernel(layer.kernel_size[0]).to(initial)
    return torch.equal(layer.weight, initial)

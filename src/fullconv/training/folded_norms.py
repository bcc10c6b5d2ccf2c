"""Frozen batch norms in training, computed inside of the convolutions before them.

With frozen statistics, a batch norm multiplies each channel by s = gamma / sqrt(variance + eps) and
adds a constant, which the convolution can do: its weights are W s, its bias is beta - mean s. The
gradients of W, gamma and beta follow from those of these weights. So a map is not read and written
once more in either direction, nor kept for the backward pass.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fullconv.inference.cpu.fuse_bn import activation_of, followed_convolutions
from fullconv.networks.fcn import FCN
from fullconv.networks.layers import NamedSequential
from fullconv.networks.tracing.copies import copy_modules

PROBE = 96, 96  # of an image; features with and without folded norms are compared on it
TOLERANCE = 1e-3  # of a feature, relative to the largest; rounding alone is far below it
LEAST_POSITIONS = 2.0  # of a map, for each weight of a channel: with fewer, folding costs more


class FoldedNorms:
    """The batch norms of a network's backbone that convolutions compute while they are frozen.

    Args:
        network: on a CPU; it is left as it is.
    """

    def __init__(self, network: nn.Module) -> None:
        paths = _foldable(network) if isinstance(network, FCN) else {}
        self._pairs = _pairs(network, paths)

    def __len__(self) -> int:
        return len(self._pairs)

    def applied(self) -> AbstractContextManager[None]:
        """Let the convolutions compute the norms that are frozen, i.e. in evaluation mode."""
        return _applied(self._pairs)


class _Pair:
    """A convolution, and the batch norm that alone uses its output.

    Args:
        conv: the convolution.
        norm: the norm.
        always: whether they are folded for maps of any size.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, always: bool = False) -> None:
        self.conv, self.norm, self._always = conv, norm, always
        self.activation = activation_of(norm)
        self._folded = False

    def convolve(self, x: Tensor) -> Tensor:
        """Compute the convolution, and the norm with it if that pays for this map."""
        positions = x.shape[0] * x.shape[2] * x.shape[3] / (self.conv.stride[0] ** 2)
        pays = positions > LEAST_POSITIONS * self.conv.weight[0].numel()
        self._folded = (pays or self._always) and not self.norm.training
        weight, bias = self._parameters() if self._folded else (self.conv.weight, self.conv.bias)
        own = self.conv._parameters
        # Convolutions of other libraries pad their input first, so their own code has to run.
        replaced: dict[str, Any] = {**own, "weight": weight, "bias": bias}
        self.conv._parameters = replaced
        try:
            return type(self.conv).forward(self.conv, x)
        finally:
            self.conv._parameters = own

    def normalize(self, x: Tensor) -> Tensor:
        """Compute what is left of the norm: an activation, or nothing."""
        folded, self._folded = self._folded, False
        if not folded:
            return type(self.norm).forward(self.norm, x)
        found: Tensor = self.activation(x)
        return found

    def _parameters(self) -> tuple[Tensor, Tensor]:
        """Return the weights and the bias of both; gradients pass through them."""
        norm, conv = self.norm, self.conv
        assert norm.running_mean is not None and norm.running_var is not None
        scale = (norm.running_var + norm.eps).rsqrt()
        if norm.affine:
            scale = scale * norm.weight
        mean = norm.running_mean if conv.bias is None else norm.running_mean - conv.bias
        bias = norm.bias - mean * scale if norm.affine else -mean * scale
        return conv.weight * scale[:, None, None, None], bias


@contextmanager
def _applied(pairs: Sequence[_Pair]) -> Iterator[None]:
    for pair in pairs:
        vars(pair.conv)["forward"], vars(pair.norm)["forward"] = pair.convolve, pair.normalize
    try:
        yield
    finally:
        for pair in pairs:
            del vars(pair.conv)["forward"], vars(pair.norm)["forward"]


def _pairs(network: nn.Module, paths: Mapping[str, str], always: bool = False) -> list[_Pair]:
    """Return the convolutions and norms at these paths."""
    found = []
    for norm_path, conv_path in paths.items():
        norm, conv = network.get_submodule(norm_path), network.get_submodule(conv_path)
        assert isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d)
        found.append(_Pair(conv, norm, always))
    return found


def _foldable(network: FCN) -> dict[str, str]:
    """Return path of each norm that can be folded -> path of its convolution; {} if none can.

    A convolution whose output is used elsewhere too would change what is computed there, so the
    features with folded norms are compared with those without.
    """
    backbone, architecture = network.backbone, network.architecture
    wide = architecture is None or architecture.padding != "same"
    if isinstance(backbone, NamedSequential) and wide:
        return {}  # parts of its maps are computed without the layers, see `networks.padding`
    parameter = next(network.parameters())
    shape = 1, network.channels, *PROBE
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 255
    image = noise.to(parameter.dtype)
    copy = copy_modules(network)
    paths = {
        norm: conv
        for norm, conv in followed_convolutions(copy, image).items()
        if norm.startswith("backbone.")
        and not _has_hooks(network.get_submodule(norm))
        and not _has_hooks(network.get_submodule(conv))
    }
    names = {network.top, *network.skips}
    with torch.no_grad():
        x = network.normalize(image)
        before = copy._backbone.features(x, names)
        with _applied(_pairs(copy, paths, always=True)):
            after = copy._backbone.features(x, names)
    off = {name: (after[name] - before[name]).abs().max() for name in names}
    same = all(off[name] <= TOLERANCE * before[name].abs().max() for name in names)
    return paths if same else {}


def _has_hooks(layer: nn.Module) -> bool:
    """Return whether a hook reads a layer's inputs, outputs or gradients."""
    return bool(
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
    )

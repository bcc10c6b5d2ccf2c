"""Fuse batch norms into the preceding convolutions of any network.

The layers run once on an image: a norm whose input is the output of a convolution belongs to it.
This does not show whether other layers use that output too, so callers must compare the network's
outputs before and after.
"""

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from fullconv.networks.tracing.copies import copy_modules

Layers = TypeVar("Layers", bound=nn.Module)


def fuse_batch_norms(layers: Layers, image: Tensor) -> Layers:
    """Return a copy in evaluation mode with fused batch norms, in channels_last layout.

    Args:
        layers: called with `image`.
        image: any valid input.
    """
    pairs = followed_convolutions(layers, image)
    fused = copy.deepcopy(layers).eval()
    for norm_path, conv_path in pairs.items():
        norm, conv = fused.get_submodule(norm_path), fused.get_submodule(conv_path)
        assert isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d)
        conv.weight, conv.bias = fused_parameters(conv, norm)
        folder, _, name = norm_path.rpartition(".")
        setattr(fused.get_submodule(folder), name, activation_of(norm))
    return fused.to(memory_format=torch.channels_last)


def fused_parameters(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[nn.Parameter, nn.Parameter]:
    """Return weight and bias of one convolution that equals both layers in evaluation mode."""
    assert norm.running_mean is not None and norm.running_var is not None
    statistics = norm.running_mean, norm.running_var, norm.eps
    return fuse_conv_bn_weights(conv.weight, conv.bias, *statistics, norm.weight, norm.bias)


def followed_convolutions(layers: nn.Module, image: Tensor) -> dict[str, str]:
    """Return path of each norm that can be fused -> path of its convolution.

    The hooks are put on a copy, as other threads may run the layers meanwhile.
    """
    layers = copy_modules(layers)
    paths = {layer: path for path, layer in layers.named_modules()}
    # Keeps the outputs alive, so no later tensor gets the identity of an earlier one.
    outputs: list[tuple[Tensor, str]] = []
    pairs: dict[str, str] = {}
    calls: dict[str, int] = {}

    def record(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        path = paths[layer]
        calls[path] = calls.get(path, 0) + 1
        if isinstance(layer, nn.Conv2d):
            outputs.append((output, path))
            return
        for conv_output, conv in outputs:
            if conv_output is inputs[0]:
                pairs[path] = conv

    observed = [m for m in layers.modules() if isinstance(m, nn.Conv2d) or _can_fuse(m)]
    for layer in observed:
        layer.register_forward_hook(record)
    with torch.no_grad():
        layers(image)
    once = {path for path, count in calls.items() if count == 1}
    return {norm: conv for norm, conv in pairs.items() if {norm, conv} <= once}


def _can_fuse(layer: nn.Module) -> bool:
    """Return whether it is a batch norm with running statistics, also with timm's activation."""
    if not isinstance(layer, nn.BatchNorm2d) or layer.running_mean is None:
        return False
    return type(layer) is nn.BatchNorm2d or type(layer).__name__ == "BatchNormAct2d"


def activation_of(norm: nn.BatchNorm2d) -> nn.Module:
    """Return what remains of a fused norm: timm's activation, or nothing."""
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    return nn.Sequential(norm.get_submodule("drop"), norm.get_submodule("act"))

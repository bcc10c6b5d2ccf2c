"""Batch norms put into the convolutions before them, in networks that other people wrote.

Which norm follows which convolution is seen, not known: the layers run once on an image, and a norm
whose input is what a convolution gave belongs to it. Whether nobody else reads that convolution's
output cannot be seen so; whoever folds compares the outputs before and after.
"""

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

Layers = TypeVar("Layers", bound=nn.Module)


def folded(layers: Layers, image: Tensor) -> Layers:
    """A copy in eval mode with its norms folded, for maps that are channels_last.

    Args:
        layers: as it is called with `image`.
        image: any that it takes.
    """
    pairs = _followed(layers, image)
    made = copy.deepcopy(layers).eval()
    for norm_path, conv_path in pairs.items():
        norm, conv = made.get_submodule(norm_path), made.get_submodule(conv_path)
        assert isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d)
        conv.weight, conv.bias = fused(conv, norm)
        folder, _, name = norm_path.rpartition(".")
        setattr(made.get_submodule(folder), name, _behind(norm))
    return made.to(memory_format=torch.channels_last)


def fused(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[nn.Parameter, nn.Parameter]:
    """Weight and bias of a convolution that does what both do, in eval mode."""
    assert norm.running_mean is not None and norm.running_var is not None
    statistics = norm.running_mean, norm.running_var, norm.eps
    return fuse_conv_bn_weights(conv.weight, conv.bias, *statistics, norm.weight, norm.bias)


def _followed(layers: nn.Module, image: Tensor) -> dict[str, str]:
    """Path of each norm that can be folded -> path of its convolution."""
    paths = {layer: path for path, layer in layers.named_modules()}
    # What each convolution gave; kept, so that no later tensor is taken for an earlier one.
    given: list[tuple[Tensor, str]] = []
    pairs: dict[str, str] = {}
    calls: dict[str, int] = {}

    def see(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        path = paths[layer]
        calls[path] = calls.get(path, 0) + 1
        if isinstance(layer, nn.Conv2d):
            given.append((output, path))
            return
        for made, conv in given:
            if made is inputs[0]:
                pairs[path] = conv

    kinds = [one for one in layers.modules() if isinstance(one, nn.Conv2d) or _foldable(one)]
    hooks = [one.register_forward_hook(see) for one in kinds]
    try:
        with torch.no_grad():
            layers(image)
    finally:
        for hook in hooks:
            hook.remove()
    once = {path for path, count in calls.items() if count == 1}
    return {norm: conv for norm, conv in pairs.items() if {norm, conv} <= once}


def _foldable(layer: nn.Module) -> bool:
    """Whether it is a batch norm with known statistics, alone or with timm's activation in it."""
    if not isinstance(layer, nn.BatchNorm2d) or layer.running_mean is None:
        return False
    return type(layer) is nn.BatchNorm2d or type(layer).__name__ == "BatchNormAct2d"


def _behind(norm: nn.BatchNorm2d) -> nn.Module:
    """What is left of a norm that was folded."""
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    return nn.Sequential(norm.get_submodule("drop"), norm.get_submodule("act"))

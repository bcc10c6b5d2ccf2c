"""Describe a network's layers for the page, which runs them, or draws where their pixels are."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from fullconv.explain.microscope.arrays import Arrays
from fullconv.networks.fcn import FCN
from fullconv.networks.geometry import CoordMap, Field, window_of
from fullconv.networks.layers import (
    BilinearUpsample,
    Context,
    FeatureInfo,
    NamedSequential,
    TransposedUpsample,
)

WINDOWS = (nn.Conv2d, nn.MaxPool2d)
IGNORED = (nn.Dropout, nn.Dropout2d, nn.Identity)


def can_run(network: FCN) -> bool:
    """Return whether the page has an operation for every layer of the network."""
    chain = network.backbone
    if not isinstance(chain, NamedSequential) or network.mirror or hasattr(network, "pyramid_fr"):
        return False
    return all(map(_is_known, chain.children()))


def _is_known(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    if isinstance(layer, nn.MaxPool2d):
        return layer.dilation == 1
    if isinstance(layer, nn.BatchNorm2d):
        return layer.affine and layer.track_running_stats
    return isinstance(layer, (nn.ReLU, *IGNORED))


def stages(network: FCN, arrays: Arrays) -> list[dict[str, Any]]:
    """Return all layers up to the scores in stages: a convolution with what follows it, a pooling.

    A stage is named by its convolution or pooling; `input` is the stage that it reads.
    """
    chain: Any = network.backbone
    found: list[dict[str, Any]] = []
    source, ends = "image", {}
    for name, layer in chain.named_children():
        if isinstance(layer, WINDOWS):
            found.append({"name": name, "input": source, "layers": []})
            source = name
        if not isinstance(layer, IGNORED):
            found[-1]["layers"].append(_layer(name, layer, arrays))
        ends[name] = source
    for feature, suffix in ((network.top, "fr"), *((skip, skip) for skip in network.skips)):
        source = ends[feature]
        scale: list[dict[str, Any]] = []
        context = network._modules.get(f"context_{suffix}")
        if isinstance(context, Context):
            layers = [_layer(name, layer, arrays) for name, layer in context.named_children()]
            found.append({"name": f"context_{suffix}", "input": source, "layers": layers})
            source = f"context_{suffix}"
        if network.skip_scales.get(feature) is not None:
            scale = [{"name": "scale", "kind": "times", "factor": network.skip_scales[feature]}]
        name = f"score_{suffix}"
        score = _layer(name, network.get_submodule(name), arrays)
        found.append({"name": name, "input": source, "layers": [*scale, score]})
    return found


def _layer(name: str, layer: nn.Module, arrays: Arrays) -> dict[str, Any]:
    if isinstance(layer, nn.Conv2d):
        settings = {"name": name, "kind": "conv", **_window(layer), "channels": layer.out_channels}
        bias = None if layer.bias is None else arrays.floats(layer.bias)
        return {
            **settings,
            "groups": layer.groups,
            "weight": arrays.floats(layer.weight),
            "bias": bias,
        }
    if isinstance(layer, nn.MaxPool2d):
        return {"name": name, "kind": "pool", **_window(layer), "ceil": layer.ceil_mode}
    if isinstance(layer, nn.BatchNorm2d):
        scale, shift = normalization_of(layer)
        parts = {"scale": arrays.floats(scale), "shift": arrays.floats(shift)}
        return {"name": name, "kind": "norm", **parts}
    return {"name": name, "kind": "relu"}


def normalization_of(layer: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return a batch norm's scale and shift, as it predicts."""
    assert layer.running_mean is not None and layer.running_var is not None
    scale = layer.weight.double() / (layer.running_var.double() + layer.eps).sqrt()
    return scale, layer.bias.double() - layer.running_mean.double() * scale


def _window(layer: nn.Conv2d | nn.MaxPool2d) -> dict[str, int]:
    window = window_of(layer)
    names = ("kernel", "stride", "padding", "dilation")
    return {name: getattr(window, name) for name in names}


def fusion(network: FCN, arrays: Arrays) -> dict[str, Any] | None:
    """Return how the scores are fused; None for un-pooling, which fuses none."""
    if network.mirror is not None:
        return None
    names = [*(step.upscore for step in network.fusions), network.final]
    return {
        "kind": network.fusing,
        "steps": [
            {
                "upscore": step.upscore,
                "scoreOffset": step.score_offset,
                "skipOffset": step.skip_offset,
            }
            for step in network.fusions
        ],
        "layers": {name: _upsampling(network.get_submodule(name), arrays) for name in names},
        "final": network.final,
        "offset": network.offset,
    }


def _upsampling(layer: nn.Module, arrays: Arrays) -> dict[str, Any]:
    if isinstance(layer, BilinearUpsample):
        return {"kind": "bilinear", "factor": layer.factor, "kernel": layer.kernel}
    if isinstance(layer, TransposedUpsample):
        kernel, stride = layer.kernel_size[0], layer.stride[0]
        settings = {"kind": "transposed", "kernel": kernel, "stride": stride, "weight": None}
        plain = TransposedUpsample(layer.in_channels, layer.factor, kernel)
        if not torch.equal(plain.weight.to(layer.weight), layer.weight):
            settings["weight"] = arrays.floats(layer.weight)
        return settings
    return {"kind": "corners"}


def geometry(network: FCN) -> dict[str, Any]:
    """Return where the pixels of the scored features are, and how their scores are upsampled."""
    backbone: Any = network.backbone
    info: dict[str, FeatureInfo] = backbone.feature_info()
    wanted = [*reversed(network.skips), network.top]
    features = [
        {"name": stage_name(network, name), **field_of(info[name].field)} for name in wanted
    ]
    ups: list[dict[str, Any]] = []
    names = [*(step.upscore for step in network.fusions), network.final] if network.final else []
    for name in names:
        layer = network.get_submodule(name)
        if not isinstance(layer, BilinearUpsample | TransposedUpsample):
            ups = []
            break
        kernel = layer.kernel if isinstance(layer, BilinearUpsample) else layer.kernel_size[0]
        ups.append({"name": name, "factor": layer.factor, "kernel": kernel})
    return {
        "layers": list(_chain(backbone)) if isinstance(backbone, NamedSequential) else None,
        "features": features,
        "skips": [stage_name(network, name) for name in network.skips],
        "top": stage_name(network, network.top),
        "ups": ups,
        "kind": network.fusing,
    }


def stage_name(network: FCN, feature: str) -> str:
    """Return the convolution or pooling that a feature of a chain comes from: fc7 for drop7."""
    chain = network.backbone
    if not isinstance(chain, NamedSequential):
        return feature
    source = feature
    for name, layer in chain.named_children():
        source = name if isinstance(layer, WINDOWS) else source
        if name == feature:
            break
    return source


def field_of(field: Field) -> dict[str, Any]:
    """Return size and place of a receptive field in exact fractions."""
    return {"size": field.size, "bounded": field.bounded, "map": _exact(field.map)}


def _exact(coordinates: CoordMap) -> dict[str, list[int]]:
    def pair(value: Fraction) -> list[int]:
        return [value.numerator, value.denominator]

    return {"scale": pair(coordinates.scale), "shift": pair(coordinates.shift)}


def _chain(layers: nn.Module) -> Iterator[dict[str, Any]]:
    """Yield the windows of a chain's convolutions and poolings."""
    for name, layer in layers.named_children():
        if isinstance(layer, WINDOWS):
            ceil = getattr(layer, "ceil_mode", False)
            yield {"name": name, "kind": "", **_window(layer), "ceil": ceil}

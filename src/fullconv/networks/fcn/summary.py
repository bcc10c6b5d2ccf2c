"""Summarize a network: each layer's shape, cost and receptive field, and the derived crops."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fullconv.config import Architecture, Normalization
from fullconv.networks.fcn import FCN, build
from fullconv.networks.geometry import CoordMap, coord_map
from fullconv.networks.layers import FeatureInfo


@dataclass(frozen=True)
class LayerRow:
    """One layer on an image of a given size.

    Attributes:
        name: the paper's.
        kind: class of the layer.
        shape: (channels, height, width) of its output.
        parameters: their number.
        multiply_adds: per image.
        stride: image pixels per pixel of the output; None after the fusion.
        field: rows of the image that one pixel of the output depends on; None after the fusion.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    stride: int | None
    field: int | None


def on_meta(architecture: Architecture, normalization: Normalization) -> FCN:
    """Build a network without data, for shapes only; it takes no time."""
    with torch.device("meta"):
        network = build(architecture, normalization)
    network.normalize.to("meta")
    return network.eval()


def summarize(network: FCN, height: int, width: int) -> list[LayerRow]:
    """Return every layer in the order in which it runs, for one image of `height` x `width`."""
    names = {layer: name.removeprefix("backbone.") for name, layer in network.named_modules()}
    backbone: Any = network.backbone
    features: dict[str, FeatureInfo] = backbone.feature_info()
    rows: list[LayerRow] = []

    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        info = features.get(names[layer])
        rows.append(
            LayerRow(
                names[layer],
                type(layer).__name__,
                tuple(output.shape[1:]),
                sum(parameter.numel() for parameter in layer.parameters()),
                _multiply_adds(layer, inputs[0], output),
                int(info.field.stride) if info else None,
                info.field.size if info else None,
            )
        )

    leaves = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(note) for layer in leaves]
    device = next(network.parameters()).device
    with torch.no_grad():
        network(torch.zeros(1, 3, height, width, device=device))
    for hook in hooks:
        hook.remove()
    return rows


def derive_crops(network: FCN) -> Iterator[str]:
    """Yield how the crop offsets follow from the layers, one line each (fractions are exact)."""
    backbone: Any = network.backbone
    features: dict[str, FeatureInfo] = backbone.feature_info()
    score = features[network.top].field.map
    yield f"{network.top}: centre of pixel i in the image = {score}"
    if network.mirror is not None:
        yield "each unpooling returns a map of its pooling's input size: no crops"
        return
    if network.upsampling == "bilinear-corners":
        yield "each score is resized corner to corner to the map that it is added to: no crops, and"
        yield f"  up to {score.shift} pixels off at the image's edges"
        return
    for fusion in network.fusions:
        skip = features[fusion.skip].field.map
        if network.fusing == "sum":
            yield from _to_image(network, fusion.upscore, score, fusion.score_offset)
            yield f"{fusion.skip}: {skip}"
            score = skip
            continue
        score = score @ coord_map(network.get_submodule(fusion.upscore))
        cropped = fusion.skip if fusion.skip_offset else fusion.upscore
        offset = fusion.skip_offset or fusion.score_offset
        yield f"{fusion.upscore}: {score};  {fusion.skip}: {skip}"
        yield f"  aligned after dropping {offset} rows and columns of {cropped}"
        score = skip if fusion.score_offset else score
    yield from _to_image(network, network.final, score, network.offset)


def _to_image(network: FCN, name: str, score: CoordMap, offset: int) -> Iterator[str]:
    upsampled = score @ coord_map(network.get_submodule(name))
    yield f"{name}: {upsampled};  image: {CoordMap()}"
    yield f"  aligned after dropping {offset} rows and columns of {name}"


def _multiply_adds(layer: nn.Module, x: Tensor, output: Tensor) -> int:
    if isinstance(layer, nn.ConvTranspose2d):
        return x[0].numel() * layer.weight[0].numel()
    if isinstance(layer, nn.Conv2d | nn.Linear):
        return output[0].numel() * layer.weight[0].numel()
    return 0

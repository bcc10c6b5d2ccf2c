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

IMAGE = "image"


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
        network(torch.zeros(1, network.channels, height, width, device=device))
    for hook in hooks:
        hook.remove()
    return rows


@dataclass(frozen=True)
class Alignment:
    """Two maps that are added, or an upsampled score and the image, and the crop that aligns them.

    Attributes:
        upscore: name of the upsampling layer.
        score: centre of each pixel of its output in the image.
        target: name of the feature whose score is added, or "image".
        target_map: centre of each of its pixels in the image.
        cropped: which of the two names is cropped.
        offset: rows and columns to drop before it.
    """

    upscore: str
    score: CoordMap
    target: str
    target_map: CoordMap
    cropped: str
    offset: int


def alignments(network: FCN) -> list[Alignment]:
    """Return how the scores of each stride are aligned, coarse to fine; the last is the image's.

    There is none if a network upsamples without crops ("unpooling", "bilinear-corners").
    """
    backbone: Any = network.backbone
    features: dict[str, FeatureInfo] = backbone.feature_info()
    found: list[Alignment] = []
    if not network.final or network.upsampling == "bilinear-corners":
        return found
    score = features[network.top].field.map
    for fusion in network.fusions:
        skip = features[fusion.skip].field.map
        upsampled = score @ coord_map(network.get_submodule(fusion.upscore))
        if network.fusing == "sum":
            offset = fusion.score_offset
            found.append(
                Alignment(fusion.upscore, upsampled, IMAGE, CoordMap(), fusion.upscore, offset)
            )
            score = skip
            continue
        cropped = fusion.skip if fusion.skip_offset else fusion.upscore
        offset = fusion.skip_offset or fusion.score_offset
        found.append(Alignment(fusion.upscore, upsampled, fusion.skip, skip, cropped, offset))
        score = skip if fusion.score_offset else upsampled
    upsampled = score @ coord_map(network.get_submodule(network.final))
    final = (network.final, upsampled, IMAGE, CoordMap(), network.final, network.offset)
    return [*found, Alignment(*final)]


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
    for number, alignment in enumerate(alignments(network)):
        if network.fusing == "sum" and number:
            skip = network.fusions[number - 1].skip
            yield f"{skip}: {features[skip].field.map}"
        yield (
            f"{alignment.upscore}: {alignment.score};  {alignment.target}: {alignment.target_map}"
        )
        rows = f"{alignment.offset} rows and columns of {alignment.cropped}"
        yield f"  aligned after dropping {rows}"


def _multiply_adds(layer: nn.Module, x: Tensor, output: Tensor) -> int:
    if isinstance(layer, nn.ConvTranspose2d):
        return x[0].numel() * layer.weight[0].numel()
    if isinstance(layer, nn.Conv2d | nn.Linear):
        return output[0].numel() * layer.weight[0].numel()
    return 0

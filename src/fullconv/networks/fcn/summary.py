"""What a network is made of: each layer's size, cost and field, and where its crops come from."""

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
        shape: (maps, height, width) of its output.
        parameters: how many it holds.
        multiply_adds: of one image.
        stride: image pixels from one of its pixels to the next; None behind the fusion.
        field: rows of the image that one of its pixels sees; None behind the fusion.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    stride: int | None
    field: int | None


def on_meta(architecture: Architecture, normalization: Normalization) -> FCN:
    """The network without numbers: shapes only, in no time."""
    with torch.device("meta"):
        network = build(architecture, normalization)
    network.normalize.to("meta")
    return network.eval()


def anatomy(network: FCN, height: int, width: int) -> list[LayerRow]:
    """Every layer in the order in which it runs, on one image of `height` x `width`."""
    names = {layer: name.removeprefix("backbone.") for name, layer in network.named_modules()}
    backbone: Any = network.backbone
    taps: dict[str, FeatureInfo] = backbone.taps()
    rows: list[LayerRow] = []

    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        tap = taps.get(names[layer])
        rows.append(
            LayerRow(
                names[layer],
                type(layer).__name__,
                tuple(output.shape[1:]),
                sum(parameter.numel() for parameter in layer.parameters()),
                _multiply_adds(layer, inputs[0], output),
                int(tap.field.stride) if tap else None,
                tap.field.size if tap else None,
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


def derivation(network: FCN) -> Iterator[str]:
    """How the crop offsets follow from the layers, a line each (fractions are exact)."""
    backbone: Any = network.backbone
    taps: dict[str, FeatureInfo] = backbone.taps()
    here = taps[network.top].field.map
    yield f"{network.top}: centre of pixel i in the image = {here}"
    if network.mirror is not None:
        yield "every un-pooling gives a map of the size that its pooling was given: no crops"
        return
    if network.upsampling == "bilinear-corners":
        yield "every score is stretched, corner to corner, over what it is added to: no crops, and"
        yield f"  up to {here.shift} pixels off at the image's edges"
        return
    for fusion in network.fusions:
        there = taps[fusion.skip].field.map
        if network.fusing == "sum":
            yield from _meeting(network, fusion.upscore, here, fusion.score_offset)
            yield f"{fusion.skip}: {there}"
            here = there
            continue
        here = here @ coord_map(network.get_submodule(fusion.upscore))
        cropped = fusion.skip if fusion.skip_offset else fusion.upscore
        offset = fusion.skip_offset or fusion.score_offset
        yield f"{fusion.upscore}: {here};  {fusion.skip}: {there}"
        yield f"  they meet once {offset} rows and columns of {cropped} are dropped"
        here = there if fusion.score_offset else here
    yield from _meeting(network, network.final, here, network.offset)


def _meeting(network: FCN, name: str, here: CoordMap, offset: int) -> Iterator[str]:
    reached = here @ coord_map(network.get_submodule(name))
    yield f"{name}: {reached};  image: {CoordMap()}"
    yield f"  they meet once {offset} rows and columns of {name} are dropped"


def _multiply_adds(layer: nn.Module, given: Tensor, output: Tensor) -> int:
    if isinstance(layer, nn.ConvTranspose2d):
        return given[0].numel() * layer.weight[0].numel()
    if isinstance(layer, nn.Conv2d | nn.Linear):
        return output[0].numel() * layer.weight[0].numel()
    return 0

"""Keep the parts of a large network that fit into a page: small maps, and one neuron per layer.

The maps of some channels are stored with 8 bits per pixel, at most `SIDE` pixels wide. Of one
neuron of each convolution, all inputs and weights are stored exactly, so the page computes its
value, and shows PyTorch's beside it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullconv.explain.microscope.arrays import Arrays
from fullconv.networks.fcn import FCN
from fullconv.networks.geometry import window_of

SIDE = 64  # pixels; the longer side of a stored map


@dataclass(frozen=True)
class Seen:
    """A convolution while the network ran: its input (C, h, w) and output (K, H, W)."""

    name: str
    layer: nn.Conv2d
    x: Tensor
    y: Tensor


def watch(network: FCN, image: Tensor) -> tuple[Tensor, list[Seen]]:
    """Return the scores of an image, and every convolution in the order in which they ran."""
    seen: list[Seen] = []
    names = {layer: name.removeprefix("backbone.") for name, layer in network.named_modules()}

    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        seen.append(Seen(names[layer], layer, inputs[0][0].clone(), output[0].clone()))

    hooks = [
        layer.register_forward_hook(note)
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d) and _is_plain(layer)
    ]
    try:
        with torch.inference_mode():
            score: Tensor = network(image)[0]
    finally:
        for hook in hooks:
            hook.remove()
    return score, seen


def _is_plain(layer: nn.Conv2d) -> bool:
    """Whether its windows are known: squares, with zeros around the input."""
    square = layer.kernel_size[0] == layer.kernel_size[1] and layer.stride[0] == layer.stride[1]
    return square and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def chosen(seen: list[Seen], most: int) -> list[Seen]:
    """Return at most `most` convolutions: the first, the score layers, others evenly between."""
    scores = [one for one in seen if one.name.startswith("score_")]
    others = [one for one in seen if not one.name.startswith("score_")]
    room = max(1, most - len(scores))
    if len(others) > room:
        steps = np.linspace(0, len(others) - 1, room).round().astype(int)
        others = [others[n] for n in sorted(set(steps.tolist()))]
    return [*others, *scores]


def keep(one: Seen, channels: int, arrays: Arrays) -> dict[str, Any]:
    """Return a convolution's strongest channels as small maps, and its strongest neuron.

    The neuron is the one with the largest value at the middle of the map.
    """
    outputs, height, width = one.y.shape
    row, column = height // 2, width // 2
    strongest = int(one.y[:, row, column].argmax())
    spread = (one.y.flatten(1).amax(1) - one.y.flatten(1).amin(1)).argsort(descending=True)
    kept = sorted({strongest, *(int(c) for c in spread[: channels - 1])})
    factor = min(1.0, SIDE / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    maps = F.adaptive_avg_pool2d(one.y[kept][None], size)[0]
    low, high = maps.flatten(1).amin(1), maps.flatten(1).amax(1)
    spans = (high - low).clamp(min=1e-12)[:, None, None]
    levels = ((maps - low[:, None, None]) / spans * 255).round().clamp(0, 255)
    return {
        "name": one.name,
        "shape": [outputs, height, width],
        "kept": kept,
        "height": size[0],
        "width": size[1],
        "low": low.tolist(),
        "high": high.tolist(),
        "maps": arrays.levels(levels.to(torch.uint8)),
        "neuron": _neuron(one, strongest, row, column, arrays),
    }


def _neuron(one: Seen, k: int, row: int, column: int, arrays: Arrays) -> dict[str, Any]:
    layer, window = one.layer, window_of(one.layer)
    inputs = layer.in_channels // layer.groups
    first = k // (layer.out_channels // layer.groups) * inputs
    padded = F.pad(one.x[first : first + inputs], [window.padding] * 4)
    top, left = row * window.stride, column * window.stride
    values = padded[
        :,
        top : top + window.extent : window.dilation,
        left : left + window.extent : window.dilation,
    ]
    return {
        "channel": k,
        "at": [row, column],
        "kernel": window.kernel,
        "window": arrays.floats(values),
        "weight": arrays.floats(layer.weight[k]),
        "bias": 0.0 if layer.bias is None else float(layer.bias[k].detach()),
        "value": float(one.y[k, row, column]),
    }

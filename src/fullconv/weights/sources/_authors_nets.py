"""The authors' nets of several inputs or heads, by the layer names of their Caffe models.

Means are those of the data layers that they were trained with (nyud_layers.py, siftflow_layers.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log

import numpy as np

from fullconv.io.images import ExtraInput
from fullconv.networks.vgg_names import ChannelValues, Order

NYUD_MEAN = (92.318, 97.203, 116.190)  # RGB
SIFTFLOW_MEAN = (108.353, 115.294, 114.578)  # RGB
HHA_MEAN = (132.431, 94.076, 118.477)  # in the order of the HHA files' channels
LOG_DEPTH_MEAN = 7.844  # of the natural logarithm of millimetres
DEPTH = ExtraInput("depth", 1, "log", (500.0, 10000.0))
"""Depth in millimetres, as far as NYUDv2's camera measures it."""
HHA = ExtraInput("hha", 3)
SIFTFLOW_HEADS = {"sem": "semantic", "geo": "geometric"}


@dataclass(frozen=True)
class AuthorsNet:
    """What is known of one of the authors' nets.

    Attributes:
        arrays: in our names.
        mean: of each channel of the image; see `Weights`, as for the others.
        std: likewise.
        order: of red, green and blue.
        note: a sentence for the user.
        inputs: channels after red, green and blue.
        streams: channels of each stream.
        heads: name and number of scores of each head.
    """

    arrays: dict[str, np.ndarray]
    mean: ChannelValues
    std: ChannelValues
    order: Order
    note: str
    inputs: tuple[ExtraInput, ...] = ()
    streams: tuple[int, ...] | None = None
    heads: Mapping[str, int] = field(default_factory=dict)


def authors_net(arrays: Mapping[str, np.ndarray]) -> AuthorsNet | None:
    """Recognize NYUDv2's nets of several inputs and SIFT Flow's by their layers' names, or None."""
    if {"score_fr_sem.weight", "score_fr_geo.weight"} <= arrays.keys():
        return _two_heads(arrays)
    if "conv1_1_bgrd.weight" in arrays:
        return _color_depth(arrays)
    if {"conv1_1color.weight", "conv1_1hha.weight", "score_frcolor.weight"} <= arrays.keys():
        return _color_hha(arrays)
    return None


def _color_depth(arrays: Mapping[str, np.ndarray]) -> AuthorsNet:
    """Early fusion: conv1_1 takes blue, green, red, and the logarithm of depth less its mean."""
    assert DEPTH.value_range
    low, high = map(log, DEPTH.value_range)
    step = 255 / (high - low)  # levels of a channel in [0, 255] for a change of the logarithm by 1
    return AuthorsNet(
        {name.replace("conv1_1_bgrd.", "conv1_1."): array for name, array in arrays.items()},
        (*NYUD_MEAN, (LOG_DEPTH_MEAN - low) * step),
        (1.0, 1.0, 1.0, step),
        "bgr",
        f"nyud-fcn32s-color-d: its fourth channel is depth in millimetres, {DEPTH}",
        (DEPTH,),
    )


def _color_hha(arrays: Mapping[str, np.ndarray]) -> AuthorsNet:
    """Late fusion: half the sum of two nets' scores, which is one layer on both nets' features."""
    renamed: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        found = re.fullmatch(r"(conv\d_\d|fc\d|bn\d_\d)(color|hha)(\.\w+)", name)
        stream = {"color": 0, "hha": 1}[found[2]] if found else 0
        renamed[f"streams.{stream}.{found[1]}{found[3]}" if found else name] = array
    weights, biases = (
        [renamed.pop(f"score_fr{part}.{kind}") for part in ("color", "hha")]
        for kind in ("weight", "bias")
    )
    renamed["score_fr.weight"] = np.float32(0.5) * np.concatenate(weights, 1)
    renamed["score_fr.bias"] = np.float32(0.5) * (biases[0] + biases[1])
    return AuthorsNet(
        renamed,
        (*NYUD_MEAN, *HHA_MEAN),
        (1.0,) * 6,
        "bgr",
        "nyud-fcn32s-color-hha: two streams, whose scores are added with a weight of 0.5 each",
        (HHA,),
        (3, 3),
    )


def _two_heads(arrays: Mapping[str, np.ndarray]) -> AuthorsNet:
    """SIFT Flow: the layers of both heads side by side, in one layer each."""
    pattern = rf"(.+)_({'|'.join(SIFTFLOW_HEADS)})\.(\w+)"
    joined: dict[str, list[np.ndarray]] = {}
    for name, array in arrays.items():
        found = re.fullmatch(pattern, name)
        joined.setdefault(f"{found[1]}.{found[3]}" if found else name, []).append(array)
    heads = {head: len(arrays[f"score_fr_{part}.bias"]) for part, head in SIFTFLOW_HEADS.items()}
    return AuthorsNet(
        {name: _side_by_side(name, parts) for name, parts in joined.items()},
        SIFTFLOW_MEAN,
        (1.0, 1.0, 1.0),
        "bgr",
        f"a net of SIFT Flow, with the heads {' and '.join(heads)}",
        heads=heads,
    )


def _side_by_side(name: str, parts: list[np.ndarray]) -> np.ndarray:
    """Return the arrays of the heads' layers as those of one layer."""
    if len(parts) == 1 or not name.startswith("upscore"):
        return np.concatenate(parts)
    total = sum(len(part) for part in parts)
    kernels = np.zeros((total, total, *parts[0].shape[2:]), np.float32)
    first = 0
    for part in parts:  # a score is upsampled from those of its own head only
        end = first + len(part)
        kernels[first:end, first:end] = part
        first = end
    return kernels

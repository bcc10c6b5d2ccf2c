"""Map other libraries' VGG layer names to the paper's, and recognize published weights.

torchvision, timm and Paddle number the layers of VGG (features.0, features.2, ...). The paper's
name of a convolution (conv1_1) follows from the positions of the poolings between them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt, prod
from typing import Literal

import numpy as np

Order = Literal["rgb", "bgr"]
ChannelValues = tuple[float, ...]
"""A mean or a standard deviation of each channel of the image, in [0, 255]."""

# Convolutions in each of the five blocks (Simonyan & Zisserman, 2015, table 1: A, B, D, E).
DEPTHS = ((1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4))

# What the authors of VGG and of FCN subtract: the mean of their training images, in RGB order.
CAFFE_MEAN = (122.67891434, 116.66876762, 104.00698793)

_HEAD = ("fc6", "fc7", "fc8")
# Layers of an FCN that are not of the classifier's head.
_NO_HEAD = re.compile(r"(conv\d|bn\d|features\.|score|upscore|scale|context|mirror)")


def conv_names(depths: Sequence[int]) -> tuple[str, ...]:
    """Return the names of the convolutions of blocks: (1, 2) -> conv1_1, conv2_1, conv2_2."""
    return tuple(
        f"conv{block}_{number}"
        for block, depth in enumerate(depths, start=1)
        for number in range(1, depth + 1)
    )


def depths_of(convolutions: int) -> tuple[int, ...] | None:
    """Return the blocks of the VGG with this many convolutions (8, 10, 13, 16), or None."""
    return next((depths for depths in DEPTHS if sum(depths) == convolutions), None)


def paper_names(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return the paper's names for the keys of a VGG with numbered layers, its head included.

    Args:
        shapes: shape of each array by its key, in any order.

    Returns:
        old key -> new key, for the keys to rename; empty if this is not a VGG.
    """
    layers = _layers(shapes, r"features\.(\d+)")
    kernels = {number: shape for number, shape in layers.items() if len(shape) == 4}
    if len(kernels) < 2 or any(shape[2:] != (3, 3) for shape in kernels.values()):
        return {}
    if not all(
        re.fullmatch(r"features\.\d+\.\w+", key) for key in shapes if key.startswith("features")
    ):
        return {}
    depths = _depths(sorted(kernels))
    if depths is None:
        return {}
    stems = _stems(dict(zip(sorted(kernels), conv_names(depths), strict=True)), sorted(layers))
    split = {key: key.rpartition(".") for key in shapes}
    names = {
        key: f"{stems[stem]}.{kind}" for key, (stem, _, kind) in split.items() if stem in stems
    }
    head, _ = head_names({names.get(key, key): shape for key, shape in shapes.items()})
    return names | {
        key: f"{head[stem]}.{kind}" for key, (stem, _, kind) in split.items() if stem in head
    }


def _layers(shapes: Mapping[str, tuple[int, ...]], stem: str) -> dict[int, tuple[int, ...]]:
    """Return the number of each layer whose name matches, and the shape of its weight."""
    matches = {key: re.fullmatch(rf"{stem}\.weight", key) for key in shapes}
    return {int(match[1]): shapes[key] for key, match in matches.items() if match}


def _depths(numbers: Sequence[int]) -> tuple[int, ...] | None:
    """Return the convolutions per block: a pooling adds one to the step between their numbers."""
    steps = np.diff(numbers)
    if len(set(steps.tolist())) == 1:  # renumbered without the poolings
        return depths_of(len(numbers))
    ends = [int(end) + 1 for end in np.flatnonzero(steps > steps.min())]
    depths = tuple(np.diff([0, *ends, len(numbers)]).tolist())
    return depths if depths in DEPTHS else None


def _stems(convolutions: Mapping[int, str], layers: Sequence[int]) -> dict[str, str]:
    """Map features.N to convS_J, or to bnS_J for a layer with weights that follows it."""
    stems, last = {}, ""
    for number in layers:
        last = convolutions.get(number, last)
        is_conv = number in convolutions
        stems[f"features.{number}"] = last if is_conv else last.replace("conv", "bn")
    return stems


def head_names(shapes: Mapping[str, tuple[int, ...]]) -> tuple[dict[str, str], bool]:
    """Place the fully connected layers of a VGG by their order and shapes, whatever their names.

    Args:
        shapes: shape of each array by its key; convolutions have the paper's names.

    Returns:
        layer -> "fc6", "fc7" or "fc8"; empty if no layer takes pool5's grid. And whether the
        matrices are (in, out), so that they have to be transposed.
    """
    last = [shape for key, shape in shapes.items() if re.fullmatch(r"conv5_\d\.weight", key)]
    if not last:
        return {}, False
    layers = {
        key.removesuffix(".weight"): shape
        for key, shape in shapes.items()
        if key.endswith(".weight") and len(shape) in (2, 4) and not _NO_HEAD.match(key)
    }
    named = {stem: stem for stem in layers if stem in _HEAD}
    for transposed in (False, True):
        sides = {
            stem: shape if transposed and len(shape) == 2 else (prod(shape[1:]), shape[0])
            for stem, shape in layers.items()
            if stem in (named or layers) and (len(shape) == 2 or shape[2] == 1 or shape[2] > 4)
        }
        chain = _chain(sides, last[0][0])
        if chain:
            return named or dict(zip(chain, _HEAD, strict=False)), transposed
    return {}, False


def _chain(sides: Mapping[str, tuple[int, ...]], channels: int) -> list[str]:
    """Return up to three layers, each of which takes what the one before gives.

    Args:
        sides: inputs and outputs of each layer.
        channels: of pool5, whose grid is square and at least 2 x 2.
    """
    first = [
        stem
        for stem, (inputs, _) in sides.items()
        if inputs > channels and inputs % channels == 0 and is_square(inputs // channels)
    ]
    if not first:
        return []
    chain = [max(first, key=lambda stem: sides[stem][0])]
    rest = sorted(set(sides) - set(chain), key=_natural)
    while len(chain) < len(_HEAD):
        fitting = [stem for stem in rest if sides[stem][0] == sides[chain[-1]][1]]
        if not fitting:
            break
        # fc7 and fc8 have the same inputs; fc7 is the one that leads on.
        inner = [
            stem
            for stem in fitting
            if any(sides[other][0] == sides[stem][1] for other in rest if other != stem)
        ]
        chain.append((inner or fitting)[0])
        rest.remove(chain[-1])
    return chain


def is_square(number: int) -> bool:
    """Return whether a number is that of the cells of a square grid."""
    return isqrt(number) ** 2 == number


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts layer 2 before layer 10."""
    return [
        (len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", name)
    ]


@dataclass(frozen=True)
class PublishedWeights:
    """Published weights, recognized by their first layer.

    Attributes:
        name: for messages.
        mean: of the input that they expect, RGB, in [0, 255].
        std: likewise.
        bias: the first five biases of conv1_1.
        filter_sums: of the second filter of conv1_1, per channel in RGB order; None if only copies
            with RGB input exist.
    """

    name: str
    mean: ChannelValues
    std: ChannelValues
    bias: tuple[float, ...]
    filter_sums: ChannelValues | None


KNOWN = (
    # Biases and filter sums read from the Keras copy of the authors' Caffe model (in BGR there).
    PublishedWeights(
        "the authors' ImageNet VGG-16",
        (123.68, 116.779, 103.939),
        (1.0, 1.0, 1.0),
        (0.7343, 0.09340, 0.06776, 0.8863, 0.2599),
        (-1.5267, 0.3819, 1.3670),
    ),
    # Biases as printed in public notebooks; normalization as in torchvision's weights API.
    PublishedWeights(
        "torchvision's IMAGENET1K_V1 VGG-16",
        (0.485 * 255, 0.456 * 255, 0.406 * 255),
        (0.229 * 255, 0.224 * 255, 0.225 * 255),
        (0.4034, 0.3778, 0.4644, -0.3228, 0.3940),
        None,
    ),
)


def recognize(arrays: Mapping[str, np.ndarray]) -> tuple[PublishedWeights, Order] | None:
    """Return the published weights that these are and their channel order, or None."""
    weight, bias = arrays.get("conv1_1.weight"), arrays.get("conv1_1.bias")
    if weight is None or bias is None or weight.shape[1:] != (3, 3, 3):
        return None
    if bias.ndim != 1 or len(bias) < 5:
        return None
    for candidate in KNOWN:
        if not np.allclose(bias[:5], candidate.bias, rtol=1e-2, atol=0):
            continue
        if candidate.filter_sums is None:
            return candidate, "rgb"
        sums = weight[1].sum(axis=(1, 2))
        for order, channels in (("rgb", sums), ("bgr", sums[::-1])):
            if np.allclose(channels, candidate.filter_sums, rtol=1e-2, atol=0):
                return candidate, "rgb" if order == "rgb" else "bgr"
    return None

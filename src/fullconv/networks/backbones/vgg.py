"""VGG (Simonyan & Zisserman, 2015, table 1), with the layer names of its Caffe model."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Literal

from torch import nn

from fullconv.networks import vgg_names
from fullconv.networks.backbones import backbones
from fullconv.networks.layers import NamedSequential

# Number of layers with weights, including fc6, fc7 and fc8 -> convolutions of each block. Every
# block ends with a pooling that halves the map.
DEPTHS = {sum(blocks) + 3: blocks for blocks in vgg_names.DEPTHS}
WIDTHS = (64, 128, 256, 512, 512)
HIDDEN = 4096  # of fc6 and fc7
GRID = 7  # rows and columns of pool5, the input of fc6, for an image of 224 x 224


def vgg(
    classes: int = 1000,
    *,
    depth: int = 16,
    batch_norm: bool = False,
    width: float = 1.0,
    hidden: int | None = None,
    padding: int | Literal["same"] = "same",
    ceil_mode: bool = True,
) -> NamedSequential:
    """Build a VGG classifier: (B, 3, 224, 224) -> (B, classes).

    Args:
        classes: number of scores.
        depth: 11, 13, 16 or 19 layers with weights.
        batch_norm: add a batch norm `bnI_J` after every convolution `convI_J`.
        width: channel multiplier, also of fc6 and fc7 unless `hidden` is given.
        hidden: width of fc6 and fc7.
        padding: of conv1_1; 100 in the FCN paper's networks. "same" is 1, which keeps the size.
        ceil_mode: poolings keep a partly filled last window, as Caffe's do.
    """
    hidden = hidden or scaled(HIDDEN, width)
    around = 1 if padding == "same" else padding
    layers = _blocks(DEPTHS[depth], batch_norm, width, around, ceil_mode)
    return with_head(layers, scaled(WIDTHS[-1], width) * GRID * GRID, hidden, classes)


def with_head(
    features: Iterable[tuple[str, nn.Module]], inputs: int, hidden: int, classes: int
) -> NamedSequential:
    """Append fc6, fc7 and fc8, the head of AlexNet and VGG, and initialize all weights.

    Args:
        features: named layers.
        inputs: of fc6, per image.
        hidden: width of fc6 and fc7.
        classes: number of scores.
    """
    layers = [*features, ("flatten", nn.Flatten())]
    layers += [("fc6", nn.Linear(inputs, hidden)), ("relu6", nn.ReLU()), ("drop6", nn.Dropout())]
    layers += [("fc7", nn.Linear(hidden, hidden)), ("relu7", nn.ReLU()), ("drop7", nn.Dropout())]
    layers += [("fc8", nn.Linear(hidden, classes))]
    chain = NamedSequential(layers)
    initialize(chain)
    return chain


def scaled(channels: int, width: float) -> int:
    """Return `channels` times `width`, at least one."""
    return max(1, round(channels * width))


def initialize(network: nn.Module) -> None:
    """Initialize weights as He et al. (2015), to keep the scale of activations; zero the biases."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _blocks(
    depths: tuple[int, ...], batch_norm: bool, width: float, padding: int, ceil_mode: bool
) -> Iterator[tuple[str, nn.Module]]:
    channels = 3
    for block, depth in enumerate(depths, 1):
        for number in range(1, depth + 1):
            name = f"{block}_{number}"
            outputs = scaled(WIDTHS[block - 1], width)
            pad = padding if name == "1_1" else 1
            yield f"conv{name}", nn.Conv2d(channels, outputs, 3, padding=pad)
            if batch_norm:
                yield f"bn{name}", nn.BatchNorm2d(outputs)
            yield f"relu{name}", nn.ReLU()
            channels = outputs
        yield f"pool{block}", nn.MaxPool2d(2, ceil_mode=ceil_mode)


for _depth in DEPTHS:
    backbones.register(f"vgg{_depth}")(partial(vgg, depth=_depth))
    backbones.register(f"vgg{_depth}_bn")(partial(vgg, depth=_depth, batch_norm=True))

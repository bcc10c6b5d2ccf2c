"""AlexNet (Krizhevsky, 2012) as in Caffe's CaffeNet, with its layer names: FCN-AlexNet's backbone.

Convolutions 2, 4 and 5 have two groups, and responses are normalized after the poolings.
torchvision's network of this name differs; it is called "torchvision_alexnet" here.
"""

from collections.abc import Iterator
from typing import Literal

from torch import nn

from fullconv.networks.backbones import backbones
from fullconv.networks.backbones.vgg import HIDDEN, scaled, with_head
from fullconv.networks.layers import NamedSequential

WIDTHS = (96, 256, 384, 384, 256)
GRID = 6  # rows and columns of pool5, the input of fc6, for an image of 227 x 227
SAME = 19  # zeros: the smallest padding with which every pixel of any image gets a score


@backbones.register("alexnet")
def alexnet(
    classes: int = 1000,
    *,
    groups: int = 2,
    response_norm: bool = True,
    width: float = 1.0,
    hidden: int | None = None,
    padding: int | Literal["same"] = 0,
) -> NamedSequential:
    """Build an AlexNet classifier: (B, 3, 227, 227) -> (B, classes).

    Args:
        classes: number of scores.
        groups: of conv2, conv4 and conv5; 2 in CaffeNet.
        response_norm: local response normalization after pool1 and pool2, as in CaffeNet.
        width: channel multiplier, also of fc6 and fc7 unless `hidden` is given.
        hidden: width of fc6 and fc7.
        padding: zeros around the image; 100 in the FCN paper's network. "same" is enough for an
            FCN to score every pixel; the classifier itself needs 0.
    """
    hidden = hidden or scaled(HIDDEN, width)
    # All groups need the same number of channels.
    widths = [groups * scaled(channels // groups, width) for channels in WIDTHS]
    around = SAME if padding == "same" else padding
    layers = _convolutions(widths, groups, response_norm, around)
    return with_head(layers, widths[-1] * GRID * GRID, hidden, classes)


def _convolutions(
    widths: list[int], groups: int, response_norm: bool, padding: int
) -> Iterator[tuple[str, nn.Module]]:
    yield "conv1", nn.Conv2d(3, widths[0], 11, stride=4, padding=padding)
    yield "relu1", nn.ReLU()
    yield from _pool(1, response_norm)
    yield "conv2", nn.Conv2d(widths[0], widths[1], 5, padding=2, groups=groups)
    yield "relu2", nn.ReLU()
    yield from _pool(2, response_norm)
    for number, split in ((3, 1), (4, groups), (5, groups)):
        inputs, outputs = widths[number - 2], widths[number - 1]
        yield f"conv{number}", nn.Conv2d(inputs, outputs, 3, padding=1, groups=split)
        yield f"relu{number}", nn.ReLU()
    yield from _pool(5, response_norm=False)


def _pool(number: int, response_norm: bool) -> Iterator[tuple[str, nn.Module]]:
    yield f"pool{number}", nn.MaxPool2d(3, stride=2, ceil_mode=True)
    if response_norm:
        yield f"norm{number}", nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)

"""AlexNet (Krizhevsky, 2012) as Caffe's CaffeNet has it, with its layer names: FCN-AlexNet's base.

Its convolutions 2, 4 and 5 see half of the maps each (groups), and responses are normalized behind
the poolings. torchvision's network of this name is another one: "torchvision_alexnet".
"""

from collections.abc import Iterator
from typing import Literal

from torch import nn

from fullconv.networks.backbones import backbones
from fullconv.networks.backbones.vgg import HIDDEN, scaled, with_head
from fullconv.networks.layers import NamedSequential

WIDTHS = (96, 256, 384, 384, 256)
GRID = 6  # pool5's rows and columns on an image of 227 x 227: what fc6 sees
SAME = 19  # zeros; the least with which every pixel of an image of any size gets a score


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
    """An AlexNet classifier: (B, 3, 227, 227) -> (B, classes).

    Args:
        classes: scores to give.
        groups: into how many parts the maps of conv2, conv4 and conv5 are split; 2 in CaffeNet.
        response_norm: normalize responses across maps behind pool1 and pool2, as CaffeNet does.
        width: multiplies the number of feature maps, and of fc6 and fc7 unless `hidden` gives it.
        hidden: width of fc6 and fc7.
        padding: zeros around the image; 100 in the FCN paper's network. "same" is enough for a
            dense network to reach every pixel of an image; the classifier itself wants 0.
    """
    hidden = hidden or scaled(HIDDEN, width)
    # A split needs equal parts.
    wide = [groups * scaled(channels // groups, width) for channels in WIDTHS]
    around = SAME if padding == "same" else padding
    layers = _convolutions(wide, groups, response_norm, around)
    return with_head(layers, wide[-1] * GRID * GRID, hidden, classes)


def _convolutions(
    wide: list[int], groups: int, response_norm: bool, padding: int
) -> Iterator[tuple[str, nn.Module]]:
    yield "conv1", nn.Conv2d(3, wide[0], 11, stride=4, padding=padding)
    yield "relu1", nn.ReLU()
    yield from _pool(1, response_norm)
    yield "conv2", nn.Conv2d(wide[0], wide[1], 5, padding=2, groups=groups)
    yield "relu2", nn.ReLU()
    yield from _pool(2, response_norm)
    for number, split in ((3, 1), (4, groups), (5, groups)):
        given = wide[number - 2]
        yield f"conv{number}", nn.Conv2d(given, wide[number - 1], 3, padding=1, groups=split)
        yield f"relu{number}", nn.ReLU()
    yield from _pool(5, response_norm=False)


def _pool(number: int, response_norm: bool) -> Iterator[tuple[str, nn.Module]]:
    yield f"pool{number}", nn.MaxPool2d(3, stride=2, ceil_mode=True)
    if response_norm:
        yield f"norm{number}", nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)

"""VGG (Simonyan & Zisserman, 2015, table 1), with the layer names of its Caffe model."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Literal

from torch import nn

from fullconv.networks import vgg_names as vggnames
from fullconv.networks.backbones import backbones
from fullconv.networks.layers import NamedSequential

# Layers with weights (fc6, fc7 and fc8 among them) -> convolutions of each block; every block ends
# in a pooling that halves the map.
DEPTHS = {sum(blocks) + 3: blocks for blocks in vggnames.DEPTHS}
WIDTHS = (64, 128, 256, 512, 512)
HIDDEN = 4096  # of fc6 and fc7
GRID = 7  # pool5's rows and columns on an image of 224 x 224: what fc6 sees


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
    """A VGG classifier: (B, 3, 224, 224) -> (B, classes).

    Args:
        classes: scores to give.
        depth: 11, 13, 16 or 19 layers with weights.
        batch_norm: a batch norm `bnI_J` behind every convolution `convI_J`.
        width: multiplies the number of feature maps, and of fc6 and fc7 unless `hidden` gives it.
        hidden: width of fc6 and fc7.
        padding: zeros around the image, as conv1_1 sees it; 100 in the FCN paper's networks, and
            "same" is 1, which keeps its size.
        ceil_mode: poolings keep a half-filled last window, as Caffe's do.
    """
    hidden = hidden or scaled(HIDDEN, width)
    around = 1 if padding == "same" else padding
    layers = _blocks(DEPTHS[depth], batch_norm, width, around, ceil_mode)
    return with_head(layers, scaled(WIDTHS[-1], width) * GRID * GRID, hidden, classes)


def with_head(
    features: Iterable[tuple[str, nn.Module]], inner: int, hidden: int, classes: int
) -> NamedSequential:
    """The features and behind them fc6, fc7 and fc8, with fresh weights: AlexNet's head and VGG's.

    Args:
        features: named layers.
        inner: numbers that fc6 takes of an image.
        hidden: width of fc6 and fc7.
        classes: scores to give.
    """
    layers = [*features, ("flatten", nn.Flatten())]
    layers += [("fc6", nn.Linear(inner, hidden)), ("relu6", nn.ReLU()), ("drop6", nn.Dropout())]
    layers += [("fc7", nn.Linear(hidden, hidden)), ("relu7", nn.ReLU()), ("drop7", nn.Dropout())]
    layers += [("fc8", nn.Linear(hidden, classes))]
    chain = NamedSequential(layers)
    initialise(chain)
    return chain


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, at least one."""
    return max(1, round(channels * width))


def initialise(network: nn.Module) -> None:
    """He et al. (2015): weights that keep the size of the activations under ReLU; biases zero."""
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
            wide = scaled(WIDTHS[block - 1], width)
            around = padding if name == "1_1" else 1
            yield f"conv{name}", nn.Conv2d(channels, wide, 3, padding=around)
            if batch_norm:
                yield f"bn{name}", nn.BatchNorm2d(wide)
            yield f"relu{name}", nn.ReLU()
            channels = wide
        yield f"pool{block}", nn.MaxPool2d(2, ceil_mode=ceil_mode)


for _depth in DEPTHS:
    backbones.register(f"vgg{_depth}")(partial(vgg, depth=_depth))
    backbones.register(f"vgg{_depth}_bn")(partial(vgg, depth=_depth, batch_norm=True))

"""Give a network's first convolution input channels beside red, green and blue."""

import numpy as np
import torch
from torch import nn

from fullconv.config import RGB
from fullconv.errors import ConfigError


def first_convolution(network: nn.Module) -> tuple[str, nn.Conv2d]:
    """Return the convolution that sees the image, and its name.

    Raises:
        ConfigError: the first convolution does not take the image's channels one to one.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            if layer.in_channels >= RGB and layer.groups == 1:
                return name, layer
            break
    raise ConfigError(
        "this backbone's first convolution does not take the image's channels; for images with "
        "channels beside red, green and blue use another one, e.g. vgg16 or resnet18"
    )


def set_input_channels(network: nn.Module, channels: int) -> None:
    """Replace the first convolution's weights by random ones for an image of `channels`.

    A network that takes so many already is left as it is.

    Raises:
        ConfigError: see `first_convolution`.
    """
    if channels == RGB:
        return
    _, layer = first_convolution(network)
    if layer.in_channels != RGB:
        raise ConfigError(
            f"this backbone's first convolution takes {layer.in_channels} channels; for images "
            "with channels beside red, green and blue use another one, e.g. vgg16 or resnet18"
        )
    outputs, _, *kernel = layer.weight.shape
    layer.in_channels = channels
    layer.weight = nn.Parameter(layer.weight.new_empty(outputs, channels, *kernel))
    with torch.no_grad():
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def widen_filters(filters: np.ndarray, channels: int) -> np.ndarray:
    """Return filters of red, green and blue for an image of `channels`.

    The filter of each further channel is the mean of the three, as the authors' depth network
    starts (nyud-fcn32s-color-d/solve.py).

    Args:
        filters: (out, 3, height, width).
        channels: at least 3.
    """
    added = filters.mean(1, keepdims=True).repeat(channels - filters.shape[1], 1)
    return np.concatenate([filters, added.astype(filters.dtype)], 1)

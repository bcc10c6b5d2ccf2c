"""Turn a classifier into a fully convolutional network (paper, section 3.1)."""

from math import isqrt
from typing import overload

from torch import nn

from fullconv.errors import GeometryError
from fullconv.networks.dense.classifier import DenseChain, DenseClassifier
from fullconv.networks.dense.convert import convert_classifier, display_name, input_size
from fullconv.networks.dense.map_layers import linear_as_conv
from fullconv.networks.layers import NamedSequential


@overload
def convolutionalize(
    classifier: NamedSequential, same: bool = False, size: int | None = None
) -> DenseChain: ...


@overload
def convolutionalize(
    classifier: nn.Module, same: bool = False, size: int | None = None
) -> DenseClassifier: ...


def convolutionalize(
    classifier: nn.Module, same: bool = False, size: int | None = None
) -> DenseClassifier:
    """Replace the fully connected layers of a classifier by convolutions with the same weights.

    VGG's fc6, a 25088 -> 4096 matrix, becomes a 7 x 7 convolution over 512 maps. Global average
    pooling becomes the mean over a sliding window of the classifier's own size, such as 7 x 7
    positions. The result gives the classifier's scores on its own image size, as
    (B, classes, 1, 1), and a grid of scores on a larger image. Weights are shared, not copied.

    Our own classifiers stay sequences of named layers (`DenseChain`). The forward of other
    libraries' classifiers is rewritten, and the result is compared with the classifier
    (`DenseGraph`).

    Args:
        classifier: (B, 3, size, size) -> (B, classes).
        same: pad the former linear layers to keep the map's size; our own classifiers only.
        size: rows and columns of the images that the classifier was made for. By default what its
            library says, else 224.

    Raises:
        GeometryError: it cannot be done exactly; the message says why.
    """
    size = size or input_size(classifier)
    if isinstance(classifier, NamedSequential):
        return _dense_chain(classifier, same, size)
    if same:
        name = display_name(classifier)
        raise GeometryError(f"same=True is for our own classifiers, not for {name}")
    return convert_classifier(classifier, size)


def headless(dense: NamedSequential) -> NamedSequential:
    """Return `dense` without its last layer, the classifier's scores: the backbone of an FCN."""
    return NamedSequential(list(dense.named_children())[:-1])


def _dense_chain(classifier: NamedSequential, same: bool, size: int) -> DenseChain:
    layers = []
    channels = 3
    for name, layer in classifier.named_children():
        if isinstance(layer, nn.Flatten):
            continue
        if isinstance(layer, nn.Linear):
            layer = _as_convolution(layer, channels, same, name)
        layers.append((name, layer))
        channels = getattr(layer, "out_channels", channels)
    return DenseChain(layers, size).train(classifier.training)


def _as_convolution(layer: nn.Linear, channels: int, same: bool, name: str) -> nn.Conv2d:
    """Return a linear layer over `channels` flattened square maps as a convolution."""
    size = isqrt(layer.in_features // channels)
    if size * size * channels != layer.in_features:
        raise GeometryError(
            f"{name} has {layer.in_features} inputs, which are not {channels} square maps; "
            "expected a flattened (channels, n, n) feature"
        )
    # An even window has no centre; padding by half of it gives one more row instead of one less.
    return linear_as_conv(layer, channels, (size, size), padding=size // 2 if same else 0)

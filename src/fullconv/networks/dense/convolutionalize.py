"""A classifier becomes dense, and weights move from one network to another (paper, section 3.1)."""

from math import isqrt
from typing import overload

from torch import nn

from fullconv.errors import GeometryError
from fullconv.networks.dense.classifier import called, dense_classifier, own_size, settle
from fullconv.networks.dense.head import linear_as_conv
from fullconv.networks.layers import NamedSequential


@overload
def convolutionalize(
    classifier: NamedSequential, same: bool = False, size: int | None = None
) -> NamedSequential: ...


@overload
def convolutionalize(
    classifier: nn.Module, same: bool = False, size: int | None = None
) -> nn.Module: ...


def convolutionalize(
    classifier: nn.Module, same: bool = False, size: int | None = None
) -> nn.Module:
    """The classifier with its fully connected layers as convolutions of the same numbers.

    VGG's fc6, a 25088 -> 4096 matrix, becomes a 7 x 7 convolution over 512 maps; global average
    pooling becomes the mean of a sliding window of the classifier's own 7 x 7 places. The result
    gives the classifier's scores on its own image size, as (B, classes, 1, 1), and a grid of them
    on a larger image: the weights are the classifier's own tensors, not copies.

    One of ours stays a chain of named layers. Of torchvision's, timm's and others' classifiers the
    forward is rewritten and the result compared with the classifier; it has the attributes

    - `caveats`: what does not hold on a larger image, in sentences; () where all does,
    - `field`: where the scores lie and what they see; None where that is not known,
    - `worst`: largest difference to the classifier's scores, relative to the largest of them.

    Args:
        classifier: (B, 3, size, size) -> (B, classes).
        same: pad the convolutions that were linear so that they keep the map's size; ours only.
        size: rows and columns of the images the classifier was made for; None: as its library
            says, else 224. Ours do not need it.

    Raises:
        GeometryError: it cannot be done exactly; the message says why.
    """
    if isinstance(classifier, NamedSequential):
        return _dense_chain(classifier, same)
    if same:
        raise GeometryError(f"same=True is for our own classifiers, not {called(classifier)}")
    return dense_classifier(classifier, size or own_size(classifier))


def _dense_chain(classifier: NamedSequential, same: bool) -> NamedSequential:
    dense = NamedSequential()
    channels = 3
    for name, layer in classifier.named_children():
        if isinstance(layer, nn.Flatten):
            continue
        if isinstance(layer, nn.Linear):
            layer = as_convolution(layer, channels, same, name)
        dense.add_module(name, layer)
        channels = getattr(layer, "out_channels", channels)
    settle(dense, caveats=())
    return dense.train(classifier.training)


def as_convolution(layer: nn.Linear, channels: int, same: bool, name: str) -> nn.Conv2d:
    """A linear layer over `channels` flattened square maps, as the convolution that it is."""
    size = isqrt(layer.in_features // channels)
    if size * size * channels != layer.in_features:
        raise GeometryError(
            f"{name} takes {layer.in_features} numbers, which is no square of {channels} maps; "
            "expected a flattened (channels, n, n) feature"
        )
    # For an even window there is no middle: one more row comes out, none gets lost.
    return linear_as_conv(layer, channels, (size, size), padding=size // 2 if same else 0)


def headless(dense: NamedSequential) -> NamedSequential:
    """`dense` without its last layer, the classifier's scores: what a segmenter builds on."""
    return NamedSequential(list(dense.named_children())[:-1])

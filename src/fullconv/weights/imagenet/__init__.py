"""ImageNet weights of image classifiers: one file per place where they are published."""

from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from fullconv._registry import Registry
from fullconv.errors import WeightsError
from fullconv.networks.vgg_names import ChannelValues
from fullconv.weights.sources import Weights, read_weights

IMAGENET = "imagenet"
"""Value of `--weights` that stands for ImageNet weights instead of a file."""

__all__ = [
    "IMAGENET",
    "Origin",
    "Published",
    "imagenet_weights",
    "published_weights",
    "unpublished",
]


@runtime_checkable
class Published(Protocol):
    """Published ImageNet weights of one classifier."""

    @property
    def name(self) -> str:
        """Name of their file."""

    @property
    def origin(self) -> str:
        """The package or the server that they come from."""

    @property
    def mean(self) -> ChannelValues | None:
        """Mean of the images that they expect, RGB, in [0, 255]; None for the network's own."""

    @property
    def std(self) -> ChannelValues | None:
        """Standard deviation likewise."""

    def file(self) -> Path | None:
        """Return their file on this machine; None if it has to be downloaded."""

    def megabytes(self) -> float:
        """Return the size of the download in MB (10^6 bytes).

        Raises:
            WeightsError: it is unknown, because the server cannot be reached.
        """

    def download(self) -> Path:
        """Download them into the cache and return their file.

        Raises:
            WeightsError: the download failed; the message says where to put a copy.
        """


@runtime_checkable
class Origin(Protocol):
    """A place where ImageNet weights are published."""

    def find(self, backbone: str) -> Published | None:
        """Return the weights of a backbone, as `create_classifier` names it, or None."""


origins: Registry[Origin] = Registry("fullconv.weights.imagenet", "origin of ImageNet weights")
LOOKUP_ORDER = ("package", "torchvision", "timm")


def published_weights(backbone: str) -> Published | None:
    """Return the published ImageNet weights of a backbone, or None; nothing is downloaded."""
    found = (origins[name].find(backbone) for name in LOOKUP_ORDER)
    return next((weights for weights in found if weights), None)


def unpublished(backbone: str) -> WeightsError:
    """Return the error that a backbone has no published ImageNet weights."""
    return WeightsError(
        f"no ImageNet weights are published for {backbone!r}; give a file to --weights, or use a "
        "network that has some, e.g. efficientnet_lite2, resnet18 or vgg16"
    )


def imagenet_weights(backbone: str) -> tuple[Weights, Path]:
    """Read a backbone's ImageNet weights, downloaded once; return them and their file.

    For VGG-16 these are the Caffe model's convolutions, which the paper's networks start from.

    Raises:
        WeightsError: none are published for this backbone, or the download fails.
    """
    published = published_weights(backbone)
    if published is None:
        raise unpublished(backbone)
    path = published.file() or published.download()
    weights = read_weights(path)
    if weights.mean is None and published.mean is not None:
        weights = replace(weights, mean=published.mean, std=published.std, order="rgb")
    return weights, path

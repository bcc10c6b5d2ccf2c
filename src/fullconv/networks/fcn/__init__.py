"""The fully convolutional network (`network`), and how to build one by its name (`create`)."""

from fullconv.networks.fcn.create import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    STRIDES,
    build,
    create_model,
    parse_name,
)
from fullconv.networks.fcn.network import FCN, OptimizedBackbone

__all__ = [
    "FCN",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "STRIDES",
    "OptimizedBackbone",
    "build",
    "create_model",
    "parse_name",
]

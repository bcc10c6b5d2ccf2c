"""Classifiers, to be made dense. One file a family; this folder is the list of them."""

from collections.abc import Callable
from typing import Any

from torch import nn

from fullconv.registry import Registry

Builder = Callable[..., nn.Module]

backbones: Registry[Builder] = Registry("fullconv.backbones", "classifier")


def create_classifier(name: str, classes: int = 1000, **options: Any) -> nn.Module:
    """A classifier by name: (B, 3, H, W) -> scores (B, classes).

    Args:
        name: "vgg16", "vgg16_bn", ...
        classes: how many it tells apart.
        options: what the family's builder takes, e.g. `width=0.5` or `hidden=1024`.

    Raises:
        UnknownNameError: no classifier has this name; the message lists them.
    """
    return backbones[name](classes, **options)


def __getattr__(name: str) -> Any:
    if not name.startswith("_") and name in backbones:
        return backbones[name]
    raise AttributeError(f"module 'fullconv.backbones' has no classifier {name!r}")

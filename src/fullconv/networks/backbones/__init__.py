"""Classifiers, to be made dense. One file a family or a library; this folder is the list of them.

A name is looked up among ours, then torchvision's, then timm's; "torchvision_alexnet" and
"timm_resnet18" say which one is meant where several have it.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, Literal, Protocol

import torch
from torch import nn

from fullconv._registry import Registry
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.networks.backbones._traced import TracedBackbone

Builder = Callable[..., nn.Module]


class Library(Protocol):
    """Somebody else's collection of classifiers."""

    def names(self) -> Iterable[str]:
        """The classifiers that it builds."""

    def create(self, name: str, classes: int) -> nn.Module:
        """One of them, with fresh weights."""


backbones: Registry[Builder] = Registry("fullconv.networks.backbones", "classifier")
libraries: Registry[Library] = Registry("fullconv.networks.backbones", "library of classifiers")
ORDER = ("torchvision", "timm")  # who is asked first

__all__ = [
    "Builder",
    "Library",
    "TracedBackbone",
    "backbones",
    "create_classifier",
    "foreign_backbone",
    "libraries",
]


def create_classifier(name: str, classes: int = 1000, **options: Any) -> nn.Module:
    """A classifier by name: (B, 3, H, W) -> scores (B, classes).

    Args:
        name: "vgg16", "vgg16_bn", "alexnet", or one of torchvision's or timm's.
        classes: how many it tells apart.
        options: what our families' builders take, e.g. `width=0.5` or `hidden=1024`.

    Raises:
        UnknownNameError: no classifier has this name; the message lists ours.
        ConfigError: an option that the family does not take.
        MissingExtraError: timm would have to be asked and is not installed.
    """
    if name in backbones:
        return backbones[name](classes, **options)
    library, theirs = _whose(name)
    if options:
        raise ConfigError(
            f"{name} comes from {library}, which builds it in one size; leave {_listed(options)} "
            "away, or take one of ours, e.g. vgg16"
        )
    # They draw random numbers and read them back, which tensors without numbers cannot.
    meta = torch.get_default_device().type == "meta"
    with torch.device("cpu") if meta else torch.get_default_device():
        classifier = libraries[library].create(theirs, classes)
    return classifier.to("meta") if meta else classifier


def foreign_backbone(
    name: str,
    padding: Literal["same"] | int = "same",
    width: float = 1.0,
    hidden: int | None = None,
) -> TracedBackbone:
    """The features of another library's classifier, as the network uses them.

    Args:
        name: as for `create_classifier`.
        padding: zeros around the normalized image; "same" is none but to the right and below, up
            to a multiple of the coarsest stride.
        width: 1; no other is offered.
        hidden: None; likewise.

    Raises:
        UnknownNameError: no classifier has this name.
        ConfigError: another width.
        GeometryError: its features have no places, or it is unknown which.
    """
    options = {"width": width} if width != 1 else {}
    options |= {"hidden": hidden} if hidden is not None else {}
    classifier = create_classifier(name, 1, **options)
    return TracedBackbone(classifier, name, 0 if padding == "same" else padding)


def _whose(name: str) -> tuple[str, str]:
    """The library that has a classifier, and the name that it has there."""
    known: list[str] = []
    for library in ORDER:
        theirs = name.removeprefix(f"{library}_")
        if any(name.startswith(f"{other}_") for other in ORDER if other != library):
            continue
        names = list(libraries[library].names())
        if theirs in names:
            return library, theirs
        known += names
    close = get_close_matches(name, known, n=3)
    error = UnknownNameError("classifier", name, {*backbones, *close})
    error.args = (f"{error}, and all that torchvision and timm build, by their names",)
    raise error


def _listed(options: Iterable[str]) -> str:
    return " and ".join(sorted(options))


def __getattr__(name: str) -> Any:
    if not name.startswith("_") and name in backbones:
        return backbones[name]
    raise AttributeError(f"module 'fullconv.networks.backbones' has no classifier {name!r}")

"""Image classifiers to build networks on: one file per family or library, found by their names.

A name is looked up among our own classifiers, then torchvision's, then timm's.
"torchvision_alexnet" and "timm_resnet18" choose the library if several have the name.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from inspect import signature
from typing import Any, Literal, Protocol

import torch
from torch import nn

from fullconv._registry import Registry
from fullconv.config import Classifier, Top
from fullconv.errors import ConfigError, UnknownNameError
from fullconv.networks.backbones._traced import TracedBackbone

Builder = Callable[..., nn.Module]


class Library(Protocol):
    """A package with image classifiers."""

    def names(self) -> Iterable[str]:
        """Return the names of its classifiers."""

    def create(self, name: str, classes: int) -> nn.Module:
        """Build one of them with random weights."""


backbones: Registry[Builder] = Registry("fullconv.networks.backbones", "classifier")
libraries: Registry[Library] = Registry("fullconv.networks.backbones", "library of classifiers")
LOOKUP_ORDER = ("torchvision", "timm")
# TensorFlow's network, whose weights come with fullconv. timm's of this name pads its convolutions
# and normalizes in another way, and has no weights; it is called timm_efficientnet_lite2 here.
ALIASES = {"efficientnet_lite2": "timm_tf_efficientnet_lite2"}
SIMILARITY = 0.7  # of difflib; below it a suggestion is hardly what was meant

__all__ = [
    "Builder",
    "Library",
    "TracedBackbone",
    "backbones",
    "create_classifier",
    "libraries",
    "similar_name",
    "traced_backbone",
]


def create_classifier(name: str, classes: int = 1000, **options: Any) -> nn.Module:
    """Build a classifier by name: (B, 3, H, W) -> scores (B, classes).

    Args:
        name: "vgg16", "vgg16_bn", "alexnet", or one of torchvision's or timm's.
        classes: number of scores.
        options: what our own builders accept, e.g. `width=0.5` or `hidden=1024`.

    Raises:
        UnknownNameError: there is no classifier of this name.
        ConfigError: an option that this classifier does not have, or a value out of its range.
    """
    shared = {key: options[key] for key in Classifier.model_fields.keys() & options.keys()}
    checked = Classifier.checked(name=name, classes=classes, **shared)
    name, classes = checked.name, checked.classes
    if name in backbones:
        builder = backbones[name]
        known = signature(builder).parameters.keys() - {"classes"}
        if unknown := sorted(options.keys() - known):
            raise ConfigError(
                f"{name} has no option {unknown[0]!r}; it has {', '.join(sorted(known))}"
            )
        return builder(classes, **options)
    library, library_name = _find(name)
    if options:
        raise ConfigError(
            f"{name} comes from {library}, which builds it in one size; omit "
            f"{' and '.join(sorted(options))}, or use one of ours, e.g. vgg16"
        )
    # The builders draw random numbers and read them back, which the meta device cannot do.
    on_meta = torch.get_default_device().type == "meta"
    with torch.device("cpu") if on_meta else torch.get_default_device():
        classifier = libraries[library].create(library_name, classes)
    return classifier.to("meta") if on_meta else classifier


def traced_backbone(
    name: str,
    padding: Literal["same"] | int = "same",
    width: float = 1.0,
    hidden: int | None = None,
    top: Top = "head",
) -> TracedBackbone:
    """Build the backbone of a torchvision or timm classifier.

    Args:
        name: see `create_classifier`.
        padding: zeros around the normalized image; "same" adds none, except to the right and below
            up to a multiple of the coarsest stride.
        width: only 1 is available.
        hidden: only None is available.
        top: see `TracedBackbone`.

    Raises:
        UnknownNameError: there is no classifier of this name.
        ConfigError: another width.
        GeometryError: its features have no positions, or they are unknown.
    """
    options = {"width": width} if width != 1 else {}
    options |= {"hidden": hidden} if hidden is not None else {}
    classifier = create_classifier(name, 1, **options)
    return TracedBackbone(classifier, name, 0 if padding == "same" else padding, top)


def similar_name(name: str) -> str | None:
    """Return the known classifier whose name is most similar, or None if none is similar."""
    known = list(backbones)
    for library in LOOKUP_ORDER:
        known += libraries[library].names()
    close = get_close_matches(name, known, n=1, cutoff=SIMILARITY)
    return close[0] if close else None


def _find(name: str) -> tuple[str, str]:
    """Return the library that has a classifier, and the classifier's name there."""
    name = ALIASES.get(name, name)
    for library in LOOKUP_ORDER:
        library_name = name.removeprefix(f"{library}_")
        if any(name.startswith(f"{other}_") for other in LOOKUP_ORDER if other != library):
            continue
        if library_name in libraries[library].names():
            return library, library_name
    expected = f"{', '.join(backbones)}, or a name of torchvision's or timm's classifiers"
    raise UnknownNameError("classifier", name, expected=expected, suggestion=similar_name(name))


def __getattr__(name: str) -> Any:
    if not name.startswith("_") and name in backbones:
        return backbones[name]
    raise AttributeError(f"module 'fullconv.networks.backbones' has no classifier {name!r}")

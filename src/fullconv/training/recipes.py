"""Recipes: named presets of the training settings, among them the paper's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fullconv.config import TrainConfig
from fullconv.errors import UnknownNameError

Config = TypeVar("Config", bound=TrainConfig)

DEFAULT = "modern"
PIXELS = 187_000  # of a PASCAL VOC image, 500 x 375: what the authors' learning rates are for


@dataclass(frozen=True)
class Recipe:
    """A preset.

    Attributes:
        summary: what it does, in one sentence, for the docs.
        source: where its numbers come from.
        settings: values of `TrainConfig`; the others keep their defaults.
    """

    summary: str
    source: str
    settings: Mapping[str, Any]


def with_recipe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings on top of those of the recipe that they name.

    Raises:
        UnknownNameError: there is no such recipe.
    """
    name = str(settings.get("recipe") or DEFAULT)
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    return {**RECIPES[name].settings, **settings}


def recipe_applied(config: Config) -> Config:
    """Return the settings on top of those of their recipe, of the default one if they name none.

    Raises:
        UnknownNameError: there is no such recipe.
    """
    return type(config).checked(**with_recipe(config.model_dump(exclude_unset=True)))


def lr_of_mean(lr: float) -> float:
    """Convert a learning rate of the authors' summed loss to one of the mean loss."""
    return lr * PIXELS


_HEAVY: dict[str, Any] = {
    "padding": 100,
    "optimizer": "sgd",
    "momentum": 0.99,
    "batch": 1,
    "crop": "whole",
    "weight_decay": 5e-4,
    "bias_lr_mult": 2.0,
    "schedule": "constant",
    "flip": False,
    "turn": False,
    "zoom": (1.0, 1.0),
    "jitter": 0.0,
    "ema": 0.0,
    "backbone_lr_mult": 1.0,
    "freeze_bn": False,
}

RECIPES: Mapping[str, Recipe] = {
    "modern": Recipe(
        summary="AdamW with a decaying learning rate, random flips, scales and crops, and an EMA "
        "of the weights; class weights and a Dice loss for rare classes; pretrained backbones "
        "learn at a quarter of the rate, with frozen statistics of batch norm.",
        source="common practice since 2018; measured on CamVid (docs/reproduce.md)",
        # The rest of this recipe are TrainConfig's own defaults, which the paper's recipes share.
        settings={"ema": 0.99, "loss": "auto", "balance": "auto"},
    ),
    "paper-staged": Recipe(
        summary="FCN-32s, then FCN-16s from it, then FCN-8s from that, each at a hundredth of "
        "the learning rate before: three stages in one run.",
        source="voc-fcn32s, voc-fcn16s and voc-fcn8s/solver.prototxt; paper, section 4.2",
        settings=_HEAVY
        | {
            "model": "fcn8s-vgg16",
            "stages": (
                {"stride": 32, "lr": lr_of_mean(1e-10)},
                {"stride": 16, "lr": lr_of_mean(1e-12)},
            ),
            "lr": lr_of_mean(1e-14),
        },
    ),
    "paper-at-once": Recipe(
        summary="FCN-8s in one training: the pool4 and pool3 features are multiplied by 0.01 and "
        "0.0001 before their score layers, so strong shallow features do not dominate.",
        source="voc-fcn8s-atonce/net.py and solver.prototxt; PAMI paper, section 4.3",
        settings=_HEAVY
        | {
            "model": "fcn8s-vgg16",
            "skip_scales": (0.01, 0.0001),
            "lr": lr_of_mean(1e-10),
        },
    ),
    "heavy": Recipe(
        summary="One whole image per step, SGD with momentum 0.99 and a constant learning rate, "
        "no augmentation: the authors' nets of 2016.",
        source="voc-fcn32s/solver.prototxt of the authors' code; PAMI paper, section 4.2",
        settings=_HEAVY | {"lr": lr_of_mean(1e-10)},
    ),
    "last-layer-only": Recipe(
        summary="A frozen backbone, of which only the score layers are trained: about 70 % of "
        "the mean IoU of training everything, in a fraction of the time.",
        source="paper, section 4.3 and table 2 (FCN-32s-fixed, 45.4 mean IU against 59.4)",
        settings=_HEAVY
        | {"model": "fcn32s-vgg16", "backbone_lr_mult": 0.0, "lr": lr_of_mean(1e-10)},
    ),
    "course": Recipe(
        summary="VGG16 with batch norm and padding 100; the transposed convolutions are "
        "initialized to bilinear interpolation and trained with the rest.",
        source="the course notes; section 3.3 of the paper says that upsampling can be learned",
        settings={
            "model": "fcn8s-vgg16_bn",
            "padding": 100,
            "learn_upsampling": True,
            "optimizer": "sgd",
            "momentum": 0.9,
            "lr": 1e-2,
            "weight_decay": 5e-4,
            "schedule": "poly",
            "ema": 0.0,
            "backbone_lr_mult": 1.0,
            "freeze_bn": False,
        },
    ),
}

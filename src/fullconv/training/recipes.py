"""Named training settings: the paper's, and the default."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fullconv._registry import Registry

DEFAULT = "modern"


@dataclass(frozen=True)
class Recipe:
    """Settings under a name.

    Attributes:
        summary: what it does, in a sentence; `--help` and the docs show it.
        source: where its numbers come from.
        settings: of a `TrainConfig`, by their names; what is not there keeps its default.
    """

    summary: str
    source: str
    settings: Mapping[str, Any]


recipes: Registry[Recipe] = Registry("fullconv.training.recipes", "recipe")


def with_recipe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings on top of those of the recipe that they name.

    Raises:
        UnknownNameError: there is no such recipe.
    """
    name = settings.get("recipe") or DEFAULT
    return {**recipes[str(name)].settings, **settings}


PIXELS = 187_000

HEAVY: dict[str, Any] = {
    "padding": 100,
    "optimizer": "sgd",
    "momentum": 0.99,
    "batch": 1,
    "crop": "whole",
    "weight_decay": 5e-4,
    "bias_lr": 2.0,
    "schedule": "constant",
    "flip": False,
    "scale": (1.0, 1.0),
    "jitter": 0.0,
    "average": 0.0,
    "backbone_lr": 1.0,
}


def of_the_mean(rate: float) -> float:
    """The rate of the mean loss that does what `rate` does to the authors' sum."""
    return rate * PIXELS


recipes.register("course")(
    Recipe(
        summary="VGG16 with batch norm and padding 100; the transposed convolutions begin as "
        "bilinear and are learned with the rest.",
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
            "average": 0.0,
            "backbone_lr": 1.0,
        },
    )
)

recipes.register("heavy")(
    Recipe(
        summary="One whole photo a step, SGD with momentum 0.99 and a constant rate, no "
        "augmentation: the authors' nets of 2016.",
        source="voc-fcn32s/solver.prototxt of the authors' code; PAMI paper, section 4.4",
        settings=HEAVY | {"lr": of_the_mean(1e-10)},
    )
)

recipes.register("last-layer-only")(
    Recipe(
        summary="The backbone keeps its weights, only the score layers learn: about 70 % of "
        "what learning all of it gives, in a fraction of the time.",
        source="paper, section 4.3 and table 2 (FCN-32s-fixed, 45.4 mean IU against 59.4)",
        settings=HEAVY | {"model": "fcn32s-vgg16", "backbone_lr": 0.0, "lr": of_the_mean(1e-10)},
    )
)

recipes.register("modern")(
    Recipe(
        summary="AdamW on a falling rate, flips, zooms and windows, a moving average of the "
        "weights; pretrained backbones learn at a quarter of the rate.",
        source="common practice since 2018; measured on CamVid (docs/reproduce.md)",
        # The rest of this recipe are TrainConfig's own defaults. The average is not: whoever owns
        # the loop (`fc.train`) also owns the weights it ends with.
        settings={"average": 0.99},
    )
)

recipes.register("paper-at-once")(
    Recipe(
        summary="FCN-8s in one go: pool4 is multiplied by 0.01 and pool3 by 0.0001 before their "
        "scores, so that the strong shallow features do not drown the coarse ones.",
        source="voc-fcn8s-atonce/net.py and solver.prototxt; PAMI paper, section 4.3",
        settings=HEAVY
        | {
            "model": "fcn8s-vgg16",
            "skip_scales": (0.01, 0.0001),
            "lr": of_the_mean(1e-10),
        },
    )
)

recipes.register("paper-staged")(
    Recipe(
        summary="FCN-32s, then FCN-16s from it, then FCN-8s from that, each at a hundredth of "
        "the rate before: three stages in one run.",
        source="voc-fcn32s, voc-fcn16s and voc-fcn8s/solver.prototxt; paper, section 4.2",
        settings=HEAVY
        | {
            "model": "fcn8s-vgg16",
            "stages": (
                {"stride": 32, "lr": of_the_mean(1e-10)},
                {"stride": 16, "lr": of_the_mean(1e-12)},
            ),
            "lr": of_the_mean(1e-14),
        },
    )
)

"""Ways to train, as data: settings under a name. One file a recipe; this folder is the list.

A recipe's settings come first; those of a config file, and then the options given, win over them.
A run folder's config.yaml holds all that came out, so that it means the same for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fullconv.registry import Registry

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


recipes: Registry[Recipe] = Registry("fullconv.recipes", "recipe")


def with_recipe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings on top of those of the recipe that they name.

    Raises:
        UnknownNameError: there is no such recipe.
    """
    name = settings.get("recipe") or DEFAULT
    return {**recipes[str(name)].settings, **settings}

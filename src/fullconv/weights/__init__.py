"""Weights of other frameworks, read as data: nothing in a file is executed.

The names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fullconv.weights.convert import convert_weights
    from fullconv.weights.imagenet import imagenet_weights
    from fullconv.weights.load import LoadReport, load_weights
    from fullconv.weights.sources import Weights, read_weights

__all__ = [
    "LoadReport",
    "Weights",
    "convert_weights",
    "imagenet_weights",
    "load_weights",
    "read_weights",
]

# Public name -> the module it is defined in.
_HOMES = {
    "LoadReport": "load",
    "Weights": "sources",
    "convert_weights": "convert",
    "imagenet_weights": "imagenet",
    "load_weights": "load",
    "read_weights": "sources",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

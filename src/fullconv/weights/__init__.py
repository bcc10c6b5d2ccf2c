"""Weights of other frameworks, read as data: nothing in a file is executed."""

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

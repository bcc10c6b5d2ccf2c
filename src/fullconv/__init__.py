"""Semantic segmentation with fully convolutional networks (FCN), in PyTorch.

Public names are imported on first use, so `import fullconv` and `fullconv --help` do not import
torch.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fullconv._version import __version__ as __version__

# PyTorch's convolutions on a CPU keep code and plans for each layer at each map size. Its own 1,024
# entries (of plans, for every thread and kind of layer) are filled, and take memory, for thousands
# of photos of different sizes. Fewer plans cost little where sizes differ
# (benchmarks/plan_caches.py). The command train keeps more, see `__main__`.
# PyTorch reads the variables when its first convolution runs.
CODE_CACHE, CODE_KEPT = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128"
os.environ.setdefault(CODE_CACHE, CODE_KEPT)
os.environ.setdefault("LRU_CACHE_CAPACITY", "8")
# How often a thread of PyTorch's looks for work before it sleeps. The default of 300,000 costs a
# busy machine its cores: a step takes up to twenty times as long. So few turns lose nothing on an
# idle one. GNU's OpenMP, which PyTorch brings on Linux, reads it when PyTorch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Public name -> the module that defines it.
_NAMES = {
    "Confusion": "evaluation.metrics",
    "Data": "data.sample",
    "FCN": "networks.fcn",
    "FullconvError": "errors",
    "Model": "model",
    "Prediction": "inference.prediction",
    "Sample": "data.sample",
    "TrainConfig": "config",
    "compare": "evaluation.comparison",
    "convolutionalize": "networks.dense.convolutionalize",
    "create_classifier": "networks.backbones",
    "create_model": "networks.fcn",
    "evaluate": "evaluation.evaluate",
    "evaluate_heads": "evaluation.evaluate",
    "grow": "networks.fcn.staging",
    "load": "model",
    "load_weights": "weights.load",
    "open_data": "data.formats",
    "train": "training.train",
}
# Public module -> where it is in this package.
_MODULES = {
    "backbones": "networks.backbones",
    "batch": "batch",
    "formats": "data.formats",
    "geometry": "networks.geometry",
    "images": "io.images",
    "losses": "training.losses",
    "metrics": "evaluation.metrics",
    "operations": "explain.operations",
    "palettes": "io.palettes",
    "weights": "weights",
}

__all__ = [  # noqa: RUF022 - in the order a user meets them
    "create_model",
    "create_classifier",
    "convolutionalize",
    "load_weights",
    "grow",
    "Model",
    "load",
    "FCN",
    "open_data",
    "Data",
    "Sample",
    "TrainConfig",
    "train",
    "evaluate",
    "evaluate_heads",
    "compare",
    "Confusion",
    "Prediction",
    "FullconvError",
    "__version__",
]

if TYPE_CHECKING:
    from fullconv.config import TrainConfig
    from fullconv.data.formats import open_data
    from fullconv.data.sample import Data, Sample
    from fullconv.errors import FullconvError
    from fullconv.evaluation.comparison import compare
    from fullconv.evaluation.evaluate import evaluate, evaluate_heads
    from fullconv.evaluation.metrics import Confusion
    from fullconv.inference.prediction import Prediction
    from fullconv.model import Model, load
    from fullconv.networks.backbones import create_classifier
    from fullconv.networks.dense.convolutionalize import convolutionalize
    from fullconv.networks.fcn import FCN, create_model
    from fullconv.networks.fcn.staging import grow
    from fullconv.training.train import train
    from fullconv.weights.load import load_weights


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"fullconv.{_NAMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"fullconv.{_MODULES[name]}")
    raise AttributeError(f"module 'fullconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})

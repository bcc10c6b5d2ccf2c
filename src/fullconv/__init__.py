"""Turn an image classifier into a pixel classifier: fully convolutional networks (FCN) in PyTorch.

The public names live here and nothing else does; each is imported when it is first used, so that
`import fullconv` (and `fullconv --help`) does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> the file it lives in.
_HOMES = {
    "Confusion": "metrics",
    "Data": "sample",
    "FCN": "fcn",
    "FullconvError": "errors",
    "Model": "model",
    "Prediction": "prediction",
    "Sample": "sample",
    "TrainConfig": "config",
    "convolutionalize": "surgery",
    "create_classifier": "backbones",
    "create_model": "fcn",
    "evaluate": "evaluation",
    "grow": "staging",
    "load": "model",
    "load_weights": "weights",
    "open_data": "formats",
    "train": "training",
}
_MODULES = ("backbones", "colors", "formats", "geometry", "images", "losses", "metrics", "weights")

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
    "Confusion",
    "Prediction",
    "FullconvError",
    "__version__",
]

if TYPE_CHECKING:
    from fullconv.backbones import create_classifier
    from fullconv.config import TrainConfig
    from fullconv.errors import FullconvError
    from fullconv.evaluation import evaluate
    from fullconv.fcn import FCN, create_model
    from fullconv.formats import open_data
    from fullconv.metrics import Confusion
    from fullconv.model import Model, load
    from fullconv.prediction import Prediction
    from fullconv.sample import Data, Sample
    from fullconv.staging import grow
    from fullconv.surgery import convolutionalize
    from fullconv.training import train
    from fullconv.weights import load_weights


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"fullconv.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"fullconv.{name}")
    raise AttributeError(f"module 'fullconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})

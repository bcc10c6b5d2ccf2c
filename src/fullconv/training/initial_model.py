"""Build the model that a training starts from."""

import warnings

import torch

from fullconv.config import TrainConfig
from fullconv.data.sample import Data
from fullconv.model import Model
from fullconv.networks.fcn import create_model, parse_name
from fullconv.training.sampler import seeded
from fullconv.weights.imagenet import IMAGENET, imagenet_weights
from fullconv.weights.load import LoadReport, load_weights


def initial_model(config: TrainConfig, data: Data) -> Model:
    """Build the network of `config` for the classes of `data`, with random or given weights.

    Raises:
        WeightsError: the weights cannot be used, or no convolution of them fits.
    """
    model, report = start_model(config, data)
    for text in report.warnings if report else ():
        warnings.warn(f"{config.weights}: {text}", stacklevel=2)
    return model


def start_model(config: TrainConfig, data: Data) -> tuple[Model, LoadReport | None]:
    """Build the model as `initial_model` does; return it with what was loaded, if anything was."""
    with seeded(config.seed, torch.device("cpu")):
        network = create_model(config.model, len(data.classes), **config.architecture_settings)
    report = None
    if config.weights:
        _, backbone = parse_name(config.model)
        weights = imagenet_weights(backbone) if config.weights == IMAGENET else config.weights
        report = load_weights(network, weights, classes=data.classes)
    scale = config.input_scale or 1.0
    return Model(network, data.classes, data.palette, config.size, input_scale=scale), report

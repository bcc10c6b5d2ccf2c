"""Build the model that a training starts from."""

import warnings
from pathlib import Path

import torch

from fullconv.config import NONE, TrainConfig
from fullconv.data.sample import Data
from fullconv.inference.model_file import model_file
from fullconv.model import Model
from fullconv.networks.fcn import create_model, parse_name
from fullconv.training.resolve_network import RANDOM, planned_download, resolve_network
from fullconv.training.sampler import seeded
from fullconv.weights.imagenet import IMAGENET, imagenet_weights
from fullconv.weights.load import LoadReport, copy_weights
from fullconv.weights.sources import read_weights


def decide_network(config: TrainConfig, data: Data) -> TrainConfig:
    """Return the settings with network and weights decided, and warn of what a user should know.

    That is a download, and random weights where published ones could not be had.
    """
    if download := planned_download(config):
        warnings.warn(download, stacklevel=3)
    decided, notes = resolve_network(config, data)
    for note in notes:
        if note.startswith(RANDOM) and config.width in (None, 1):
            warnings.warn(note, stacklevel=3)
    return decided


def initial_model(config: TrainConfig, data: Data) -> Model:
    """Build the network of `config` for the classes of `data`, with random or given weights.

    Network and weights are decided by `decide_network` where the settings leave them open.

    Raises:
        WeightsError: the weights cannot be used, or no convolution of them fits.
    """
    config = decide_network(config, data)
    model, report = start_model(config, data)
    for text in report.warnings if report else ():
        warnings.warn(f"{config.weights}: {text}", stacklevel=2)
    return model


def start_model(config: TrainConfig, data: Data) -> tuple[Model, LoadReport | None]:
    """Build the model of settings with network and weights decided; return it with what was loaded.

    The second value is None for random weights.
    """
    with seeded(config.seed, torch.device("cpu")):
        network = create_model(config.model, len(data.classes), **config.architecture_settings)
    report = None
    if config.weights != NONE:
        if config.weights == IMAGENET:
            weights, path = imagenet_weights(parse_name(config.model)[1])
        else:
            path = model_file(Path(config.weights))
            weights = read_weights(path)
        report = copy_weights(network, weights, path, classes=data.classes)
    scale = config.input_scale or 1.0
    return Model(network, data.classes, data.palette, config.size, input_scale=scale), report

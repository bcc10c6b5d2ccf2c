"""Build the model that a training starts from."""

import torch

from fullconv.config import TrainConfig
from fullconv.data.sample import Data
from fullconv.model import Model
from fullconv.networks.fcn import create_model, parse_name
from fullconv.weights.imagenet import IMAGENET, imagenet_weights
from fullconv.weights.load import load_weights


def initial_model(config: TrainConfig, data: Data) -> Model:
    """Build the network of `config` for the classes of `data`, with random or given weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = create_model(config.model, len(data.classes), **config.architecture_settings)
    if config.weights:
        _, backbone = parse_name(config.model)
        weights = imagenet_weights(backbone) if config.weights == IMAGENET else config.weights
        load_weights(network, weights)
    return Model(network, data.classes, data.palette, config.size)

"""The model that a training begins with, as its settings describe it."""

import torch

from fullconv.config import TrainConfig
from fullconv.data.sample import Data
from fullconv.model import Model
from fullconv.networks.fcn import create_model, parse_name
from fullconv.weights.imagenet import IMAGENET, imagenet_weights
from fullconv.weights.load import load_weights


def new_model(config: TrainConfig, data: Data) -> Model:
    """The model that `config` describes, for `data`'s classes, its weights drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = create_model(config.model, len(data.classes), **config.architecture_settings)
    if config.weights:
        _, backbone = parse_name(config.model)
        found = imagenet_weights(backbone) if config.weights == IMAGENET else config.weights
        load_weights(network, found)
    return Model(network, data.classes, data.palette, config.size)

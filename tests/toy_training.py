"""Toy data (images with a dark and a bright half) and a fast training on it."""

import numpy as np
import torch

import fullconv as fc
from fullconv.data.sample import Data, Sample
from fullconv.training.initial_model import initial_model
from fullconv.training.trainer import Trainer

CONFIG = fc.TrainConfig(
    model="fcn8s-vgg11_bn", width=1 / 16, hidden=16, batch=2, epochs=3, crop=(32, 32), lr=1e-2
)


def toy_data(count=4, size=32):
    """Return data whose images are dark with class 0 on the left, bright with class 1 right."""

    def read(index):
        image = np.full((size, size, 3), 30 + index, np.uint8)
        image[:, size // 2 :] = 200
        labels = np.zeros((size, size), np.uint8)
        labels[:, size // 2 :] = 1
        return Sample(image, labels, f"n{index}")

    names = tuple(f"n{i}" for i in range(count))
    return Data("halves", None, ("dark", "bright"), ((0, 0, 0), (1, 1, 1)), names, read)


def make_trainer(config=CONFIG, data=None):
    data = data or toy_data()
    return Trainer(initial_model(config, data), data, config)


def state(trainer):
    return {name: value.clone() for name, value in trainer.model.network.state_dict().items()}


def equal(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)

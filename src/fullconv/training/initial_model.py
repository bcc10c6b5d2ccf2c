"""Build the model that a training starts from."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fullconv.config import NONE, RGB, TrainConfig
from fullconv.data.sample import Data
from fullconv.errors import ConfigError
from fullconv.inference.model_file import model_file
from fullconv.io.images import ExtraInput, channels_of
from fullconv.model import Model
from fullconv.networks.fcn import create_model, parse_name
from fullconv.training.resolve_network import RANDOM, planned_download, resolve_network
from fullconv.training.sampler import seeded
from fullconv.weights.imagenet import IMAGENET, imagenet_weights
from fullconv.weights.load import LoadReport, copy_weights
from fullconv.weights.sources import read_weights


def decide_network(config: TrainConfig, data: Data, callers: int = 1) -> TrainConfig:
    """Return the settings with network and weights decided, and warn of what a user should know.

    That is a download, and random weights where published ones could not be had.

    Args:
        config: of the training.
        data: its samples.
        callers: functions between this one and the user's line that a warning names.
    """
    if download := planned_download(config):
        warnings.warn(download, stacklevel=2 + callers)
    decided, notes = resolve_network(config, data)
    for note in notes:
        if note.startswith(RANDOM) and config.width in (None, 1):
            warnings.warn(note, stacklevel=2 + callers)
    return decided


def initial_model(config: TrainConfig, data: Data) -> Model:
    """Build the network of `config` for the classes of `data`, with random or given weights.

    Network and weights are decided by `decide_network` where the settings leave them open.

    Raises:
        WeightsError: the weights cannot be used, or no convolution of them fits.
        ConfigError: the network cannot take the channels of `data`.
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
        settings = config.architecture_settings | _channels(config, data)
        network = create_model(config.model, len(data.score_names), **settings)
    report = None
    if config.weights != NONE:
        if config.weights == IMAGENET:
            weights, path = imagenet_weights(parse_name(config.model)[1])
        else:
            path = model_file(Path(config.weights))
            weights = read_weights(path)
        report = copy_weights(network, weights, path, classes=data.score_names)
    scale = config.input_scale or 1.0
    given = network, data.classes, data.palette, config.size
    return Model(*given, input_scale=scale, inputs=data.inputs, heads=data.heads), report


def _channels(config: TrainConfig, data: Data) -> dict[str, Any]:
    """Return the settings of the image's channels, which the data set decides.

    Raises:
        ConfigError: streams of one input, or an upsampling that mixes the scores of several heads.
    """
    if data.heads and (config.learn_upsampling or config.upsampling == "unpooling"):
        raise ConfigError(
            "several heads need an upsampling that does not mix their scores, but learn_upsampling "
            "or upsampling: unpooling is set; leave both at their defaults"
        )
    if not config.late_fusion:
        return {"channels": channels_of(data.inputs)}
    if not data.inputs:
        raise ConfigError("late_fusion is for inputs beside the photo; name them with `inputs`")
    return {"streams": _streams(data.inputs)}


def _streams(inputs: Sequence[ExtraInput]) -> tuple[int, ...]:
    """Return the channels of each stream; a backbone takes three channels or more."""
    for extra in inputs:
        if extra.channels < RGB:
            raise ConfigError(
                f"late_fusion needs inputs of three channels; {extra.name} has {extra.channels}"
            )
    return (RGB, *(extra.channels for extra in inputs))

"""Decide the settings that were left open, from the training data."""

import sys
from math import prod
from typing import TypeVar

from fullconv.config import AUTO, BACKBONE, Architecture, Normalization, RunConfig, TrainConfig
from fullconv.config.duration import CPU_MINUTES
from fullconv.data.sample import Data
from fullconv.data.transforms import fit
from fullconv.hardware import choose_device
from fullconv.networks.fcn import parse_name
from fullconv.networks.fcn.summary import on_meta
from fullconv.training.orientation import resolve_turning
from fullconv.training.working_scale import (
    ObjectSizes,
    WorkingScale,
    choose_scale,
    choose_window,
    object_sizes,
)

Config = TypeVar("Config", bound=TrainConfig)

BATCH, MOST_IMAGES = 4, 8  # images per step: at least, and at most where nothing is set
STEP_PIXELS = {"cpu": 4 * 256**2, "gpu": 4 * 448**2}  # per step, about
SHORT_STEP_PIXELS = 4 * 160**2  # where fewer minutes would not be enough for many larger steps


def resolve_settings(config: RunConfig, data: Data) -> RunConfig:
    """Return the settings with every open one decided, so they reproduce the run."""
    return resolve_turning(resolve(config, data)[0], data)[0]


def resolve(config: Config, data: Data) -> tuple[Config, WorkingScale]:
    """Return the settings with scale, crop and batch decided, and the scale with its reason."""
    changes: dict[str, object] = {}
    scale = WorkingScale(config.input_scale or 1.0)
    crop = config.crop
    batch, pixels = BATCH, step_pixels(config)
    if config.size is None and crop != "whole" and not (config.input_scale and crop):
        sizes = object_sizes(data)
        if config.input_scale is None:
            scale = _choose_scale(config, data, sizes)
        if crop is None:
            crop = choose_window(sizes, scale.factor, pixels // BATCH)
            even = 2 * round(pixels / prod(crop) / 2)  # so that two cores have equal parts
            batch = min(max(BATCH, even), MOST_IMAGES)
    elif crop is None:
        crop = typical_size(data, config.size, scale.factor)
    changes |= {"input_scale": scale.factor, "crop": crop}
    changes["batch"] = config.batch or batch
    return config.model_copy(update=changes), scale


def step_pixels(config: TrainConfig) -> int:
    """Return how many pixels a step should have, about.

    A network needs some 1,500 steps rather than large ones: so many fit into 15 minutes on two
    cores. With fewer minutes on a CPU, steps have fewer pixels in proportion, down to a limit.
    """
    device = choose_device(config.device).type
    if device != "cpu":
        return STEP_PIXELS["gpu"]
    most, minutes = STEP_PIXELS["cpu"], config.own_minutes or CPU_MINUTES
    return int(min(max(most * minutes / CPU_MINUTES, SHORT_STEP_PIXELS), most))


def _choose_scale(config: TrainConfig, data: Data, sizes: ObjectSizes) -> WorkingScale:
    if config.model == AUTO:  # its stride is chosen later, at the scale; most masks need this one
        config = config.model_copy(update={"model": f"fcn4s-{BACKBONE}"})

    def field() -> int:
        facts = {"name": config.model, "classes": len(data.classes)}
        plain = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
        network = on_meta(Architecture.checked(**config.architecture_settings | facts), plain)
        field = network.feature_info()[network.top].field
        return field.size if field.bounded else sys.maxsize

    stride, _ = parse_name(config.model)
    return choose_scale(sizes, stride, field, choose_device(config.device).type)


def typical_size(
    data: Data, size: tuple[int, int] | None = None, scale: float = 1.0
) -> tuple[int, int]:
    """Return the median height and width of about nine samples, fitted into `size` and scaled."""
    indices = range(0, len(data), max(1, len(data) // 9))
    shapes = [fit(data[index], size, scale).labels.shape for index in indices]
    height, width = (sorted(sides)[len(sides) // 2] for sides in zip(*shapes, strict=True))
    return height, width

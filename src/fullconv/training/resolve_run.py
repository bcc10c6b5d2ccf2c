"""Decide all settings of a training that are open, and say each decision in a sentence."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from fullconv.config import TrainConfig
from fullconv.data.sample import Data
from fullconv.training.orientation import resolve_turning
from fullconv.training.plan import resolve_duration
from fullconv.training.resolve import resolve
from fullconv.training.resolve_network import resolve_network
from fullconv.training.resolve_objective import resolve_objective
from fullconv.training.working_scale import WorkingScale

Config = TypeVar("Config", bound=TrainConfig)


@dataclass(frozen=True)
class Resolved(Generic[Config]):
    """What was decided.

    Attributes:
        config: the settings, so that they reproduce the training.
        scale: the working scale, with its reason.
        decisions: sentences about the others.
    """

    config: Config
    scale: WorkingScale
    decisions: tuple[str, ...]


def resolve_run(config: Config, data: Data, find_weights: bool = True) -> Resolved[Config]:
    """Return the settings of a training with every open one decided from its samples.

    Args:
        config: of the training.
        data: its samples.
        find_weights: see `resolve_network`.

    Raises:
        WeightsError: `weights` is "imagenet", and there are none or they cannot be had.
    """
    decided = resolve_samples(config, data)
    config, network = resolve_network(decided.config, data, find_weights)
    return Resolved(config, decided.scale, (*decided.decisions, *network))


def resolve_samples(config: Config, data: Data) -> Resolved[Config]:
    """Return the settings with those decided that do not concern the network and its weights."""
    config, scale = resolve(resolve_duration(config), data)
    config, turning = resolve_turning(config, data)
    config, objective = resolve_objective(config, data)
    return Resolved(config, scale, tuple(filter(None, (turning, *objective))))

"""Decide all settings of a run that are open, and say each decision in a sentence."""

from dataclasses import dataclass

from fullconv.config import RunConfig
from fullconv.data.sample import Data
from fullconv.training.orientation import resolve_turning
from fullconv.training.plan import resolve_duration
from fullconv.training.resolve import resolve
from fullconv.training.resolve_network import resolve_network
from fullconv.training.resolve_objective import resolve_objective
from fullconv.training.working_scale import WorkingScale


@dataclass(frozen=True)
class ResolvedRun:
    """What was decided.

    Attributes:
        config: the settings, so that they reproduce the run.
        scale: the working scale, with its reason.
        decisions: sentences about the others.
    """

    config: RunConfig
    scale: WorkingScale
    decisions: tuple[str, ...]


def resolve_run(config: RunConfig, data: Data) -> ResolvedRun:
    """Return the settings of a run with every open one decided from its training data.

    Raises:
        WeightsError: `weights` is "imagenet", and there are none or they cannot be had.
    """
    config, scale = resolve(resolve_duration(config), data)
    config, turning = resolve_turning(config, data)
    config, objective = resolve_objective(config, data)
    config, network = resolve_network(config, data)
    return ResolvedRun(config, scale, tuple(filter(None, (turning, *objective, *network))))

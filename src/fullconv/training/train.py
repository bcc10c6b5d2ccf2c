"""`fullconv.train`: your own training loop, as an iterator of steps."""

from collections.abc import Iterator

from fullconv.config import TrainConfig
from fullconv.data.sample import Data
from fullconv.errors import ConfigError
from fullconv.model import Model
from fullconv.training.initial_model import decide_network, initial_model
from fullconv.training.plan import resolve_duration
from fullconv.training.planning import plan_minutes
from fullconv.training.preflight import measure
from fullconv.training.recipes import recipe_applied
from fullconv.training.trainer import Step, Trainer

OF_RUNS = ("stages", "train_on", "track")
"""Settings that a loop of one's own has no use for."""


def train(model: Model | str, data: Data, config: TrainConfig | None = None) -> Iterator[Step]:
    """Train a model on a data set, yielding after every step: your own training loop.

    A duration in minutes, the default, is turned into a number of steps by a few steps that are
    timed and rolled back; evaluations of your own are not part of it.

    Args:
        model: trained in place, at its own size and working scale unless the settings give them to
            it; a name such as "fcn8s-vgg16_bn", or "auto", creates a new model.
        data: from `open_data`.
        config: the defaults suit a few dozen to a few hundred images; a recipe gives others.

    Raises:
        ConfigError: a setting has no effect here, but on a run of `fullconv train`.
    """
    config = resolve_duration(recipe_applied(config or TrainConfig()))
    _check_used(config, data)
    if isinstance(model, str):
        config = decide_network(config.model_copy(update={"model": model}), data)
        model = initial_model(config, data)
    trainer = Trainer(model, data, config)
    if not trainer.steps:
        for _ in trainer.teacher.prepare() if trainer.teacher else ():
            pass
        trainer.use_plan(plan_minutes(config, measure(trainer), 0))
    return trainer.run()


def _check_used(config: TrainConfig, data: Data) -> None:
    """Raise a ConfigError if a setting has no effect on a loop of one's own."""
    given = [n for n in OF_RUNS if getattr(config, n) != TrainConfig.model_fields[n].default]
    given += ["inputs"] if config.inputs and not data.inputs else []
    if given:
        raise ConfigError(
            f"{' and '.join(given)}: fullconv.train takes one network and the samples that it is "
            "given, so this has no effect; leave it out, or use the command fullconv train"
        )

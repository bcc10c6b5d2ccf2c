"""`fullconv.train`: your own training loop, as an iterator of steps."""

from collections.abc import Iterator
from typing import Any

from fullconv.config import AUTO, NONE, TrainConfig
from fullconv.config.model import ModelSettings
from fullconv.data.sample import Data, with_named_inputs
from fullconv.errors import ConfigError, check_type
from fullconv.model import Model
from fullconv.training.initial_model import decide_network, initial_model
from fullconv.training.plan import resolve_duration
from fullconv.training.planning import plan_minutes
from fullconv.training.preflight import measure
from fullconv.training.recipes import recipe_applied
from fullconv.training.trainer import Step, Trainer

OF_RUNS = ("stages", "train_on", "track")  # settings of what `fullconv train` does around the steps


def train(model: Model | str, data: Data, config: TrainConfig | None = None) -> Iterator[Step]:
    """Train a model on a data set, yielding after every step: your own training loop.

    A duration in minutes, the default, is turned into a number of steps by a few steps that are
    timed and rolled back; evaluations of your own are not part of it. What happens after the steps
    of `fullconv train` is left to you: evaluating, choosing the best model, and saving it. So the
    settings `evaluate_every` and `keep` have no effect, nor have `ema` and `logit_adjust`, which
    change the weights that are saved there.

    Args:
        model: trained in place, at its own `size` and `input_scale`; a name such as
            "fcn8s-vgg16_bn", or "auto", creates a new model, whatever the settings' `model`.
        data: from `open_data`.
        config: the defaults suit a few dozen to a few hundred images; a recipe gives others.

    Raises:
        ConfigError: a setting contradicts the model, or is one of the command alone; an argument
            has another type.
        DataError: there are no samples, or their classes are not the model's.
    """
    check_type("model", model, (Model, str), 'a name, or a model: fc.load("model.safetensors")')
    check_type("data", data, Data, 'a data set: fc.open_data("photos")')
    if config is not None:
        check_type("config", config, TrainConfig, "settings: fc.TrainConfig(steps=1000)")
    config = recipe_applied(config or TrainConfig())
    _check_only_of_commands(config)
    if config.inputs and not data.inputs:
        data = with_named_inputs(data, config.inputs)
    if isinstance(model, Model):
        _check_describes(model, config)
    config = resolve_duration(config)
    if isinstance(model, str):
        config = decide_network(config.model_copy(update={"model": model}), data)
        model = initial_model(config, data)
    trainer = Trainer(model, data, config)
    if not trainer.steps:
        for _ in trainer.teacher.prepare() if trainer.teacher else ():
            pass
        trainer.use_plan(plan_minutes(config, measure(trainer), 0))
    return trainer.run()


def _check_only_of_commands(config: TrainConfig) -> None:
    """Check that no setting asks for what `fullconv train` does around the steps.

    Raises:
        ConfigError: one does.
    """
    usual = TrainConfig()
    for name in OF_RUNS:
        if getattr(config, name) != getattr(usual, name):
            raise ConfigError(
                f"{name} is a setting of the command fullconv train; leave it out of fc.train"
            )


def _check_describes(model: Model, config: TrainConfig) -> None:
    """Check that the settings say of a given model what it is; the trainer takes its sizes.

    Raises:
        ConfigError: a setting describes another network, other initial weights or another size.
    """
    facts: dict[str, Any] = {"size": model.size, "input_scale": model.input_scale}
    if architecture := model.network.architecture:
        facts |= {"model": architecture.name}
        shared = ModelSettings.model_fields.keys() & type(architecture).model_fields.keys()
        facts |= {name: getattr(architecture, name) for name in shared}
    given = {name: getattr(config, name) for name in config.model_fields_set}
    wrong = [
        f"{name} is {value!r} in the settings, but {facts[name]!r} in the model"
        for name, value in given.items()
        if name in facts and value != AUTO and (value or None) != (facts[name] or None)
    ]
    if config.weights not in (AUTO, NONE):
        wrong.append(f"weights is {config.weights!r} in the settings, but the model has its own")
    if wrong:
        raise ConfigError(
            f"{'; '.join(sorted(wrong))}: leave the setting out, or give the name of a network "
            "instead of a model"
        )

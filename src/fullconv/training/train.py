"""`fullconv.train`: your own training loop, as an iterator of steps."""

from collections.abc import Iterator
from typing import Any

from fullconv.config import AUTO, NONE, TrainConfig
from fullconv.config.model import ModelSettings
from fullconv.data.sample import Data, with_named_inputs
from fullconv.errors import ConfigError, check_type
from fullconv.model import Model
from fullconv.training.effect import check_effect
from fullconv.training.initial_model import decide_network, initial_model
from fullconv.training.planning import plan_minutes
from fullconv.training.preflight import measure
from fullconv.training.recipes import recipe_applied
from fullconv.training.resolve_network import resolve_network
from fullconv.training.resolve_run import resolve_samples
from fullconv.training.trainer import Step, Trainer, check_data, check_samples

OF_RUNS = ("stages", "train_on", "track")  # settings of what `fullconv train` does around the steps


def train(model: Model | str, data: Data, config: TrainConfig | None = None) -> Iterator[Step]:
    """Train a model on a data set, yielding after every step: your own training loop.

    The steps are those of `fullconv train`: the same settings mean the same, those left open are
    decided in the same way, and the weights after the last step are those that it would save with
    `keep: last`. Before that, `step.model` has the weights in training: without their average
    (`ema`), and with class weights without `logit_adjust`. A loop that is left early ends with
    these.

    A duration in minutes, the default, is turned into a number of steps by a few steps that are
    timed and rolled back; evaluations of your own are not part of it. What happens around the steps
    of `fullconv train` is left to you: evaluating, choosing the best model, and saving it. So the
    settings `evaluate_every` and `keep` have no effect.

    Args:
        model: trained in place, at its own `size` and `input_scale`, with the learning rates of
            random weights: nothing says what a model was trained on, so for a pretrained one set
            `lr`, `backbone_lr_mult` and `freeze_bn`. A name such as "fcn8s-vgg16_bn", or "auto",
            creates a new model, whatever the settings' `model`.
        data: from `open_data`, or your own. Up to 50 samples of it, and up to 1000 masks, are read
            before the first step, to decide the settings that are left open, such as `crop`, `turn`
            and `loss`; nothing is read for settings that are given.
        config: the defaults, those of the recipe "modern", suit a few dozen to a few hundred
            images; another recipe gives others.

    Raises:
        ConfigError: a setting contradicts the model, has no effect, or is one of the command
            alone; an argument has another type.
        DataError: there are no samples, or their classes are not the model's.
    """
    return _run(make_trainer(model, data, config))


def make_trainer(model: Model | str, data: Data, config: TrainConfig | None = None) -> Trainer:
    """Return the training of `train` before its first step, planned; see there."""
    check_type("model", model, (Model, str), 'a name, or a model: fc.load("model.safetensors")')
    check_type("data", data, Data, 'a data set: fc.open_data("photos")')
    if config is not None:
        check_type("config", config, TrainConfig, "settings: fc.TrainConfig(steps=1000)")
    config = config or TrainConfig()
    given = config.model_fields_set - {"evaluate_every"}  # which never has one here
    config = recipe_applied(config)
    check_effect(config, given)
    _check_only_of_commands(config)
    check_samples(data)
    if config.inputs and not data.inputs:
        data = with_named_inputs(data, config.inputs)
    if isinstance(model, Model):
        _check_describes(model, config)
        check_data(model, data)
        config = config.model_copy(update=_facts(model) | {"weights": NONE})
        config = resolve_samples(config, data).config
        if model.network.architecture:
            config, _ = resolve_network(config, data)
    else:
        config = config.model_copy(update={"model": model})
        config = decide_network(resolve_samples(config, data).config, data, callers=2)
        model = initial_model(config, data)
    trainer = Trainer(model, data, config)
    if not trainer.steps:
        for _ in trainer.teacher.prepare() if trainer.teacher else ():
            pass
        trainer.use_plan(plan_minutes(config, measure(trainer), 0))
    return trainer


def _run(trainer: Trainer) -> Iterator[Step]:
    """Yield all steps, and leave the weights of the final model in the network."""
    yield from trainer.run()
    network = trainer.model.network
    with trainer.inference_weights():
        final = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(final)


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


def _facts(model: Model) -> dict[str, Any]:
    """Return the settings that a given model decides: its sizes, and what its network is."""
    facts: dict[str, Any] = {"size": model.size, "input_scale": model.input_scale}
    if architecture := model.network.architecture:
        facts |= {"model": architecture.name}
        shared = ModelSettings.model_fields.keys() & type(architecture).model_fields.keys()
        facts |= {name: getattr(architecture, name) for name in shared}
        # None is the network's default as a setting, but no such layer in an architecture.
        facts |= {name: facts[name] or 0 for name in ("context", "skip_context")}
    return facts


def _check_describes(model: Model, config: TrainConfig) -> None:
    """Check that the settings say of a given model what it is.

    Raises:
        ConfigError: a setting describes another network, other initial weights or another size.
    """
    facts = _facts(model)
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

"""Refuse settings that have no effect beside the others: their user expects one."""

from collections.abc import Callable, Collection, Mapping

from fullconv.config import TrainConfig
from fullconv.errors import ConfigError


def _counts_epochs(config: TrainConfig) -> bool:
    """Whether the duration of the training, or of a stage, is given in epochs or steps."""
    return bool(config.epochs or config.steps or any(stage.epochs for stage in config.stages))


# What a setting needs: whether it is there, and in words.
_NEEDED: Mapping[str, tuple[Callable[[TrainConfig], bool], str]] = {
    "momentum": (lambda config: config.optimizer == "sgd", "optimizer: sgd"),
    "teacher_weight": (lambda config: config.teacher is not None, "a teacher"),
    "final_loss_share": (lambda config: config.final_loss is not None, "a final_loss"),
    "evaluate_every": (_counts_epochs, "a duration in epochs or steps"),
}


def check_effect(config: TrainConfig, given: Collection[str]) -> None:
    """Check that the settings that a user gave have an effect.

    Args:
        config: all settings.
        given: the names of those that the user gave; others may come from a recipe or a file.

    Raises:
        ConfigError: one needs another setting, which is missing; its default is no mistake.
    """
    for name, (is_used, needed) in _NEEDED.items():
        value = getattr(config, name)
        is_default = value == type(config).model_fields[name].default
        if name in given and not is_default and not is_used(config):
            raise ConfigError(
                f"{name} is {value:g}, but it has an effect only with {needed}; add that, or leave "
                f"{name} out"
            )

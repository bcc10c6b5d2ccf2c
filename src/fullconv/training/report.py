"""What a run's report and summary state about it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fullconv._version import __version__
from fullconv.config import RunConfig
from fullconv.training.stages import typical_size
from fullconv.training.trainer import Training


def next_commands(folder: Path, data: str) -> list[str]:
    """What a user may want to run next."""
    return [
        f"fullconv predict {folder} NEW_PHOTOS --out answers",
        f"fullconv evaluate {folder} {data} --split val --json evaluation.json",
    ]


def summary(config: RunConfig, training: Training, evaluated: int) -> str:
    """One sentence about a run: which model, trained and evaluated on how many photos."""
    return (
        f"{config.model}, {len(training.model.classes)} classes, trained on "
        f"{len(training.data)} photos of {config.data}, evaluated on {evaluated}"
    )


def facts(
    config: RunConfig,
    training: Training,
    evaluated: int,
    best_epoch: int,
    history: Sequence[Mapping[str, float]],
) -> dict[str, str]:
    """A run's settings and where they come from, as its report shows them.

    Args:
        config: of the run, with all that was left open decided.
        training: at its end.
        evaluated: photos that it was measured on.
        best_epoch: whose model was kept.
        history: rows of results.csv.
    """
    parameters = sum(p.numel() for p in training.model.network.parameters())
    rate = summed_rate(config, training)
    return {
        "model": f"{config.model}, padding {config.padding}",
        "parameters": f"{parameters:,}",
        "initial weights": config.weights or "drawn at random",
        "data": f"{config.data}: {len(training.data)} to train, {evaluated} to evaluate",
        "photos": f"fitted into {config.size}" if config.size else "at their own size",
        "training windows": str(config.window or "whole photos"),
        "loss": training.loss.describe(),
        "class weights": config.balance,
        "recipe": config.recipe or "modern",
        "optimiser": f"{config.optimizer}, rate {config.learning_rate:g}, {config.schedule}",
        "rate of a summed loss": f"{rate:.2g} (as Caffe's solvers give it)",
        "steps": f"{training.done} of {training.batch} photos ({training.epochs} epochs)",
        "best epoch": str(best_epoch),
        "time": f"{sum(row['seconds'] for row in history) / 60:.1f} minutes",
        "seed": str(config.seed),
        "fullconv": __version__,
    }


def summed_rate(config: RunConfig, training: Training) -> float:
    """The rate that would do the same to Caffe's loss, the sum over a batch's pixels."""
    height, width = config.window or typical_size(training.data, config.size)
    return config.learning_rate / (height * width * training.batch)

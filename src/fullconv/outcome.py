"""What a run brought, told: its numbers, its facts, pictures for its report, what to run next."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from fullconv import __version__
from fullconv.config import RunConfig
from fullconv.evaluation import Evaluation
from fullconv.gallery import Picture
from fullconv.metrics import percent
from fullconv.model import Model
from fullconv.runplan import typical_size
from fullconv.sample import Data
from fullconv.training import Training

GALLERY = 6


def numbers(evaluation: Evaluation) -> dict[str, object]:
    """An evaluation as plain values: the four numbers, per class, and what they mean."""
    confusion = evaluation.confusion
    shares = zip(
        evaluation.classes, confusion.iu, confusion.accuracy, confusion.pixels, strict=True
    )
    per_class = {
        name: {"iu": _plain(iu), "accuracy": _plain(accuracy), "pixels": int(pixels)}
        for name, iu, accuracy, pixels in shares
    }
    four = {name: _plain(value) for name, value in confusion.numbers().items()}
    return {
        **four,
        "per_class": per_class,
        "images": len(evaluation.images),
        "protocol": evaluation.protocol,
    }


def four_numbers(evaluation: Evaluation) -> str:
    """The paper's four numbers in one line."""
    names = ("pixel accuracy", "mean accuracy", "mean IU", "f.w. IU")
    values = evaluation.confusion.numbers().values()
    return "  ".join(f"{name} {percent(value)}" for name, value in zip(names, values, strict=True))


def gallery(
    model: Model, data: Data, evaluation: Evaluation, count: int = GALLERY
) -> list[Picture]:
    """Samples for the report, half of them the best, half the worst, each answered once more."""
    images = evaluation.images
    ranked = sorted(range(len(data)), key=lambda index: -known(images[data.names[index]]))
    best = ranked[: count - count // 2]
    worst = ranked[max(len(best), len(ranked) - count // 2) :]
    pictures = []
    for sample in data.take([*best, *worst]):
        answer = model.predict(sample.image).labels
        picture = Picture(sample.name, sample.image, sample.labels, answer, images[sample.name])
        pictures.append(picture)
    return pictures


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


def known(share: float) -> float:
    """A share to rank by: one that is not known comes after all others."""
    return -1.0 if math.isnan(share) else share


def _plain(share: float) -> float | None:
    return None if math.isnan(share) else float(share)

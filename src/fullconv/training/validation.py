"""Evaluation during training, shared by all processes."""

import math
from collections.abc import Generator, Iterator

import torch

from fullconv.data.formats import open_data
from fullconv.data.sample import Data, joined
from fullconv.errors import NoSplitError
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.scored_samples import score_samples
from fullconv.model import Model
from fullconv.training.distributed import SINGLE_PROCESS, ProcessGroup
from fullconv.training.events import EvalProgress

TRAINED_ON = "val was trained on (train_on: train+val), so its metrics say nothing about new images"
NO_SPLIT = "no val split, so metrics are computed on the training images"


def open_splits(source: str, train_on: str) -> tuple[Data, Data, str]:
    """Return what is trained on, what is evaluated on, and a note about metrics that mean little.

    Args:
        source: the data set.
        train_on: see `TrainConfig`.

    Raises:
        DataError: a split cannot be opened, or train+val is asked for and one is missing.
    """
    train = open_data(source, "train")
    if train_on == "train":
        return train, *open_validation(source, train)
    val = open_data(source, "val")
    return joined(train, val), val, f"; {TRAINED_ON}"


def open_validation(source: str, train: Data) -> tuple[Data, str]:
    """Return the val split, or the training samples and a note if there is none.

    Raises:
        DataError: the val split exists but cannot be opened.
    """
    try:
        val = open_data(source, "val")
    except NoSplitError as error:
        return train, f"; {NO_SPLIT} ({error})"
    return (val, "") if len(val) else (train, f"; {NO_SPLIT}")


def evaluate_in_parts(
    model: Model, data: Data, group: ProcessGroup = SINGLE_PROCESS
) -> Generator[EvalProgress, None, Confusion]:
    """Evaluate a model, yielding the progress; return the confusion matrix of all processes."""
    confusion = Confusion(len(model.classes))
    samples = math.ceil(len(data) / group.size)
    for number, part in enumerate(confusions(model, data, group), 1):
        confusion += part
        yield EvalProgress(number, samples)
    return sum_confusions(confusion, model, group)


def confusions(
    model: Model, data: Data, group: ProcessGroup = SINGLE_PROCESS
) -> Iterator[Confusion]:
    """Yield the confusion matrix of each sample of this process's part.

    Every process yields equally many, if necessary an empty one, so that they stay in step.
    """
    part = data.take(group.shard(range(len(data))))
    scored = score_samples(model, part) if len(part) else iter(())
    for _ in range(0, len(data), group.size):
        result = next(scored, None)
        yield result.confusion if result else Confusion(len(data.classes))


def sum_confusions(confusion: Confusion, model: Model, group: ProcessGroup) -> Confusion:
    """Return the sum of the confusion matrices of all processes."""
    counts = torch.from_numpy(confusion.counts).to(next(model.network.parameters()).device)
    return Confusion(confusion.classes, group.all_reduce_sum(counts).cpu().numpy())

"""Evaluation during training, shared by all processes."""

import math
from collections.abc import Generator, Iterator

import torch

from fullconv.data.formats import open_data
from fullconv.data.sample import Data, joined
from fullconv.errors import NoSplitError
from fullconv.evaluation.head_metrics import HeadMetrics
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
) -> Generator[EvalProgress, None, HeadMetrics[Confusion]]:
    """Evaluate a model, yielding the progress; return the confusions of all processes."""
    total = dict(no_confusions(data).heads)
    samples = math.ceil(len(data) / group.size)
    for number, parts in enumerate(confusions(model, data, group), 1):
        for name, part in parts.heads.items():
            total[name] += part
        yield EvalProgress(number, samples)
    return HeadMetrics({n: sum_confusions(each, model, group) for n, each in total.items()})


def no_confusions(data: Data) -> HeadMetrics[Confusion]:
    """Return confusion matrices without pixels, for each head of a data set."""
    return HeadMetrics(
        {name: Confusion(len(head.classes)) for name, head in data.by_head().items()}
    )


def confusions(
    model: Model, data: Data, group: ProcessGroup = SINGLE_PROCESS
) -> Iterator[HeadMetrics[Confusion]]:
    """Yield the confusion matrices of each sample of this process's part, for each head.

    Every process yields equally many, if necessary empty ones, so that they stay in step.
    """
    part = data.take(group.shard(range(len(data))))
    scored = score_samples(model, part) if len(part) else iter(())
    for _ in range(0, len(data), group.size):
        result = next(scored, None)
        heads = {n: each.confusion for n, each in result.by_head().items()} if result else {}
        yield HeadMetrics(heads) if heads else no_confusions(data)


def sum_confusions(confusion: Confusion, model: Model, group: ProcessGroup) -> Confusion:
    """Return the sum of the confusion matrices of all processes."""
    counts = torch.from_numpy(confusion.counts).to(next(model.network.parameters()).device)
    return Confusion(confusion.classes, group.all_reduce_sum(counts).cpu().numpy())

"""Evaluate during training, shared by all processes."""

from collections.abc import Iterator

import torch

from fullconv.data.sample import Data
from fullconv.evaluation.evaluate import score_each
from fullconv.evaluation.metrics import Confusion, total
from fullconv.model import Model
from fullconv.training.distributed import ALONE, ProcessGroup


def confusion_of(model: Model, data: Data, team: ProcessGroup = ALONE) -> Confusion:
    """The confusion matrix over a data set, each process of a team with its part of the samples.

    It is exactly the one of a process alone: whole numbers are added, each sample once.
    """
    return added_up(total(confusions(model, data, team), len(data.classes)), model, team)


def confusions(model: Model, data: Data, team: ProcessGroup = ALONE) -> Iterator[Confusion]:
    """A confusion matrix for each sample of this process's part; equally many in all of them."""
    part = data.take(team.share(range(len(data))))
    scored = score_each(model, part) if len(part) else iter(())
    for _ in range(0, len(data), team.size):
        one = next(scored, None)
        yield one.confusion if one else Confusion(len(data.classes))


def added_up(confusion: Confusion, model: Model, team: ProcessGroup) -> Confusion:
    """The sum of the confusion matrices that the processes have."""
    counts = torch.from_numpy(confusion.counts).to(next(model.network.parameters()).device)
    return Confusion(confusion.classes, team.all_reduce_sum(counts).cpu().numpy())

"""How good a model is: one confusion matrix over a data set, at the labels' own size."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from fullconv.answerfiles import AnswerReader, answer_files
from fullconv.errors import DataError
from fullconv.metrics import Confusion, total
from fullconv.model import Model
from fullconv.prediction import Prediction
from fullconv.sample import Data, Sample
from fullconv.team import ALONE, Team


@dataclass(frozen=True)
class Scored:
    """One sample, its answer, and the pixels counted.

    `answer` is None where answers were read from files.
    """

    sample: Sample
    answer: Prediction | None
    confusion: Confusion


@dataclass(frozen=True)
class Evaluation:
    """The numbers of one model on one data set.

    Attributes:
        classes: names of the classes.
        confusion: over all pixels of all samples.
        images: sample name -> its own mean IU, for finding the worst; not part of `mean_iu`.
        protocol: what the numbers mean.
    """

    classes: tuple[str, ...]
    confusion: Confusion
    images: dict[str, float] = field(repr=False)
    protocol: str = ""

    @property
    def pixel_accuracy(self) -> float:
        """Share of all pixels that were answered rightly, in [0, 1]."""
        return self.confusion.pixel_accuracy

    @property
    def mean_accuracy(self) -> float:
        """Mean over the classes of their accuracy, in [0, 1]."""
        return self.confusion.mean_accuracy

    @property
    def mean_iu(self) -> float:
        """Mean over the classes of intersection over union, in [0, 1]."""
        return self.confusion.mean_iu

    @property
    def frequency_weighted_iu(self) -> float:
        """Intersection over union weighted by the classes' pixels, in [0, 1]."""
        return self.confusion.frequency_weighted_iu


def evaluate(model: Model, data: Data) -> Evaluation:
    """Measure a model on a data set.

    Raises:
        DataError: the data set has other classes than the model, or no samples.
    """
    return summarise(score_each(model, data), data, model.protocol)


def confusion_of(model: Model, data: Data, team: Team = ALONE) -> Confusion:
    """The confusion matrix over a data set, each process of a team with its part of the samples.

    It is exactly the one of a process alone: whole numbers are added, each sample once.
    """
    return added_up(total(confusions(model, data, team), len(data.classes)), model, team)


def confusions(model: Model, data: Data, team: Team = ALONE) -> Iterator[Confusion]:
    """A confusion matrix for each sample of this process's part; equally many in all of them."""
    part = data.take(team.share(range(len(data))))
    scored = score_each(model, part) if len(part) else iter(())
    for _ in range(0, len(data), team.size):
        one = next(scored, None)
        yield one.confusion if one else Confusion(len(data.classes))


def added_up(confusion: Confusion, model: Model, team: Team) -> Confusion:
    """The sum of the confusion matrices that the processes have."""
    counts = torch.from_numpy(confusion.counts).to(next(model.network.parameters()).device)
    return Confusion(confusion.classes, team.add_up(counts).cpu().numpy())


def score_each(model: Model, data: Data) -> Iterator[Scored]:
    """Predict every sample of a data set and count its pixels, one at a time."""
    if data.classes != model.classes:
        raise DataError(
            f"{data.source} has the classes {', '.join(data.classes)}; the model answers "
            f"{', '.join(model.classes)}: evaluate it on data with its own classes"
        )
    if not len(data):
        raise DataError(f"{data.source} has no samples to evaluate on (split {data.split})")
    for sample in data:
        answer = model.predict(sample.image)
        confusion = Confusion(len(data.classes))
        confusion.add(sample.labels, answer.labels)
        yield Scored(sample, answer, confusion)


def score_files(folder: Path, data: Data) -> Iterator[Scored]:
    """Count the pixels of anybody's answers: one indexed PNG a sample, named like it.

    Raises:
        DataError: an answer is missing, has another size than its labels, or holds what is no
            class; see `answerfiles`.
    """
    files, read = answer_files(folder, data.names), AnswerReader(data)
    for sample in data:
        answer = read(files[sample.name], sample.labels.shape)
        confusion = Confusion(len(data.classes))
        confusion.add(sample.labels, answer)
        yield Scored(sample, None, confusion)


def summarise(scored: Iterable[Scored], data: Data, protocol: str) -> Evaluation:
    """The numbers over all that was scored."""
    parts = {one.sample.name: one.confusion for one in scored}
    images = {name: confusion.mean_iu for name, confusion in parts.items()}
    confusion = total(parts.values(), len(data.classes))
    return Evaluation(data.classes, confusion, images, protocol)

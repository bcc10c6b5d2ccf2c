"""How good a model is: one confusion matrix over a data set, at the labels' own size."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fullconv.data.sample import Data, Sample
from fullconv.errors import DataError
from fullconv.evaluation.metrics import Confusion, total
from fullconv.evaluation.prediction_files import AnswerReader, answer_files
from fullconv.inference.predictor import Prediction
from fullconv.inference.tta import tta_protocol
from fullconv.model import Model


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


def evaluate(
    model: Model, data: Data, *, tta: bool = False, scales: Sequence[float] | None = None
) -> Evaluation:
    """Measure a model on a data set; `tta` and `scales` are those of `Model.predict`.

    Raises:
        DataError: the data set has other classes than the model, or no samples.
    """
    if scales is None and tta:
        scales = model.tta_scales
    protocol = model.protocol + tta_protocol(scales)
    return summarise(score_each(model, data, scales), data, protocol)


def score_each(model: Model, data: Data, scales: Sequence[float] | None = None) -> Iterator[Scored]:
    """Predict each sample of a data set and count its pixels, one at a time.

    With `scales`, predictions use test-time augmentation.
    """
    if data.classes != model.classes:
        raise DataError(
            f"{data.source} has the classes {', '.join(data.classes)}; the model answers "
            f"{', '.join(model.classes)}: evaluate it on data with its own classes"
        )
    if not len(data):
        raise DataError(f"{data.source} has no samples to evaluate on (split {data.split})")
    for sample in data:
        answer = model.predict(sample.image, scales=scales)
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

"""Evaluate a model, or prediction files, on a data set."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fullconv.data.sample import Data, Sample
from fullconv.errors import DataError
from fullconv.evaluation.metrics import Confusion, Matrix, Metrics, merge_confusions
from fullconv.evaluation.prediction_files import find_prediction_files
from fullconv.evaluation.prediction_values import PredictionReader
from fullconv.inference.predictor import Prediction
from fullconv.inference.tta import tta_protocol
from fullconv.model import Model


@dataclass(frozen=True)
class ScoredSample:
    """A sample, its prediction and its confusion matrix.

    `prediction` is None for predictions that were read from files.
    """

    sample: Sample
    prediction: Prediction | None
    confusion: Confusion


@dataclass(frozen=True)
class Evaluation(Metrics):
    """The metrics of a model on a data set, such as `mean_iou` and `pixel_accuracy`.

    Attributes:
        classes: class names.
        confusion: confusion matrix over all pixels of all samples.
        image_iou: sample name -> mean IoU of that image alone, to find the worst images; their
            mean is not `mean_iou`.
        protocol: how the metrics were computed, in one line.
    """

    classes: tuple[str, ...]
    confusion: Confusion
    image_iou: dict[str, float] = field(repr=False)
    protocol: str = ""

    @property
    def _matrix(self) -> Matrix:
        return self.confusion.counts

    def to_dict(self) -> dict[str, object]:
        """Return the metrics, overall and per class, as plain values for JSON; nan is None."""
        columns = zip(self.classes, self.iou, self.accuracy, self.pixels, strict=True)
        per_class = {
            name: {
                "iou": _nan_to_none(iou),
                "accuracy": _nan_to_none(accuracy),
                "pixels": int(count),
            }
            for name, iou, accuracy, count in columns
        }
        return {
            **{name: _nan_to_none(value) for name, value in self.paper_metrics().items()},
            "share_without_prediction": _nan_to_none(self.share_without_prediction),
            "per_class": per_class,
            "images": len(self.image_iou),
            "protocol": self.protocol,
        }


def evaluate(
    model: Model, data: Data, *, tta: bool = False, scales: Sequence[float] | None = None
) -> Evaluation:
    """Evaluate a model on a data set, at the full size of the labels.

    `tta` and `scales` are those of `Model.predict`.

    Raises:
        DataError: the data set has other classes than the model, or no samples.
    """
    if scales is None and tta:
        scales = model.tta_scales
    protocol = model.protocol + tta_protocol(scales)
    return summarize(score_samples(model, data, scales), data, protocol)


def score_samples(
    model: Model, data: Data, scales: Sequence[float] | None = None
) -> Iterator[ScoredSample]:
    """Predict and score the samples of a data set, one at a time; with TTA if `scales` are given.

    Raises:
        DataError: the data set has other classes than the model, or no samples.
    """
    if data.classes != model.classes:
        raise DataError(
            f"the classes {', '.join(data.classes)}",
            expected=f"those of the model, {', '.join(model.classes)}",
            remedy="evaluate it on data with its own classes",
            where=data.source,
        )
    if not len(data):
        raise DataError(
            f"no samples to evaluate on in the split {data.split or 'all'}",
            expected="at least one",
            where=data.source,
        )
    for sample in data:
        prediction = model.predict(sample.image, scales=scales)
        confusion = Confusion(len(data.classes))
        confusion.add(sample.labels, prediction.labels)
        yield ScoredSample(sample, prediction, confusion)


def open_predictions(folder: Path, data: Data) -> PredictionReader:
    """Find the predictions of any software: one indexed PNG per sample, with the sample's name.

    Raises:
        DataError: a prediction is missing.
    """
    return PredictionReader(data, tuple(find_prediction_files(folder, data.names).values()))


def score_prediction_files(
    predictions: Path | PredictionReader, data: Data
) -> Iterator[ScoredSample]:
    """Score the predictions of any software, in a folder.

    Raises:
        DataError: a prediction is missing, differs in size from its labels, or has a value that is
            not a class, or it is open what the values mean; see `PredictionReader`.
    """
    read = open_predictions(predictions, data) if isinstance(predictions, Path) else predictions
    for sample, path in zip(data, read.files, strict=True):
        labels = read(path, sample.labels.shape)
        confusion = Confusion(len(data.classes))
        confusion.add(sample.labels, labels)
        yield ScoredSample(sample, None, confusion)


def summarize(scored: Iterable[ScoredSample], data: Data, protocol: str) -> Evaluation:
    """Return the metrics over all scored samples."""
    parts = {item.sample.name: item.confusion for item in scored}
    image_iou = {name: confusion.mean_iou for name, confusion in parts.items()}
    confusion = merge_confusions(parts.values(), len(data.classes))
    return Evaluation(data.classes, confusion, image_iou, protocol)


def _nan_to_none(share: float) -> float | None:
    return None if math.isnan(share) else float(share)

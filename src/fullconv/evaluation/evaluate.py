"""Evaluate a model, or prediction files, on a data set."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fullconv.data.discovery.resplit import sample_groups, without_groups
from fullconv.data.sample import Data
from fullconv.errors import ConfigError, DataError
from fullconv.evaluation.confidence_intervals import Resampled, choose_units, resample
from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.image_counts import ImageCounts, class_counts, class_f1, class_precision
from fullconv.evaluation.image_table import ImageTable, ImageTableBuilder
from fullconv.evaluation.metrics import Confusion, Matrix, Metrics
from fullconv.evaluation.prediction_values import PredictionReader
from fullconv.evaluation.scored_samples import (
    ScoredSample,
    open_predictions,
    score_prediction_files,
    score_samples,
)
from fullconv.inference.tta_scales import tta_protocol
from fullconv.model import Model
from fullconv.weights.fingerprint import model_fingerprint

if TYPE_CHECKING:
    from fullconv.evaluation.explanation import Explanation, ExplanationBuilder
    from fullconv.evaluation.suspects import Suspect, SuspectFinder

Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Passes items on while it shows progress: (items, their number, what is done) -> the items."""

FILES_PROTOCOL = (
    "{classes} classes; ignored pixels (255) excluded; absent classes excluded from "
    "means; PNGs at the labels' own size, read as {rule}; one confusion matrix over all pixels"
)
WORST = 5  # percent of the images that `worst_images` and `worst_classes` average over


@dataclass(frozen=True)
class Evaluation(Metrics):
    """The metrics of a model on a data set, such as `mean_iou` and `pixel_accuracy`.

    Attributes:
        classes: class names.
        confusion: confusion matrix over all pixels of all samples.
        images: counts and measurements of each image.
        protocol: how the metrics were computed, in one line.
        groups: the group of each image, if a rule was given.
        data: the data set as the user named it.
        split: its split; "all" for all samples.
        model: name of the model, if the caller gave one.
        model_digest: fingerprint of the model's weights; "" for predictions from files.
        engine: what computed the scores; "" for predictions from files.
        explanation: where mean IoU is lost; None unless it was asked for.
        suspects: suspected label errors, the most suspicious first; () unless asked for.
    """

    classes: tuple[str, ...]
    confusion: Confusion
    images: ImageTable = field(repr=False)
    protocol: str = ""
    groups: tuple[str, ...] | None = field(default=None, repr=False)
    data: str = ""
    split: str = ""
    model: str = ""
    model_digest: str = ""
    engine: str = ""
    explanation: "Explanation | None" = field(default=None, repr=False)
    suspects: "tuple[Suspect, ...]" = field(default=(), repr=False)

    @property
    def _matrix(self) -> Matrix:
        return self.confusion.counts

    @property
    def counts(self) -> ImageCounts:
        """True positives, false positives and false negatives of each image."""
        return self.images.counts

    @property
    def image_iou(self) -> dict[str, float]:
        """Sample name -> mean IoU of that image alone; their mean is not `mean_iou`."""
        return dict(zip(self.counts.names, self.counts.image_iou.tolist(), strict=True))

    @cached_property
    def resampled(self) -> Resampled:
        """Mean IoU and IoU in resamples of the images, with their confidence intervals."""
        counts = self.counts
        valid = np.flatnonzero(counts.present.any(1))
        groups = [self.groups[index] for index in valid] if self.groups else None
        kept = counts.take(valid.tolist())
        return resample(kept, choose_units(kept.names, groups))

    def to_dict(self) -> dict[str, object]:
        """Return the metrics, overall and per class, as plain values for JSON; nan is None."""
        counts, resampled = self.counts, self.resampled
        means = {
            "mean_iou_images": counts.mean_iou_images(),
            "mean_iou_classes": counts.mean_iou_classes(),
            f"worst_{WORST}_percent_images": counts.mean_iou_images(WORST),
            f"worst_{WORST}_percent_classes": counts.mean_iou_classes(WORST),
            "share_without_prediction": self.share_without_prediction,
        }
        return {
            **{name: _nan_to_none(value) for name, value in self.paper_metrics().items()},
            **{name: _nan_to_none(value) for name, value in means.items()},
            "mean_iou_interval": _as_list(resampled.interval),
            "interval_unit": str(resampled.units),
            "per_class": self._per_class(),
            "images": len(counts.names),
            "protocol": self.protocol,
            "data": self.data,
            "split": self.split,
            "labels_digest": self.images.digest,
            **({"model": self.model} if self.model else {}),
            **({"model_digest": self.model_digest} if self.model_digest else {}),
            **({"engine": self.engine} if self.engine else {}),
            **({"explanation": self.explanation.to_dict()} if self.explanation else {}),
            **(
                {"suspects": [s.to_dict(self.classes) for s in self.suspects]}
                if self.suspects
                else {}
            ),
        }

    def _per_class(self) -> dict[str, object]:
        total = class_counts(self.confusion)
        columns: dict[str, Iterable[Any]] = {
            "iou": map(_nan_to_none, self.iou),
            "interval": map(_as_list, self.resampled.class_intervals),
            "accuracy": map(_nan_to_none, self.accuracy),
            "precision": map(_nan_to_none, class_precision(total)),
            "f1": map(_nan_to_none, class_f1(total)),
            "pixels": map(int, self.pixels),
            "images": map(int, self.counts.present.sum(0)),
            "invented_in_images": map(int, self.counts.invented),
        }
        rows = zip(*columns.values(), strict=True)
        return {
            name: dict(zip(columns, row, strict=True))
            for name, row in zip(self.classes, rows, strict=True)
        }


class HeadEvaluations(HeadMetrics[Evaluation]):
    """The evaluation of each head of a model."""

    def to_dict(self) -> dict[str, object]:
        """Return the metrics as plain values for JSON.

        Those of a model with one head are `Evaluation.to_dict`. With several, the paper's metrics
        are means over the heads, and "heads" has the metrics of each by its name.
        """
        heads = {name: evaluation.to_dict() for name, evaluation in self.heads.items()}
        if "" in heads:
            return heads[""]
        means = HeadMetrics(self.heads).paper_metrics()
        kept = {name: _nan_to_none(means[name]) for name in self.first.paper_metrics()}
        return {**kept, "heads": heads}


def evaluate(
    model: Model,
    data: Data,
    *,
    tta: bool = False,
    scales: Sequence[float] | None = None,
    groups: str | None = None,
    explain: bool = False,
    suspects: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a model on a data set, at the full size of the labels.

    `tta` and `scales` are those of `Model.predict`.

    Args:
        model: the model.
        data: the data set; it is read once, one sample at a time.
        tta: test-time augmentation at the model's scales.
        scales: scales for test-time augmentation instead; implies `tta`.
        groups: rule by which images are grouped, such as "clip" or a regular expression; see
            `open_data`. None for the rule of `data`, if it has one.
        explain: also measure boundaries, kinds of errors and calibration; see
            `Evaluation.explanation`. Takes about a third of a second for 480 x 360 pixels.
        suspects: how many suspected label errors to look for; see `Evaluation.suspects`.
        progress: passes the samples on and shows how many are done, e.g. with tqdm:
            `lambda items, total, what: tqdm(items, what, total)`.

    Raises:
        DataError: the data set has other classes than the model, or no samples.
        ConfigError: the model has several heads; see `evaluate_heads`.
    """
    if model.heads:
        names = ", ".join(head.name for head in model.heads)
        raise ConfigError(
            f"the model has the heads {names}; evaluate_heads(model, data) evaluates all of them"
        )
    options: Any = {"groups": groups, "explain": explain, "suspects": suspects}
    return evaluate_heads(model, data, tta=tta, scales=scales, progress=progress, **options).first


def evaluate_heads(
    model: Model,
    data: Data,
    *,
    tta: bool = False,
    scales: Sequence[float] | None = None,
    groups: str | None = None,
    explain: bool = False,
    suspects: int = 0,
    progress: Progress | None = None,
) -> HeadEvaluations:
    """Evaluate all heads of a model on a data set with the same heads; each image is computed once.

    The arguments are those of `evaluate`. A model with one head has its evaluation by the name "".

    Raises:
        DataError: the data set has other classes or heads than the model, or no samples.
    """
    if scales is None and tta:
        scales = model.tta_scales
    keep = explain or suspects > 0
    scored: Iterable[ScoredSample] = score_samples(model, data, scales=scales, keep_scores=keep)
    if progress:
        scored = progress(scored, len(data), "evaluating")
    protocols = model.protocols(tta_protocol(scales))
    found = summarize_heads(scored, data, protocols, groups, explain, suspects)
    facts: Any = {"model_digest": model_fingerprint(model), "engine": model.engine}
    return HeadEvaluations({name: replace(each, **facts) for name, each in found.heads.items()})


def evaluate_files(
    predictions: Path | PredictionReader,
    data: Data,
    *,
    groups: str | None = None,
    explain: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate the predictions of any software: one indexed PNG per sample, with its name.

    Args:
        predictions: their folder, or what `open_predictions` found in it.
        data: the data set.
        groups: as for `evaluate`, like the other arguments.
        explain: see there.
        progress: see there.

    Raises:
        DataError: see `score_prediction_files`; or the data set has labels of several heads.
    """
    if data.heads:
        names = ", ".join(head.name for head in data.heads)
        raise DataError(
            f"labels of the heads {names}",
            expected="those of one, which the predictions are of",
            remedy=f'evaluate data.head("{data.heads[0].name}")',
            where=data.source,
        )
    reader = open_predictions(predictions, data)
    protocol = FILES_PROTOCOL.format(classes=len(data.classes), rule=reader.table.rule)
    scored: Iterable[ScoredSample] = score_prediction_files(reader, data)
    if progress:
        scored = progress(scored, len(data), "evaluating")
    return summarize(scored, data, protocol, groups, explain)


def summarize(
    scored: Iterable[ScoredSample],
    data: Data,
    protocol: str,
    groups: str | None = None,
    explain: bool = False,
    suspects: int = 0,
) -> Evaluation:
    """Return the metrics over all scored samples; the other arguments are those of `evaluate`."""
    return summarize_heads(scored, data, {"": protocol}, groups, explain, suspects).first


def summarize_heads(
    scored: Iterable[ScoredSample],
    data: Data,
    protocols: Mapping[str, str],
    groups: str | None = None,
    explain: bool = False,
    suspects: int = 0,
) -> HeadEvaluations:
    """Return the metrics over all scored samples, for each head.

    Args:
        scored: the samples, with the heads of the data set.
        data: the data set.
        protocols: name of the head, "" for a single one -> how its metrics are computed.
        groups: as for `evaluate`, like the other arguments.
        explain: see there.
        suspects: see there.
    """
    rule = groups or without_groups(data.source)[1]
    grouped = tuple(map(sample_groups(rule), data.names)) if rule else None  # or fail before work
    sums = {name: _Sums(head, explain, suspects) for name, head in data.by_head().items()}
    for item in scored:
        for name, part in item.by_head().items():
            sums[name].add(part)
    return HeadEvaluations({name: sums[name].result(protocols[name], grouped) for name in sums})


class _Sums:
    """What is kept of the scored samples of one head."""

    def __init__(self, data: Data, explain: bool, suspects: int) -> None:
        self.data = data
        self.total, self.images = Confusion(len(data.classes)), ImageTableBuilder()
        self.explanation = _explanation_builder(data.classes) if explain else None
        self.finder = _suspect_finder(suspects) if suspects else None

    def add(self, item: ScoredSample) -> None:
        """Count a sample."""
        self.total += item.confusion
        score = item.prediction.score if item.prediction else None
        self.images.add(item.sample.name, item.sample.labels, item.labels, item.confusion, score)
        if self.explanation:
            self.explanation.add(item.sample.labels, item.labels, score)
        if self.finder and score is not None:
            self.finder.add(item.sample.name, item.sample.labels, item.labels, score)

    def result(self, protocol: str, groups: tuple[str, ...] | None) -> Evaluation:
        """Return the metrics."""
        data, table = self.data, self.images.table(len(self.data.classes))
        facts = protocol, groups, data.source, data.split or "all"
        evaluation = Evaluation(data.classes, self.total, table, *facts)
        found = tuple(self.finder.found) if self.finder else ()
        if self.explanation is None:
            return replace(evaluation, suspects=found)
        units = choose_units(table.names, groups)
        explanation = self.explanation.result(self.total, units)
        return replace(evaluation, suspects=found, explanation=explanation)


def _explanation_builder(classes: tuple[str, ...]) -> "ExplanationBuilder":
    from fullconv.evaluation.explanation import ExplanationBuilder  # scipy is slow to import

    return ExplanationBuilder(classes)


def _suspect_finder(limit: int) -> "SuspectFinder":
    from fullconv.evaluation.suspects import SuspectFinder

    return SuspectFinder(limit)


def _as_list(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [*interval]


def _nan_to_none(share: float) -> float | None:
    return None if math.isnan(share) else float(share)

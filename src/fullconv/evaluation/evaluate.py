"""Evaluate a model, or prediction files, on a data set."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullconv.data.discovery.resplit import sample_groups, without_groups
from fullconv.data.sample import Data
from fullconv.errors import ConfigError, DataError, check_type
from fullconv.evaluation.confidence_intervals import choose_units
from fullconv.evaluation.evaluation import Evaluation, HeadEvaluations
from fullconv.evaluation.image_table import ImageTableBuilder
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.prediction_values import PredictionReader
from fullconv.evaluation.scored_samples import (
    ScoredSample,
    open_predictions,
    score_prediction_files,
    score_samples,
)
from fullconv.inference.tta_scales import check_scales, tta_protocol
from fullconv.model import Model
from fullconv.weights.fingerprint import model_fingerprint

if TYPE_CHECKING:
    from fullconv.evaluation.explanation import ExplanationBuilder
    from fullconv.evaluation.suspects import SuspectFinder

MODEL = 'a model: fc.load("runs/train/photos-001")'
DATA = 'a data set: fc.open_data("photos", split="val")'

Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Passes items on while it shows progress: (items, their number, what is done) -> the items."""

FILES_PROTOCOL = (
    "{classes} classes; ignored pixels (255) excluded; absent classes excluded from "
    "means; PNGs at the labels' own size, read as {rule}; one confusion matrix over all pixels"
)


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
        ConfigError: the model has several heads; see `evaluate_heads`. Or an argument is of another
            type, a scale is outside [0.1, 10], or `suspects` is negative.
    """
    check_type("model", model, Model, MODEL)
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
    check_type("model", model, Model, MODEL)
    check_type("data", data, Data, DATA)
    if suspects < 0:
        raise ConfigError(f"suspects is {suspects}; expected how many to look for, 0 for none")
    if scales is not None:
        scales = check_scales(scales)
    elif tta:
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

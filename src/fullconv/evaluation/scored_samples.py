"""Predict samples, or read their predictions, and count their pixels: one sample at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import UInt8

from fullconv.data.sample import Data, Sample
from fullconv.engines.workload import images_at_once, memory_for_images
from fullconv.errors import DataError, MemoryBudgetError
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.prediction_files import find_prediction_files
from fullconv.evaluation.prediction_values import PredictionReader
from fullconv.hardware import SHARE, computing_threads, free_memory, thread_pool
from fullconv.inference.planner.memory_cost import runtime_pixel_bytes
from fullconv.inference.prediction import Prediction
from fullconv.io.images import fit_size
from fullconv.model import Model


@dataclass(frozen=True)
class ScoredSample:
    """A sample, its prediction and its confusion matrix.

    Attributes:
        sample: image and labels.
        labels: the predicted class of each pixel; 255 for none.
        prediction: None for predictions that were read from files.
        confusion: confusion matrix of this sample.
        heads: the same for each of several heads by its name, the first of which is this one; {}
            for one head.
    """

    sample: Sample
    labels: UInt8[np.ndarray, "H W"]
    prediction: Prediction | None
    confusion: Confusion
    heads: Mapping[str, "ScoredSample"] = field(default_factory=dict)

    def by_head(self) -> Mapping[str, "ScoredSample"]:
        """Return the scored sample of each head by its name; with one head, itself by ""."""
        return self.heads or {"": self}


def score_samples(
    model: Model,
    data: Data,
    indices: Sequence[int] | None = None,
    *,
    scales: Sequence[float] | None = None,
    keep_scores: bool = False,
) -> Iterator[ScoredSample]:
    """Predict and score the samples of a data set, in order; with TTA if `scales` are given.

    On a CPU, as many are predicted side by side as there are cores, each on one.

    Args:
        model: the model.
        data: the data set.
        indices: of the samples; None for all.
        scales: see `Model.predict`.
        keep_scores: keep the scores of images that are processed in parts, too.

    Raises:
        DataError: the data set has other classes or heads than the model, or no samples.
    """
    data.check_classes(model.classes, _remedy(model, data), model.heads)
    if not len(data):
        raise DataError(
            f"no samples to evaluate on in the split {data.split or 'all'}",
            expected="at least one",
            where=data.source,
        )
    scaled = data.scaled_for(model.band_choice).with_inputs(model.inputs)
    chosen = scaled if indices is None else scaled.take(indices)
    shape = chosen[0].image.shape if len(chosen) else (1, 1)
    at_once = samples_at_once(model, shape, len(chosen), scales)
    # Predictions wait for their turn with their scores: `at_once` computed, one waiting, one used.
    memory = int(SHARE * free_memory() / (at_once + 2)) if at_once > 1 else None
    alone = Lock()

    def score(sample: Sample) -> ScoredSample:
        given: Any = {"scales": scales, "scores": keep_scores}
        # The engine's images are computed whole, whatever memory is free now.
        limit = None if model.engine_takes(sample.image.shape, scales) else memory
        try:
            prediction = model.predict(sample.image, memory=limit, **given)
        except MemoryBudgetError:
            if memory is None:
                raise
            with alone:
                prediction = model.predict(sample.image, **given)
        return _compare(replace(sample, image=prediction.image), prediction)  # the photo

    yield from map(score, chosen) if at_once <= 1 else _map_ahead(score, chosen, at_once)


def samples_at_once(
    model: Model, shape: Sequence[int], samples: int, scales: Sequence[float] | None = None
) -> int:
    """Return how many samples are predicted at once; GPUs and exported files share one by layers.

    Args:
        model: predicts them.
        shape: (height, width, ...) of a typical image.
        samples: their number.
        scales: see `Model.predict`.
    """
    parameter = next(model.network.parameters(), None)
    if parameter is None or parameter.device.type != "cpu":
        return 1
    factor = model.input_scale * max(scales or (1.0,))
    return images_at_once(
        fit_size((shape[0], shape[1]), model.size, factor),
        samples,
        computing_threads(),
        partial(runtime_pixel_bytes, model.network, model.channels),
        memory_for_images(None),
    )


def score_head(
    head: str, model: Model, data: Data, indices: Sequence[int] | None = None, **options: Any
) -> Iterator[ScoredSample]:
    """Predict and score the samples with all heads of the model, and yield one head's.

    The other arguments are those of `score_samples`; the head of a model with one is "".
    """
    for scored in score_samples(model, data, indices, **options):
        yield scored.by_head()[head]


def _remedy(model: Model, data: Data) -> str:
    """Return what to do if the classes of a model and a data set differ."""
    if model.heads and not data.heads:
        return f"choose one of the model, e.g. --head {model.heads[0].name}"
    if data.heads and not model.heads:
        return f"choose one of the data set, e.g. ?head={data.heads[0].name}"
    return "evaluate it on data with its own classes"


def _compare(sample: Sample, prediction: Prediction) -> ScoredSample:
    """Count the pixels of a sample, for each of its heads if there are several."""
    confusion = Confusion(len(prediction.classes))
    confusion.add(sample.labels, prediction.labels)
    parts = zip(prediction.heads.items(), (sample.labels, *sample.others), strict=False)
    heads = {
        name: _compare(replace(sample, labels=labels, others=()), part)
        for (name, part), labels in parts
    }
    return ScoredSample(sample, prediction.labels, prediction, confusion, heads)


def _map_ahead(
    score: Callable[[Sample], ScoredSample], samples: Iterable[Sample], at_once: int
) -> Iterator[ScoredSample]:
    """Score samples side by side; they are read here, since not all formats take threads."""
    pool, waiting = thread_pool(at_once), deque[Future[ScoredSample]]()
    try:
        for sample in samples:
            waiting.append(pool.submit(score, sample))
            if len(waiting) > at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def open_predictions(predictions: Path | PredictionReader, data: Data) -> PredictionReader:
    """Find the predictions of any software: one indexed PNG per sample, with the sample's name.

    Args:
        predictions: their folder; what was found already is returned.
        data: the data set.

    Raises:
        DataError: a prediction is missing.
    """
    if isinstance(predictions, PredictionReader):
        return predictions
    return PredictionReader(data, tuple(find_prediction_files(predictions, data.names).values()))


def score_prediction_files(
    predictions: Path | PredictionReader, data: Data, indices: Sequence[int] | None = None
) -> Iterator[ScoredSample]:
    """Score the predictions of any software, in a folder; those of `indices`, or all.

    Raises:
        DataError: a prediction is missing, differs in size from its labels, or has a value that is
            not a class, or it is open what the values mean; see `PredictionReader`.
    """
    read = open_predictions(predictions, data)
    for index in range(len(data)) if indices is None else indices:
        sample = data[index]
        labels = read(read.files[index], sample.labels.shape)
        confusion = Confusion(len(data.classes))
        confusion.add(sample.labels, labels)
        yield ScoredSample(sample, labels, None, confusion)

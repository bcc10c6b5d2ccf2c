"""Summarize an evaluation: one line of metrics, and samples for the report's gallery."""

import math

from fullconv.data.sample import Data
from fullconv.evaluation.evaluation import Evaluation
from fullconv.evaluation.metrics import Metrics, format_percent
from fullconv.evaluation.report.gallery import GallerySample
from fullconv.model import Model

GALLERY_SIZE = 6


def format_metrics(metrics: Metrics) -> str:
    """Format the paper's four metrics in one line."""
    names = ("pixel accuracy", "mean accuracy", "mean IoU", "frequency-weighted IoU")
    values = metrics.paper_metrics().values()
    return "  ".join(f"{name} {format_percent(v)}" for name, v in zip(names, values, strict=True))


def choose_gallery(
    model: Model, data: Data, evaluation: Evaluation, count: int = GALLERY_SIZE, head: str = ""
) -> list[GallerySample]:
    """Return the `count` samples with the best and the worst mean IoU, half each, best first.

    Each is predicted again: an evaluation does not keep predictions.

    Args:
        model: the evaluated model.
        data: the evaluated samples, with the labels of one head.
        evaluation: that of the head.
        count: number of samples.
        head: name of the head; "" for a model of one.
    """
    image_iou = evaluation.image_iou
    ranked = sorted(
        range(len(data)), key=lambda index: -nan_to_lowest(image_iou[data.names[index]])
    )
    best = ranked[: count - count // 2]
    worst = ranked[max(len(best), len(ranked) - count // 2) :]
    samples = []
    chosen = data.scaled_for(model.band_choice).with_inputs(model.inputs).take([*best, *worst])
    for sample in chosen:
        found = model.predict(sample.image).by_head()[head]
        samples.append(
            GallerySample(
                sample.name, found.image, sample.labels, found.labels, image_iou[sample.name]
            )
        )
    return samples


def nan_to_lowest(share: float) -> float:
    """Return a share for ranking: nan ranks below every other."""
    return -1.0 if math.isnan(share) else share

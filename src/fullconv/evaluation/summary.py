"""What a run brought, told: its numbers, its facts, pictures for its report, what to run next."""

import math

from fullconv.data.sample import Data
from fullconv.evaluation.evaluate import Evaluation
from fullconv.evaluation.metrics import percent
from fullconv.evaluation.report.gallery import Picture
from fullconv.model import Model

GALLERY = 6


def numbers(evaluation: Evaluation) -> dict[str, object]:
    """An evaluation as plain values: the four numbers, per class, and what they mean."""
    confusion = evaluation.confusion
    shares = zip(
        evaluation.classes, confusion.iu, confusion.accuracy, confusion.pixels, strict=True
    )
    per_class = {
        name: {"iu": _plain(iu), "accuracy": _plain(accuracy), "pixels": int(pixels)}
        for name, iu, accuracy, pixels in shares
    }
    four = {name: _plain(value) for name, value in confusion.numbers().items()}
    return {
        **four,
        "per_class": per_class,
        "images": len(evaluation.images),
        "protocol": evaluation.protocol,
    }


def four_numbers(evaluation: Evaluation) -> str:
    """The paper's four numbers in one line."""
    names = ("pixel accuracy", "mean accuracy", "mean IU", "f.w. IU")
    values = evaluation.confusion.numbers().values()
    return "  ".join(f"{name} {percent(value)}" for name, value in zip(names, values, strict=True))


def gallery(
    model: Model, data: Data, evaluation: Evaluation, count: int = GALLERY
) -> list[Picture]:
    """Samples for the report, half of them the best, half the worst, each answered once more."""
    images = evaluation.images
    ranked = sorted(range(len(data)), key=lambda index: -known(images[data.names[index]]))
    best = ranked[: count - count // 2]
    worst = ranked[max(len(best), len(ranked) - count // 2) :]
    pictures = []
    for sample in data.take([*best, *worst]):
        answer = model.predict(sample.image).labels
        picture = Picture(sample.name, sample.image, sample.labels, answer, images[sample.name])
        pictures.append(picture)
    return pictures


def known(share: float) -> float:
    """A share to rank by: one that is not known comes after all others."""
    return -1.0 if math.isnan(share) else share


def _plain(share: float) -> float | None:
    return None if math.isnan(share) else float(share)

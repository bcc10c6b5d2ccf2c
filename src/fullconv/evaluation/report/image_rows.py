"""The table of an evaluation's images, and which of them are shown as pictures."""

import math
from dataclasses import dataclass

import numpy as np

from fullconv.evaluation.evaluation import Evaluation
from fullconv.evaluation.image_counts import pixel_accuracy
from fullconv.evaluation.metrics import format_percent

MAX_ROWS = 2000  # of the table: a larger page would be slow; per_image.csv has all
WORST, BEST = 24, 8  # images that are shown


@dataclass(frozen=True)
class Cell:
    """A cell of the table.

    Attributes:
        text: what is shown.
        value: what is sorted by; "" ranks last.
    """

    text: str
    value: str


@dataclass(frozen=True)
class ImageRow:
    """An image in the table.

    Attributes:
        index: position in the data set.
        name: name of the image.
        group: its group, or "".
        cells: numbers, in the order of the table's columns.
        iou: "LABEL:PERCENT" of each class in the image, separated by blanks.
    """

    index: int
    name: str
    group: str
    cells: tuple[Cell, ...]
    iou: str = ""


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        title: its header.
        minor: whether it is left out on narrow screens.
    """

    title: str
    minor: bool = False


COLUMNS = (
    Column("cost"),
    Column("mean IoU"),
    Column("accuracy", minor=True),
    Column("errors near boundaries", minor=True),
    Column("confidence", minor=True),
)


def rank_by_cost(evaluation: Evaluation) -> list[int]:
    """Return the images with target pixels, that of the highest cost first."""
    counts = evaluation.counts
    order = np.argsort(-counts.cost, kind="stable")
    return [int(index) for index in order if counts.pixels[index]]


def choose_shown(ranked: list[int]) -> tuple[list[int], list[int]]:
    """Return the images that are shown: at most `WORST` and `BEST`, without an image in both."""
    best = min(BEST, len(ranked) // 4)
    return ranked[: min(WORST, len(ranked) - best)], ranked[len(ranked) - best :][::-1]


def choose_listed(ranked: list[int]) -> list[int]:
    """Return the images in the table: all, or `MAX_ROWS`, of which the last `BEST` are the best."""
    return ranked if len(ranked) <= MAX_ROWS else ranked[: MAX_ROWS - BEST] + ranked[-BEST:]


def image_rows(evaluation: Evaluation, indices: list[int]) -> list[ImageRow]:
    """Return the rows of these images."""
    table, counts = evaluation.images, evaluation.counts
    wrong = counts.wrong
    columns = (
        counts.cost,
        counts.image_iou,
        pixel_accuracy(counts.values),
        np.where(wrong > 0, table.near / np.maximum(wrong, 1), np.nan),
        table.confidence,
    )
    cost, *shares = (column.tolist() for column in columns)
    iou = counts.iou
    return [
        ImageRow(
            index,
            table.names[index],
            evaluation.groups[index] if evaluation.groups else "",
            (points_cell(cost[index]), *(percent_cell(column[index]) for column in shares)),
            " ".join(f"{c}:{100 * iou[index, c]:.1f}" for c in np.flatnonzero(iou[index] >= 0)),
        )
        for index in indices
    ]


def points_cell(value: float) -> Cell:
    """Return a difference of IoU in points."""
    return Cell("-", "") if math.isnan(value) else Cell(f"{100 * value:+.2f}", f"{value:.6f}")


def percent_cell(value: float) -> Cell:
    """Return a share in percent."""
    return Cell(format_percent(value), "" if math.isnan(value) else f"{value:.6f}")

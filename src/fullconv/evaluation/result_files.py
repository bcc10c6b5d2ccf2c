"""Write the files of an evaluation: metrics, images, groups and the confusion matrix."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fullconv.evaluation.confidence_intervals import Interval, Units, resample
from fullconv.evaluation.evaluation import Evaluation, HeadEvaluations
from fullconv.evaluation.explanation_files import write_explanation
from fullconv.evaluation.image_counts import (
    ImageCounts,
    class_iou,
    class_recall,
    mean_known,
    pixel_accuracy,
)
from fullconv.evaluation.report.charts import UNLABELLED, draw_confusion
from fullconv.io.atomic import write_bytes, write_text
from fullconv.io.output_text import csv_text, json_bytes, number_cell

METRICS = "metrics.json"
PER_IMAGE = "per_image.csv"

Row = Sequence[object]


def write_results(folder: Path, evaluation: Evaluation) -> list[Path]:
    """Write metrics.json, per_image.csv, groups.csv, confusion.csv and confusion.png.

    With an explanation, also its tables; see `write_explanation`. Each file
    appears whole or not at all; metrics.json is the last.

    Returns:
        The files.

    Raises:
        OutputError: the folder cannot be written.
    """
    tables = {
        PER_IMAGE: per_image_rows(evaluation),
        "groups.csv": group_rows(evaluation),
        "confusion.csv": confusion_rows(evaluation),
    }
    for name, rows in tables.items():
        write_text(folder / name, csv_text(rows))
    chart = draw_confusion(evaluation.confusion.counts, evaluation.classes)
    write_bytes(folder / "confusion.png", chart)
    files = [folder / name for name in (*tables, "confusion.png", METRICS)]
    if evaluation.explanation:
        files += write_explanation(folder, evaluation.explanation)
    write_bytes(folder / METRICS, json_bytes(evaluation.to_dict(), indent=2))
    return files


def write_head_results(folder: Path, evaluations: HeadEvaluations) -> dict[str, Path]:
    """Write the results of each head; return their folders by the names of the heads.

    The results of a model with one head are in `folder` itself. With several heads, each has a
    folder of its name there, and metrics.json beside them has all metrics.

    Raises:
        OutputError: the folder cannot be written.
    """
    folders = {name: folder / name for name in evaluations.heads}
    for name, evaluation in evaluations.heads.items():
        write_results(folders[name], evaluation)
    if "" not in folders:
        write_bytes(folder / METRICS, json_bytes(evaluations.to_dict(), indent=2))
    return folders


def per_image_rows(evaluation: Evaluation) -> Iterator[Row]:
    """Yield the header and the rows of per_image.csv, in the order of the data set.

    Shares are in [0, 1]; `cost` is mean IoU of the data set without the image minus with it.
    """
    table, counts = evaluation.images, evaluation.counts
    kinds = ("tp", "fp", "fn")
    classes = [f"{name} {kind}" for name in evaluation.classes for kind in kinds]
    yield [
        *("name", "group", "pixels", "wrong_pixels", "accuracy", "mean_iou"),
        *("wrong_near_boundary", "confidence", "nll", "cost", *classes),
    ]
    wrong = counts.wrong
    measured = np.stack(
        [
            pixel_accuracy(counts.values),
            counts.image_iou,
            np.where(wrong > 0, table.near / np.maximum(wrong, 1), np.nan),
            table.confidence,
            table.nll,
            counts.cost,
        ],
        1,
    )
    groups = evaluation.groups or [""] * len(table.names)
    for index, name in enumerate(table.names):
        pixels = [int(counts.pixels[index]), int(wrong[index])]
        numbers = map(number_cell, measured[index].tolist())
        yield [name, groups[index], *pixels, *numbers, *counts.values[index].ravel().tolist()]


def group_rows(evaluation: Evaluation) -> Iterator[Row]:
    """Yield the header and the rows of groups.csv: all images, then each group of them."""
    yield [
        *("group", "images", "pixels", "pixel_accuracy", "mean_accuracy", "mean_iou"),
        *("interval_low", "interval_high", "mean_iou_images", "mean_iou_classes"),
        *(f"{name} iou" for name in evaluation.classes),
    ]
    yield _group_row("all", evaluation.counts, evaluation.resampled.interval)
    for group, counts in groups_of(evaluation):
        labelled = counts.take(np.flatnonzero(counts.pixels).tolist())
        units = Units("images", np.arange(len(labelled.names)))
        yield _group_row(group, counts, resample(labelled, units).interval)


def groups_of(evaluation: Evaluation) -> Iterator[tuple[str, ImageCounts]]:
    """Yield each group and the counts of its images; nothing without a rule for groups."""
    groups = evaluation.groups or ()
    for group in dict.fromkeys(groups):
        members = [index for index, other in enumerate(groups) if other == group]
        yield group, evaluation.counts.take(members)


def confusion_rows(evaluation: Evaluation) -> Iterator[Row]:
    """Yield the header and the rows of confusion.csv: one for each pair of classes."""
    yield ["ground_truth", "prediction", "pixels", "share_of_ground_truth", "share_of_prediction"]
    matrix = evaluation.confusion.counts
    with np.errstate(invalid="ignore"):
        of_target = matrix / matrix.sum(1, keepdims=True)
        of_prediction = matrix / matrix.sum(0, keepdims=True)
    names = [*evaluation.classes, UNLABELLED]
    for (row, column), pixels in np.ndenumerate(matrix):
        if column < len(evaluation.classes) or pixels:
            shares = [
                number_cell(float(share[row, column])) for share in (of_target, of_prediction)
            ]
            yield [names[row], names[column], int(pixels), *shares]


def _group_row(group: str, counts: ImageCounts, interval: Interval | None) -> Row:
    total = counts.total
    values = [
        float(pixel_accuracy(total)),
        float(mean_known(class_recall(total))),
        counts.mean_iou,
        *(interval or (math.nan, math.nan)),
        counts.mean_iou_images(),
        counts.mean_iou_classes(),
        *class_iou(total).tolist(),
    ]
    return [group, len(counts.names), int(counts.pixels.sum()), *map(number_cell, values)]

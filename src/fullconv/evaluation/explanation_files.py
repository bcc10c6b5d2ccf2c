"""Write the tables of an explanation as CSV, and its main findings as sentences."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fullconv.evaluation.calibration import BINS, Calibration, ThresholdCurve
from fullconv.evaluation.error_analysis import CLASS_KINDS, Repair
from fullconv.evaluation.explanation import Explanation
from fullconv.evaluation.image_table import NEAR
from fullconv.evaluation.metrics import format_percent
from fullconv.io.atomic import write_text
from fullconv.io.output_text import csv_text, number_cell

Row = Sequence[object]


def write_explanation(folder: Path, explanation: Explanation) -> list[Path]:
    """Write boundary.csv, where.csv, repairs.csv, pairs.csv, and if known calibration and curves.

    Returns:
        The files.

    Raises:
        OutputError: the folder cannot be written.
    """
    tables = {
        "boundary.csv": _boundary_rows(explanation),
        "where.csv": _error_rows(explanation),
        "repairs.csv": _repair_rows(explanation.kinds),
        "pairs.csv": _repair_rows(explanation.pairs),
    }
    if explanation.calibration:
        tables["calibration.csv"] = _calibration_rows(explanation.calibration, explanation.classes)
    if explanation.curve:
        tables["curves.csv"] = _curve_rows(explanation.curve)
    for name, rows in tables.items():
        write_text(folder / name, csv_text(rows))
    return [folder / name for name in tables]


def explain_in_words(explanation: Explanation) -> list[str]:
    """Return the main findings, one sentence each."""
    near, pairs = explanation.kinds[0], explanation.pairs[:3]
    others = ", ".join(f"{repair.what} {_points(repair)}" for repair in explanation.kinds[1:])
    lines = [
        f"edges within {NEAR} px cost {_points(near)} points of mean IoU; {others} "
        "(each alone; they do not add up)",
        f"mean boundary IoU {format_percent(explanation.mean_boundary_iou)}, "
        f"BF score {format_percent(explanation.boundary_f1)}, "
        f"surface Dice {format_percent(explanation.surface_dice)}",
    ]
    if pairs:
        named = "; ".join(f"{repair.what} {_points(repair)}" for repair in pairs)
        lines.insert(1, f"largest repairs: {named}")
    if calibration := explanation.calibration:
        lines.append(_calibration_sentence(calibration))
    if curve := explanation.curve:
        lines.append(_threshold_sentence(curve, explanation.classes[1]))
    return lines


def _calibration_sentence(calibration: Calibration) -> str:
    temperature = calibration.temperature
    error = format_percent(calibration.error)
    if math.isnan(temperature):  # without labels or errors
        return f"calibration error {error}"
    return (
        f"calibration error {error}; scores divided by {temperature:.2f} "
        f"have the best likelihood ({calibration.nll:.3f} -> {calibration.tempered_nll:.3f})"
    )


def _threshold_sentence(curve: ThresholdCurve, name: str) -> str:
    interval = ""
    if curve.interval:
        interval = " ({:.2f} to {:.2f})".format(*curve.interval)
    return (
        f"best threshold for {name}: {curve.best:.2f}{interval}; chosen on these photos, so "
        "confirm it on others"
    )


def _boundary_rows(explanation: Explanation) -> Iterator[Row]:
    yield ["metric", "of", "value"]
    for name, iou in zip(explanation.classes, explanation.boundary_iou, strict=True):
        yield ["boundary_iou", name, number_cell(float(iou))]
    yield ["boundary_iou", "mean", number_cell(explanation.mean_boundary_iou)]
    yield ["boundary_f1", "mean over images", number_cell(explanation.boundary_f1)]
    yield ["surface_dice", "mean over images", number_cell(explanation.surface_dice)]
    for radius, iou in explanation.trimap.items():
        yield ["mean_iou_within", f"{radius} px", number_cell(iou)]
    for radius, share in explanation.wrong_within.items():
        yield ["wrong_pixels_within", f"{radius} px", number_cell(share)]


def _error_rows(explanation: Explanation) -> Iterator[Row]:
    sides = ("false_positive", "false_negative")
    yield ["class", "iou", *(f"{side}_{kind}" for side in sides for kind in CLASS_KINDS)]
    shares = explanation.error_shares.reshape(len(explanation.classes), -1)
    for name, row in zip(explanation.classes, shares, strict=True):
        yield [name, number_cell(1 - float(row.sum())), *map(number_cell, row.tolist())]


def _repair_rows(repairs: Sequence[Repair]) -> Iterator[Row]:
    yield ["repair", "pixels", "gain", "mean_iou_after_all_above"]
    for repair in repairs:
        yield [repair.what, repair.pixels, number_cell(repair.gain), number_cell(repair.after)]


def _calibration_rows(calibration: Calibration, classes: Sequence[str]) -> Iterator[Row]:
    yield ["from", "to", "pixels", "confidence", "accuracy"]
    for index, (pixels, confidence, correct) in enumerate(calibration.bins):
        means = [value / pixels if pixels else math.nan for value in (confidence, correct)]
        ends = [f"{index / BINS:.4f}", f"{(index + 1) / BINS:.4f}"]
        yield [*ends, int(pixels), *map(number_cell, map(float, means))]
    yield ["class", "mean_probability_minus_frequency", "", "", ""]
    for name, excess in zip(classes, calibration.excess, strict=True):
        yield [name, number_cell(float(excess)), "", "", ""]


def _curve_rows(curve: ThresholdCurve) -> Iterator[Row]:
    yield ["threshold", "precision", "recall", "f1", "iou"]
    columns = (curve.thresholds, curve.precision, curve.recall, curve.f1, curve.iou)
    for row in np.stack(columns, 1).tolist():
        yield [*map(number_cell, row)]


def _points(repair: Repair) -> str:
    return "-" if math.isnan(repair.gain) else f"{100 * repair.gain:.1f}"

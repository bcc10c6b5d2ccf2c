"""Write the report of a run: charts, tables and samples as files, and a self-contained page."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.evaluation.head_metrics import HeadMetrics
from fullconv.evaluation.metrics import Confusion, EpochIoU
from fullconv.evaluation.report.charts import (
    DARK,
    LIGHT,
    UNLABELLED,
    Sparkline,
    draw_confusion,
    draw_curves,
    sparkline,
)
from fullconv.evaluation.report.costs import training_costs
from fullconv.evaluation.report.gallery import (
    GallerySample,
    draw_sample,
    encode_panels,
    legend_entries,
)
from fullconv.evaluation.report.render import render
from fullconv.io.atomic import write_bytes, write_text
from fullconv.io.images import write_image
from fullconv.io.output_text import csv_text
from fullconv.io.palettes import Color, Palette

Panels = tuple[GallerySample, dict[str, bytes]]


@dataclass(frozen=True)
class HeadReport:
    """What a report shows of one head of the model.

    Attributes:
        name: of the head; "" for a model of one head.
        classes: class names.
        palette: one colour per class.
        confusion: confusion matrix over all evaluated pixels.
        gallery: samples to show, in any order; may be empty.
        protocol: how the metrics were computed, in one line.
        class_history: rows of per_class_history.csv; empty for an evaluation without training.
        class_weights: weight of each class in the loss; None if all are equal.
    """

    name: str
    classes: tuple[str, ...]
    palette: Palette
    confusion: Confusion
    gallery: Sequence[GallerySample]
    protocol: str
    class_history: Sequence[EpochIoU] = ()
    class_weights: Sequence[float] | None = None


@dataclass(frozen=True)
class ReportData:
    """The content of a report.

    Attributes:
        title: name of the run, e.g. "street-001".
        summary: a sentence: which model, trained and evaluated on which data.
        facts: settings and provenance, name to value.
        history: rows of results.csv; empty for an evaluation without training.
        heads: what is shown of each head of the model.
        commands: commands to run next.
        notes: (step, message) of what was noticed during training; step 0 is before the first.
    """

    title: str
    summary: str
    facts: Mapping[str, str]
    history: Sequence[Mapping[str, float | int]]
    heads: Sequence[HeadReport]
    commands: Sequence[str]
    notes: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class WorstClass:
    """A class with a low IoU, and its most frequent confusion.

    Attributes:
        name: class name.
        iou: IoU of the class, in [0, 1].
        other: the class that it is confused with.
        share: in [0, 1]; if `missed`, of the class's pixels, else of those predicted as the class.
        missed: pixels of the class are predicted as `other`; if False, the reverse.
    """

    name: str
    iou: float
    other: str
    share: float
    missed: bool


def write_report(folder: Path, report: ReportData) -> Path:
    """Write the report of a run into its folder.

    Writes report.html (self-contained), curves.png, confusion_matrix.png and .csv, per_class.csv
    and samples/NAME.png; if the model has several heads, the last four into a folder for each.

    Returns:
        The path of report.html.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    curves = [
        draw_curves(report.history, theme, stacked)
        for stacked in (False, True)
        for theme in (LIGHT, DARK)
        if report.history
    ]
    if curves:
        write_bytes(folder / "curves.png", curves[0])
    sections = [_write_head(folder / head.name, head) for head in report.heads]
    page = folder / "report.html"
    write_text(page, _render(report, sections, curves))
    return page


def _write_head(folder: Path, head: HeadReport) -> dict[str, Any]:
    """Write the files of one head; return what its sections in the page are rendered from."""
    matrix = [draw_confusion(head.confusion.counts, head.classes, theme) for theme in (LIGHT, DARK)]
    write_bytes(folder / "confusion_matrix.png", matrix[0])
    write_text(folder / "confusion_matrix.csv", _confusion_csv(head))
    write_text(folder / "per_class.csv", _per_class_csv(head))
    ranked = sorted(head.gallery, key=lambda s: (math.isnan(s.mean_iou), -s.mean_iou, s.name))
    for sample, stem in zip(ranked, _file_stems(sample.name for sample in ranked), strict=True):
        drawn = draw_sample(sample, head.classes, head.palette)
        write_image(folder / "samples" / f"{stem}.png", drawn)
    return {
        "data": head,
        "matrix": matrix,
        "rows": list(zip(_per_class(head), head.palette, strict=False)),
        "worst": worst_classes(head.confusion, head.classes),
        "legend": legend_entries(ranked, head.classes, head.palette),
        "columns": _columns(ranked, head.palette),
        "trends": _trends(head),
    }


def worst_classes(confusion: Confusion, classes: Sequence[str], count: int = 3) -> list[WorstClass]:
    """Return the classes of lowest IoU, lowest first; at most a third of all."""
    iou = confusion.iou
    present = [int(label) for label in np.argsort(iou, stable=True) if not math.isnan(iou[label])]
    lowest = present[: min(count, max(1, len(present) // 3))]
    return [_worst_class(confusion, classes, label) for label in lowest if iou[label] < 1]


def _worst_class(confusion: Confusion, classes: Sequence[str], label: int) -> WorstClass:
    missed, false = confusion.counts[label].copy(), confusion.counts[:, label].copy()
    missed[label] = false[label] = 0
    name, iou = classes[label], float(confusion.iou[label])
    if missed.max() >= false.max():
        share = float(missed.max() / confusion.counts[label].sum())
        return WorstClass(name, iou, [*classes, UNLABELLED][int(missed.argmax())], share, True)
    share = float(false.max() / confusion.counts[:, label].sum())
    return WorstClass(name, iou, classes[int(false.argmax())], share, False)


def _confusion_csv(head: HeadReport) -> str:
    counts = head.confusion.counts.tolist()
    rows = [[name, *row] for name, row in zip(head.classes, counts, strict=True)]
    return csv_text([["ground truth", *head.classes, UNLABELLED], *rows])


def _per_class_csv(head: HeadReport) -> str:
    rows = []
    for name, pixels, *shares in _per_class(head):
        cells = ["-" if math.isnan(share) else f"{share:.6f}" for share in shares]
        rows.append([name, pixels, *cells])
    return csv_text([["class", "pixels", "accuracy", "iou"], *rows])


def _per_class(head: HeadReport) -> list[tuple[str, int, float, float]]:
    """Return (name, target pixels, accuracy, IoU) of each class."""
    metrics = head.confusion
    columns = metrics.pixels.tolist(), metrics.accuracy.tolist(), metrics.iou.tolist()
    return list(zip(head.classes, *columns, strict=True))


def _file_stems(names: Iterable[str]) -> list[str]:
    """Return a safe file stem for each sample, distinct even on file systems that ignore case."""
    stems: list[str] = []
    for name in names:
        plain = re.sub(r"[^\w.-]+", "_", name).lstrip(".")[:50] or "sample"
        same = sum(stem.split("~")[0].casefold() == plain.casefold() for stem in stems)
        stems.append(f"{plain}~{same + 1}" if same else plain)
    return stems


def _render(
    report: ReportData, sections: Sequence[Mapping[str, Any]], curves: Sequence[bytes]
) -> str:
    metrics = HeadMetrics({head.name: head.confusion for head in report.heads})
    evaluated = [row for row in report.history if math.isfinite(row.get("mean_iou", math.nan))]
    return render(
        "report.html.j2",
        styles=["report.css"],
        report=report,
        metrics=metrics.paper_metrics(),
        curves=curves,
        sections=sections,
        best=max(evaluated, key=lambda row: row["mean_iou"], default=None),
        costs=training_costs(report.history),
        unlabelled=UNLABELLED,
    )


def _columns(ranked: Sequence[GallerySample], palette: Palette) -> list[tuple[str, list[Panels]]]:
    """Return the best samples, the worst, and those without labels, each with its panels."""
    encoded = [(sample, encode_panels(sample, palette)) for sample in ranked]
    scored = [(sample, panels) for sample, panels in encoded if not math.isnan(sample.mean_iou)]
    half = (len(scored) + 1) // 2
    columns = [
        ("Best", scored[:half]),
        ("Worst", scored[: half - 1 : -1]),
        ("Without labels", encoded[len(scored) :]),
    ]
    return [(title, samples) for title, samples in columns if samples]


def _trends(head: HeadReport) -> list[tuple[str, Color, Sparkline | None]]:
    """Return the IoU curve of each class; none for a single epoch."""
    history = head.class_history
    if len(history) < 2:
        return []
    epochs = [row.epoch for row in history]
    return [
        (name, color, sparkline(epochs, [row.iou[label] for row in history], epochs[-1], 1.0))
        for label, (name, color) in enumerate(zip(head.classes, head.palette, strict=False))
    ]

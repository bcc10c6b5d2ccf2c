"""Write the page of an evaluation: what mean IoU costs, image by image, in one offline file."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fullconv.evaluation.error_analysis import CLASS_KINDS
from fullconv.evaluation.evaluate import Progress
from fullconv.evaluation.evaluation import WORST as WORST_PERCENT
from fullconv.evaluation.evaluation import Evaluation
from fullconv.evaluation.explanation_files import explain_in_words
from fullconv.evaluation.image_counts import class_counts, class_f1, class_precision
from fullconv.evaluation.metrics import format_percent
from fullconv.evaluation.report.charts import DARK, LIGHT, draw_confusion
from fullconv.evaluation.report.error_panels import (
    confidence_legend,
    explained_panels,
    kind_legend,
)
from fullconv.evaluation.report.image_rows import (
    COLUMNS,
    choose_listed,
    choose_shown,
    image_rows,
    rank_by_cost,
)
from fullconv.evaluation.report.plots import explanation_plots
from fullconv.evaluation.report.render import render
from fullconv.evaluation.result_files import groups_of
from fullconv.evaluation.scored_samples import ScoredSample
from fullconv.io.atomic import write_text
from fullconv.io.palettes import VOID_COLOR, Color, Palette

PAGE = "report.html"
MAX_GROUPS = 50  # that are listed; groups.csv has all
SHOWN_PAIRS = 10

ReadSamples = Callable[[list[int]], Iterable[ScoredSample]]
"""Yields the samples of these indices with their predictions, as they were evaluated."""


@dataclass(frozen=True)
class ClassRow:
    """A class in the table of classes; shares are in [0, 1] or nan.

    Attributes:
        name: class name.
        color: RGB in [0, 255].
        iou: IoU over the data set.
        interval: its confidence interval as text, or "".
        others: precision, recall and F1.
        boundary_iou: None without an explanation.
        errors: shares of the class's union that are boundary, extent and segment errors.
    """

    name: str
    color: Color
    iou: float
    interval: str
    others: tuple[float, ...]
    boundary_iou: float | None
    errors: tuple[float, ...]


def write_evaluation_page(
    folder: Path,
    evaluation: Evaluation,
    palette: Palette,
    read: ReadSamples,
    progress: Progress | None = None,
    title: str = "",
) -> Path:
    """Write report.html into a folder, whose name is the title if none is given.

    Only the images that are shown are read, one at a time; of each, small pictures are kept.

    Raises:
        OutputError: the folder cannot be written.
    """
    ranked = rank_by_cost(evaluation)
    worst, best = choose_shown(ranked)
    samples = read([*worst, *best])
    if progress:
        samples = progress(samples, len(worst) + len(best), "drawing")
    pictures = [explained_panels(sample, palette) for sample in samples]
    matrix = [
        draw_confusion(evaluation.confusion.counts, evaluation.classes, theme)
        for theme in (LIGHT, DARK)
    ]
    explanation = evaluation.explanation
    rows = {row.index: row for row in image_rows(evaluation, [*worst, *best])}
    shown = [
        (row, f"{row.cells[1].text} mean IoU, cost {row.cells[0].text}", panels)
        for row, panels in zip(rows.values(), pictures, strict=True)
    ]
    page = render(
        "evaluation.html.j2",
        styles=["report.css", "evaluation.css"],
        scripts=["images.js"],
        title=title or folder.name,
        evaluation=evaluation,
        numbers=_numbers(evaluation),
        findings=explain_in_words(explanation) if explanation else [],
        classes=class_rows(evaluation, palette),
        class_kinds=CLASS_KINDS,
        repairs=explanation.kinds if explanation else [],
        pairs=explanation.pairs[:SHOWN_PAIRS] if explanation else [],
        groups=_groups(evaluation),
        max_groups=MAX_GROUPS,
        columns=COLUMNS,
        rows=image_rows(evaluation, choose_listed(ranked)),
        valid=len(ranked),
        shown={*rows},
        galleries=[
            ("Highest cost", shown[: len(worst)]),
            ("Lowest cost", shown[len(worst) :]),
        ],
        legends=_legends(evaluation, palette, any("confidence" in each for each in pictures)),
        plots=explanation_plots(explanation, evaluation.mean_iou) if explanation else [],
        matrix=matrix,
    )
    write_text(folder / PAGE, page)
    return folder / PAGE


def class_rows(evaluation: Evaluation, palette: Palette) -> list[ClassRow]:
    """Return the rows of the table of classes."""
    counts, explanation = class_counts(evaluation.confusion), evaluation.explanation
    others = np.stack([class_precision(counts), evaluation.accuracy, class_f1(counts)], 1)
    kinds = explanation.error_shares.sum(1) if explanation else None
    return [
        ClassRow(
            name,
            palette[label],
            float(evaluation.iou[label]),
            "" if interval is None else "{:.1f} to {:.1f}".format(*(100 * end for end in interval)),
            tuple(others[label].tolist()),
            float(explanation.boundary_iou[label]) if explanation else None,
            tuple(np.nan_to_num(kinds[label]).tolist()) if kinds is not None else (),
        )
        for label, (name, interval) in enumerate(
            zip(evaluation.classes, evaluation.resampled.class_intervals, strict=True)
        )
    ]


def _numbers(evaluation: Evaluation) -> list[tuple[str, float, str]]:
    """Return name, value and meaning of the numbers at the top."""
    resampled, counts = evaluation.resampled, evaluation.counts
    meaning = f"no interval: {resampled.units} are too few"
    if resampled.interval:
        low, high = (100 * end for end in resampled.interval)
        meaning = f"95 % interval {low:.1f} to {high:.1f} % (resampling {resampled.units})"
    images = counts.mean_iou_images(WORST_PERCENT)
    return [
        ("mean IoU", evaluation.mean_iou, meaning),
        ("pixel accuracy", evaluation.pixel_accuracy, "share of correctly classified pixels"),
        ("mean over images", counts.mean_iou_images(), "mean IoU of each image, averaged"),
        (f"worst {WORST_PERCENT} %", images, f"mean of the worst {WORST_PERCENT} % of the images"),
    ]


def _groups(evaluation: Evaluation) -> list[tuple[str, int, str]]:
    """Return name, number of images and mean IoU of the groups, the worst first."""
    groups = sorted(groups_of(evaluation), key=lambda item: (item[1].mean_iou, item[0]))
    return [
        (name or "-", len(counts.names), format_percent(counts.mean_iou)) for name, counts in groups
    ]


def _legends(
    evaluation: Evaluation, palette: Palette, confidence: bool
) -> list[tuple[str, Sequence[tuple[str, Color]]]]:
    classes = zip(evaluation.classes, palette, strict=False)
    legends: list[tuple[str, Sequence[tuple[str, Color]]]] = [
        ("Classes", [*classes, ("ignored", VOID_COLOR)]),
        ("Errors", kind_legend()),
    ]
    return [*legends, ("Confidence", confidence_legend())] if confidence else legends

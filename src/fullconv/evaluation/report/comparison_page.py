"""Write the page of a comparison: which model is better, where, and in which images."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fullconv.data.sample import Data
from fullconv.evaluation.comparison import Comparison
from fullconv.evaluation.evaluate import Progress
from fullconv.evaluation.image_counts import class_iou
from fullconv.evaluation.report.error_panels import compared_panels
from fullconv.evaluation.report.image_rows import (
    MAX_ROWS,
    Column,
    ImageRow,
    percent_cell,
    points_cell,
)
from fullconv.evaluation.report.render import render
from fullconv.evaluation.scored_samples import ScoredSample
from fullconv.io.atomic import write_text
from fullconv.io.palettes import VOID_COLOR, Color

COLUMNS = (Column("B - A"), Column("A"), Column("B"))

Shown = tuple[ImageRow, str, dict[str, bytes]]


@dataclass(frozen=True)
class ComparedSamples:
    """What pictures of a comparison are drawn from.

    Attributes:
        data: the data set.
        first: yields the samples of these indices with the predictions of the first model.
        second: the same, of the second model.
    """

    data: Data
    first: Callable[[list[int]], Iterable[ScoredSample]]
    second: Callable[[list[int]], Iterable[ScoredSample]]


@dataclass(frozen=True)
class ClassDifference:
    """A class in the table of differences.

    Attributes:
        name: class name.
        color: RGB in [0, 255]; None without a data set.
        iou: IoU of both models, in [0, 1] or nan.
        value: difference in points, as text.
        interval: its confidence interval, as text.
        p: adjusted p-value, as text.
        real: whether the difference is significant.
    """

    name: str
    color: Color | None
    iou: tuple[float, float]
    value: str
    interval: str
    p: str
    real: bool


def write_comparison_page(
    path: Path,
    comparison: Comparison,
    samples: ComparedSamples | None,
    progress: Progress | None = None,
) -> Path:
    """Write the page of two models.

    Args:
        path: of the page.
        comparison: the two models.
        samples: None without predictions, if results are stored ones: then there are no pictures.
        progress: see `evaluate`.

    Raises:
        OutputError: the page cannot be written.
    """
    rows = _image_rows(comparison)
    galleries = _galleries(comparison, rows, samples, progress) if samples else []
    shown = {row.index for _, pictures in galleries for row, _, _ in pictures}
    classes = zip(samples.data.classes, samples.data.palette, strict=False) if samples else ()
    page = render(
        "comparison.html.j2",
        styles=["report.css", "evaluation.css"],
        scripts=["images.js"],
        comparison=comparison,
        numbers=[
            ("A", comparison.first.counts.mean_iou, f"mean IoU of {comparison.first.name}"),
            ("B", comparison.second.counts.mean_iou, f"mean IoU of {comparison.second.name}"),
        ],
        classes=_class_rows(comparison, samples),
        columns=COLUMNS,
        rows=rows,
        images=len(comparison.images),
        shown=shown,
        galleries=galleries,
        legends=[("Classes", [*classes, ("ignored", VOID_COLOR)])],
        predicted=samples is not None,
    )
    write_text(path, page)
    return path


def _image_rows(comparison: Comparison) -> list[ImageRow]:
    """Return the rows of the images, at most `MAX_ROWS`: those where the models differ most."""
    names, groups = comparison.first.counts.names, comparison.image_groups
    columns = (
        comparison.images,
        comparison.first.counts.image_iou,
        comparison.second.counts.image_iou,
    )
    rows = [
        ImageRow(
            index,
            name,
            groups[index] if groups else "",
            (points_cell(difference), percent_cell(first), percent_cell(second)),
        )
        for index, (name, difference, first, second) in enumerate(
            zip(names, *(column.tolist() for column in columns), strict=True)
        )
    ]
    order = np.argsort(-comparison.images, kind="stable")
    if len(order) > MAX_ROWS:
        order = np.concatenate([order[: MAX_ROWS // 2], order[-MAX_ROWS // 2 :]])
    return [rows[index] for index in order]


def _galleries(
    comparison: Comparison,
    rows: Sequence[ImageRow],
    samples: ComparedSamples,
    progress: Progress | None,
) -> list[tuple[str, list[Shown]]]:
    """Return the images in which each model is better by most, with their pictures."""
    by_name = {row.name: row for row in rows}
    sides = {"B is better": comparison.largest(1), "A is better": comparison.largest(-1)}
    names = [name for side in sides.values() for name in side]
    position = {name: index for index, name in enumerate(samples.data.names)}
    indices = [position[name] for name in names]
    pairs: Iterable[tuple[ScoredSample, ScoredSample]] = zip(
        samples.first(indices), samples.second(indices), strict=True
    )
    if progress:
        pairs = progress(pairs, len(indices), "drawing")
    palette = samples.data.palette
    drawn = (compared_panels(first, second, palette) for first, second in pairs)
    panels = dict(zip(names, drawn, strict=True))
    return [
        (heading, [(by_name[name], _caption(by_name[name]), panels[name]) for name in side])
        for heading, side in sides.items()
    ]


def _caption(row: ImageRow) -> str:
    difference, first, second = (cell.text for cell in row.cells)
    return f"A {first}, B {second}: {difference}"


def _class_rows(comparison: Comparison, samples: ComparedSamples | None) -> list[ClassDifference]:
    iou = [class_iou(scores.counts.total) for scores in (comparison.first, comparison.second)]
    return [
        ClassDifference(
            name,
            samples.data.palette[label] if samples else None,
            (float(iou[0][label]), float(iou[1][label])),
            *difference.cells(),
            difference.is_real,
        )
        for label, (name, difference) in enumerate(comparison.classes.items())
    ]

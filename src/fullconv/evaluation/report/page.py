"""The pictures and tables of a run, as files and as one HTML page that needs nothing beside it."""

import csv
import io
import math
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from fullconv.evaluation.metrics import ClassRow, Confusion, percent
from fullconv.evaluation.report.charts import (
    DARK,
    LIGHT,
    Sparkline,
    draw_confusion,
    draw_curves,
    sparkline,
)
from fullconv.evaluation.report.costs import costs
from fullconv.evaluation.report.gallery import Picture, draw_sample, encode_panels, keys
from fullconv.io.atomic import write_bytes, write_text
from fullconv.io.images import write_image
from fullconv.io.palettes import Color, Palette
from fullconv.io.text import escape_formula

NO_CLASS = "no class"
Panels = tuple[Picture, dict[str, bytes]]


@dataclass(frozen=True)
class ReportData:
    """Everything that a report tells.

    Attributes:
        title: of the run, e.g. "street-001".
        summary: one sentence: which model, trained and evaluated on what.
        facts: settings and provenance, name to value.
        classes: name of class 0, of class 1, ...
        palette: one colour a class.
        history: rows of results.csv; none after an evaluation alone.
        confusion: over all pixels evaluated.
        pictures: the gallery, in any order; may be none.
        protocol: how the numbers were computed, in one line.
        commands: what to run next.
        class_history: rows of per_class_history.csv; none after an evaluation alone.
        class_weights: what each class weighs in the loss; None is the same for all.
        notes: what was noticed while training, a step and a sentence each; step 0 is before it.
    """

    title: str
    summary: str
    facts: Mapping[str, str]
    classes: tuple[str, ...]
    palette: Palette
    history: Sequence[Mapping[str, float | int]]
    confusion: Confusion
    pictures: Sequence[Picture]
    protocol: str
    commands: Sequence[str]
    class_history: Sequence[ClassRow] = ()
    class_weights: Sequence[float] | None = None
    notes: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class WorstClass:
    """A class and the confusion that costs it most.

    Attributes:
        name: of the class.
        iu: its intersection over union, in [0, 1].
        other: the class that it is confused with.
        share: in [0, 1]; of the class's pixels, or, not missed, of those answered as it.
        missed: its pixels are taken for `other`; else those of `other` are taken for it.
    """

    name: str
    iu: float
    other: str
    share: float
    missed: bool


def write_report(folder: Path, story: ReportData) -> Path:
    """Write the report of a run into its folder.

    Writes report.html (self-contained), curves.png, confusion_matrix.png and .csv, per_class.csv
    and samples/NAME.png.

    Returns:
        The path of report.html.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    curves = [draw_curves(story.history, theme) for theme in (LIGHT, DARK) if story.history]
    matrix = [
        draw_confusion(story.confusion.counts, story.classes, theme) for theme in (LIGHT, DARK)
    ]
    if curves:
        write_bytes(folder / "curves.png", curves[0])
    write_bytes(folder / "confusion_matrix.png", matrix[0])
    write_text(folder / "confusion_matrix.csv", _confusion_csv(story))
    write_text(folder / "per_class.csv", _per_class_csv(story))
    ranked = sorted(story.pictures, key=lambda p: (math.isnan(p.mean_iu), -p.mean_iu, p.name))
    for picture, stem in zip(ranked, _stems(picture.name for picture in ranked), strict=True):
        drawn = draw_sample(picture, story.classes, story.palette)
        write_image(folder / "samples" / f"{stem}.png", drawn)
    page = folder / "report.html"
    write_text(page, _render(story, ranked, curves, matrix))
    return page


def weaknesses(confusion: Confusion, classes: Sequence[str], most: int = 3) -> list[WorstClass]:
    """Classes of lowest intersection over union, the lowest first; at most a third of all."""
    iu = confusion.iu
    present = [int(index) for index in np.argsort(iu, stable=True) if not math.isnan(iu[index])]
    weakest = present[: min(most, max(1, len(present) // 3))]
    return [_weakness(confusion, classes, index) for index in weakest if iu[index] < 1]


def _weakness(confusion: Confusion, classes: Sequence[str], index: int) -> WorstClass:
    missed, wrongly = confusion.counts[index].copy(), confusion.counts[:, index].copy()
    missed[index] = wrongly[index] = 0
    name, iu = classes[index], float(confusion.iu[index])
    if missed.max() >= wrongly.max():
        share = missed.max() / confusion.counts[index].sum()
        return WorstClass(name, iu, [*classes, NO_CLASS][int(missed.argmax())], float(share), True)
    share = wrongly.max() / confusion.counts[:, index].sum()
    return WorstClass(name, iu, classes[int(wrongly.argmax())], float(share), False)


def _confusion_csv(story: ReportData) -> str:
    names = [escape_formula(name) for name in story.classes]
    counts = story.confusion.counts.tolist()
    rows = [[name, *row] for name, row in zip(names, counts, strict=True)]
    return _csv([["truth", *names, NO_CLASS], *rows])


def _per_class_csv(story: ReportData) -> str:
    rows = [
        [
            escape_formula(name),
            pixels,
            *("-" if math.isnan(share) else f"{share:.6f}" for share in shares),
        ]
        for name, pixels, *shares in _per_class(story)
    ]
    return _csv([["class", "pixels", "accuracy", "iu"], *rows])


def _per_class(story: ReportData) -> list[tuple[str, int, float, float]]:
    confusion = story.confusion
    columns = confusion.counts.sum(1).tolist(), confusion.accuracy.tolist(), confusion.iu.tolist()
    return list(zip(story.classes, *columns, strict=True))


def _csv(rows: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _stems(names: Iterable[str]) -> list[str]:
    stems: list[str] = []
    for name in names:
        plain = re.sub(r"[^\w.-]+", "_", name).lstrip(".")[:50] or "sample"
        same = sum(stem.split("~")[0].casefold() == plain.casefold() for stem in stems)
        stems.append(f"{plain}~{same + 1}" if same else plain)
    return stems


def _render(
    story: ReportData, ranked: Sequence[Picture], curves: Sequence[bytes], matrix: Sequence[bytes]
) -> str:
    loader = PackageLoader("fullconv.evaluation.report", "templates")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "uri": _uri}
    scored = [row for row in story.history if math.isfinite(row.get("mean_iu", math.nan))]
    return environment.get_template("report.html.j2").render(
        story=story,
        curves=curves,
        matrix=matrix,
        best=max(scored, key=lambda row: row["mean_iu"], default=None),
        rows=list(zip(_per_class(story), story.palette, strict=False)),
        weaknesses=weaknesses(story.confusion, story.classes),
        keys=keys(ranked, story.classes, story.palette),
        columns=_columns(ranked, story.palette),
        trends=_trends(story),
        costs=costs(story.history),
    )


def _columns(ranked: Sequence[Picture], palette: Palette) -> list[tuple[str, list[Panels]]]:
    """The best samples, and beside them the worst; after them those that have no labels."""
    encoded = [(picture, encode_panels(picture, palette)) for picture in ranked]
    scored = [one for one in encoded if not math.isnan(one[0].mean_iu)]
    half = (len(scored) + 1) // 2
    columns = [
        ("Best", scored[:half]),
        ("Worst", scored[: half - 1 : -1]),
        ("Without labels", encoded[len(scored) :]),
    ]
    return [(title, samples) for title, samples in columns if samples]


def _trends(story: ReportData) -> list[tuple[str, Color, Sparkline | None]]:
    """Each class's intersection over union over the epochs; none where there is one epoch."""
    history = story.class_history
    if len(history) < 2:
        return []
    epochs = [row.epoch for row in history]
    return [
        (name, color, sparkline(epochs, [row.iu[label] for row in history], epochs[-1], 1.0))
        for label, (name, color) in enumerate(zip(story.classes, story.palette, strict=False))
    ]


def _uri(content: bytes) -> str:
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{b64encode(content).decode()}"

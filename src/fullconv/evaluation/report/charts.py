"""Charts of a run: curves and confusion matrix as PNG, sparklines as SVG points."""

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int64
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

MAX_NUMBERED = 20  # classes; the cells of a larger matrix are too small for numbers
MAX_NAME = 22  # characters of a class name at the axes of the matrix
UNLABELLED = "unlabelled"
"""Column of the confusion matrix for pixels that are predicted as none of the classes."""


@dataclass(frozen=True)
class Theme:
    """The colours of a chart.

    Attributes:
        paper: background.
        ink: text.
        faint: grid lines, borders, and matrix rows without pixels.
        lines: curves; distinguishable for the colour-blind.
        heat: gradient of the matrix, from 0 to 100 % of a row's pixels.
    """

    paper: str
    ink: str
    faint: str
    lines: tuple[str, str]
    heat: tuple[str, str, str]


LIGHT = Theme(
    "white", "#24292f", "#d8dee4", ("#0b62a8", "#c2570c"), ("white", "#8fbfe3", "#083b73")
)
DARK = Theme(
    "#161a20", "#d5dae0", "#39414b", ("#6cb4f0", "#f0a15a"), ("#161a20", "#2b6496", "#d3e9fb")
)


def draw_curves(
    history: Sequence[Mapping[str, float | int]], theme: Theme = LIGHT, stacked: bool = False
) -> bytes:
    """Draw loss, validation metrics and learning rate over the epochs as a PNG.

    Args:
        history: rows of results.csv; values that are missing or not finite are skipped.
        theme: colours of the chart.
        stacked: draw the charts below each other, for narrow screens, instead of side by side.
    """
    size = (4, 6.4) if stacked else (9.6, 3)
    figure = Figure(figsize=size, dpi=150, facecolor=theme.paper, layout="constrained")
    if stacked:
        loss, metrics, rate = figure.subplots(3, 1, height_ratios=(4, 4, 3))
    else:
        loss, metrics, rate = figure.subplots(1, 3, width_ratios=(4, 4, 2))
    for axes, title in ((loss, "Loss"), (metrics, "Validation"), (rate, "Learning rate")):
        style_axes(axes, title, theme)
    lowest, highest = _plot(loss, history, "loss", theme.lines[0])
    if highest > 30 * lowest > 0:
        loss.set_yscale("log")
        loss.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    _plot(metrics, history, "mean_iou", theme.lines[0], "mean IoU")
    _plot(metrics, history, "pixel_accuracy", theme.lines[1], "pixel accuracy")
    metrics.set_ylim(0, 1)
    metrics.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    legend = metrics.legend(loc="lower right", bbox_to_anchor=(1.02, 0.98), ncols=2, fontsize=8)
    legend.set(frame_on=False)
    for text in legend.texts:
        text.set_color(theme.ink)
    _plot(rate, history, "lr", theme.ink)
    rate.set_ylim(bottom=0)
    return encode_figure(figure)


@dataclass(frozen=True)
class Sparkline:
    """A small curve over the epochs, for an SVG polyline.

    Attributes:
        points: "x,y x,y ...", x in [0, WIDTH], y in [0, HEIGHT] downwards.
        first: value of the first epoch.
        last: value of the last epoch.
    """

    points: str
    first: float
    last: float

    WIDTH: ClassVar[int] = 120
    HEIGHT: ClassVar[int] = 36


def sparkline(
    epochs: Sequence[float], values: Sequence[float], last_epoch: float, high: float | None = None
) -> Sparkline | None:
    """Return a small curve with 0 at its lower edge, or None if no value is finite.

    Args:
        epochs: epochs of the values, from 1.
        values: one value per epoch; values that are not finite are skipped.
        last_epoch: epoch at the right edge.
        high: value at the upper edge; None for the largest value.
    """
    known = [(x, y) for x, y in zip(epochs, values, strict=True) if math.isfinite(y)]
    if not known:
        return None
    top = high or max(y for _, y in known) or 1.0
    across = Sparkline.WIDTH / max(1.0, last_epoch - 1)
    # A margin of 1 keeps the stroke inside at the edges.
    points = [(across * (x - 1), 1 + (Sparkline.HEIGHT - 2) * (1 - y / top)) for x, y in known]
    if len(points) == 1:
        points = [(0, points[0][1]), (Sparkline.WIDTH, points[0][1])]
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Sparkline(text, known[0][1], known[-1][1])


def draw_confusion(
    counts: Int64[np.ndarray, "K predictions"], classes: Sequence[str], theme: Theme = LIGHT
) -> bytes:
    """Draw the confusion matrix, normalized by row, as a PNG heat map.

    Args:
        counts: pixels by true and predicted class; the last column counts pixels predicted as none
            of the classes, and is drawn only if there are any.
        classes: class names; up to about 60 are legible.
        theme: colours of the chart.
    """
    columns = len(classes) + int(counts[:, len(classes) :].sum() > 0)
    totals = counts.sum(1, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)[:, :columns]
    names = [_short(name) for name in classes]
    cell = 0.62 if len(names) <= 10 else 0.46 if len(names) <= MAX_NUMBERED else 0.24  # inches
    margin = 1.2 + 0.07 * max(map(len, names))
    size = (cell * columns + margin + 0.8, cell * len(names) + margin)
    figure = Figure(figsize=size, dpi=150, facecolor=theme.paper, layout="constrained")
    axes = figure.subplots()
    colors = LinearSegmentedColormap.from_list("heat", theme.heat).with_extremes(bad=theme.faint)
    # The square root makes a confusion of 5 % visible next to a diagonal of 90 %.
    mesh = axes.imshow(np.ma.masked_invalid(shares), cmap=colors, norm=PowerNorm(0.5, 0, 1))
    _name_axes(axes, names, [*names, UNLABELLED][:columns], theme)
    if len(names) <= MAX_NUMBERED:
        _write_numbers(axes, shares, mesh.to_rgba(shares)[..., :3] @ (0.299, 0.587, 0.114))
    bar = figure.colorbar(mesh, ax=axes, shrink=0.6, aspect=24, ticks=[0, 0.05, 0.25, 0.5, 1])
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    bar.ax.tick_params(labelsize=8, labelcolor=theme.ink, length=0)
    bar.ax.spines[:].set_visible(False)
    return encode_figure(figure)


def style_axes(axes: Axes, title: str, theme: Theme, along: str = "epoch") -> None:
    """Give axes the colours of a theme, a title and the name of what is drawn along x."""
    axes.set_facecolor(theme.paper)
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=theme.faint, linewidth=0.6)
    axes.tick_params(which="both", length=0, labelsize=8, labelcolor=theme.ink)
    if along == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_xlabel(along, fontsize=8, color=theme.ink)
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=theme.ink)


def _plot(
    axes: Axes, history: Sequence[Mapping[str, float | int]], name: str, color: str, label: str = ""
) -> tuple[float, float]:
    """Plot a column of the history; return its lowest and highest value."""
    rows = [(row["epoch"], row.get(name, math.nan)) for row in history]
    points = np.array([row for row in rows if math.isfinite(row[1])], float).reshape(-1, 2)
    mark = "o" if len(points) <= 30 else ""
    axes.plot(*points.T, color=color, label=label, marker=mark, markersize=2.5, linewidth=1.6)
    return (points[:, 1].min(), points[:, 1].max()) if len(points) else (0, 0)


def _name_axes(axes: Axes, rows: Sequence[str], columns: Sequence[str], theme: Theme) -> None:
    size, angle = (9, 45) if len(rows) <= MAX_NUMBERED else (7, 90)
    axes.set_yticks(range(len(rows)), rows, fontsize=size, parse_math=False)
    axes.set_xticks(range(len(columns)), columns, fontsize=size, parse_math=False, rotation=angle)
    for text in axes.get_xticklabels():
        text.set(ha="right", va="center", rotation_mode="anchor")
    axes.set_xlabel("prediction", fontsize=10, fontweight="bold", color=theme.ink)
    axes.set_ylabel("ground truth", fontsize=10, fontweight="bold", color=theme.ink)
    axes.tick_params(length=0, labelcolor=theme.ink)
    axes.spines[:].set_color(theme.faint)


def _write_numbers(
    axes: Axes,
    shares: Float[np.ndarray, "K columns"],
    brightness: Float[np.ndarray, "K columns"],
) -> None:
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:  # cells that round to 0 stay empty
            ink = "black" if brightness[row, column] > 0.5 else "white"
            number = f"{100 * share:.0f}"
            axes.text(column, row, number, ha="center", va="center", fontsize=8, color=ink)


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def encode_figure(figure: Figure) -> bytes:
    """Return a figure as a PNG."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # The font lacks some scripts and draws boxes; the page next to the chart has the names.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(stream, format="png", bbox_inches="tight", pad_inches=0.06)
    return stream.getvalue()

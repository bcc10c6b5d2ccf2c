"""Plot an explanation: mean IoU near boundaries, calibration, and thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fullconv.evaluation.calibration import Calibration, ThresholdCurve
from fullconv.evaluation.explanation import Explanation
from fullconv.evaluation.report.charts import DARK, LIGHT, Theme, encode_figure, style_axes

SIZE = (4.4, 3.2)  # inches
MIN_PIXELS = 100  # of a bin of calibration: smaller ones would look like a finding


@dataclass(frozen=True)
class Plot:
    """A plot of shares.

    Attributes:
        title: what is plotted.
        meaning: how to read it, in a sentence.
        along: name of the x axis.
        x: positions of the points.
        lines: name -> shares in [0, 1], one for each position; nan is left out.
        diagonal: whether x is a share too, and equality is drawn as a line.
    """

    title: str
    meaning: str
    along: str
    x: Sequence[float] | Float64[np.ndarray, " N"]
    lines: dict[str, Sequence[float] | Float64[np.ndarray, " N"]]
    diagonal: bool = False

    @property
    def pictures(self) -> list[bytes]:
        """The plot as PNGs, in light and in dark colours."""
        return [draw_plot(self, theme) for theme in (LIGHT, DARK)]


def draw_plot(plot: Plot, theme: Theme = LIGHT) -> bytes:
    """Draw a plot as a PNG."""
    figure = Figure(figsize=SIZE, dpi=150, facecolor=theme.paper, layout="constrained")
    axes = figure.subplots()
    style_axes(axes, plot.title, theme, plot.along)
    if plot.diagonal:
        axes.plot((0, 1), (0, 1), color=theme.faint, linewidth=1.2)
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    colors = (*theme.lines, theme.ink)
    mark = "o" if len(plot.x) <= 30 else ""
    for (name, values), color in zip(plot.lines.items(), colors, strict=False):
        known = np.isfinite(values)
        points = np.asarray(plot.x, float)[known], np.asarray(values, float)[known]
        axes.plot(*points, color=color, label=name, marker=mark, markersize=3, linewidth=1.6)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    legend = axes.legend(fontsize=8, frameon=False)
    for text in legend.texts:
        text.set_color(theme.ink)
    return encode_figure(figure)


def explanation_plots(explanation: Explanation, mean_iou: float) -> list[Plot]:
    """Return the plots of an explanation: those that it has values for."""
    plots = [_trimap(explanation, mean_iou)]
    if explanation.calibration:
        plots.append(_reliability(explanation.calibration))
    if explanation.curve:
        plots.append(_thresholds(explanation.curve, explanation.classes[1]))
    return plots


def _trimap(explanation: Explanation, mean_iou: float) -> Plot:
    radii = [*explanation.trimap]
    lines = {
        "mean IoU of these pixels": [*explanation.trimap.values()],
        "share of all wrong pixels": [*explanation.wrong_within.values()],
        "mean IoU of all pixels": [mean_iou] * len(radii),
    }
    meaning = "Pixels nearer to a boundary between classes than the distance on the x axis."
    return Plot("Near boundaries", meaning, "pixels from a boundary", radii, {**lines})


def _reliability(calibration: Calibration) -> Plot:
    pixels, confidence, correct = calibration.bins.T
    with np.errstate(invalid="ignore"):
        x, accuracy = confidence / pixels, correct / pixels
    known = pixels >= MIN_PIXELS
    meaning = (
        "Below the line the model is surer than it should be. Bins of fewer than "
        f"{MIN_PIXELS} pixels are left out."
    )
    lines: dict[str, Float64[np.ndarray, " N"]] = {"share of correct pixels": accuracy[known]}
    return Plot("Calibration", meaning, "confidence", x[known], {**lines}, diagonal=True)


def _thresholds(curve: ThresholdCurve, name: str) -> Plot:
    lines = {"IoU": curve.iou, "precision": curve.precision, "recall": curve.recall}
    meaning = f"{name} is predicted where its probability is at least the threshold."
    return Plot(f"Thresholds for {name}", meaning, "threshold", curve.thresholds, {**lines})

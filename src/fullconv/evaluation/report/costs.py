"""What a training cost: its time, its pace and its memory, read from the rows of results.csv."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fullconv.evaluation.report.charts import Sparkline, sparkline
from fullconv.units import format_bytes, format_duration

Rows = Sequence[Mapping[str, float | int]]


@dataclass(frozen=True)
class Cost:
    """One number of a training's cost.

    Attributes:
        name: what it is.
        value: with its unit.
        meaning: in a few words.
        curve: over the epochs, or None where each is the same by its nature.
    """

    name: str
    value: str
    meaning: str
    curve: Sparkline | None


def costs(history: Rows) -> list[Cost]:
    """The costs that the rows tell of; a column that they lack is passed over.

    Args:
        history: with "seconds" of each epoch, evaluation included, and perhaps "step_seconds",
            "images_per_second" and "memory" (the most so far, in bytes).
    """
    found = []
    if seconds := _column(history, "seconds"):
        each = f"{len(seconds)} epochs, evaluation included" if len(seconds) > 1 else "one epoch"
        found.append(Cost("time", format_duration(sum(seconds)), each, _curve(history, "seconds")))
    if steps := _column(history, "step_seconds"):
        middle = statistics.median(steps)
        found.append(Cost("a step", format_duration(middle), "median of the epochs", None))
    if pace := _column(history, "images_per_second"):
        value = f"{statistics.median(pace):.3g}"
        curve = _curve(history, "images_per_second")
        found.append(Cost("images a second", value, "in training, loading included", curve))
    if memory := _column(history, "memory"):
        curve = _curve(history, "memory")
        found.append(Cost("memory", format_bytes(max(memory)), "the most at any time", curve))
    return found


def _column(history: Rows, name: str) -> list[float]:
    values = [float(row.get(name, math.nan)) for row in history]
    return [value for value in values if math.isfinite(value)]


def _curve(history: Rows, name: str) -> Sparkline | None:
    if len(history) < 2:
        return None
    epochs = [row["epoch"] for row in history]
    values = [float(row.get(name, math.nan)) for row in history]
    return sparkline(epochs, values, epochs[-1])

"""What a training cost: its time, its pace and its memory, read from the rows of results.csv."""

import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fullconv.evaluation.report.charts import Sparkline, sparkline
from fullconv.hardware import in_words

if sys.platform != "win32":
    pass

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
        found.append(Cost("time", clock(sum(seconds)), each, _curve(history, "seconds")))
    if steps := _column(history, "step_seconds"):
        middle = statistics.median(steps)
        found.append(Cost("a step", short_time(middle), "median of the epochs", None))
    if pace := _column(history, "images_per_second"):
        value = f"{statistics.median(pace):.3g}"
        curve = _curve(history, "images_per_second")
        found.append(Cost("images a second", value, "in training, loading included", curve))
    if memory := _column(history, "memory"):
        curve = _curve(history, "memory")
        found.append(Cost("memory", in_words(max(memory)), "the most at any time", curve))
    return found


def clock(seconds: float) -> str:
    """A time for people: "41 s", "4 min 12 s" or "2 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole else short_time(seconds)
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{whole // 60} min {whole % 60:02d} s"


def short_time(seconds: float) -> str:
    """A time of about a second: "38 ms" or "1.24 s"."""
    return f"{1000 * seconds:.0f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def _column(history: Rows, name: str) -> list[float]:
    values = [float(row.get(name, math.nan)) for row in history]
    return [value for value in values if math.isfinite(value)]


def _curve(history: Rows, name: str) -> Sparkline | None:
    if len(history) < 2:
        return None
    epochs = [row["epoch"] for row in history]
    values = [float(row.get(name, math.nan)) for row in history]
    return sparkline(epochs, values, epochs[-1])

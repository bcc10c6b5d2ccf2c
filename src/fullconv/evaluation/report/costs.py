"""Time, throughput and memory of a training run, from the rows of results.csv."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fullconv.evaluation.report.charts import Sparkline, sparkline
from fullconv.units import count, format_bytes, format_duration

Rows = Sequence[Mapping[str, float | int]]


@dataclass(frozen=True)
class TrainingCost:
    """A cost of training.

    Attributes:
        name: what was measured.
        value: the value with its unit.
        meaning: an explanation in a few words.
        curve: the value of each epoch; None if it has a single value.
    """

    name: str
    value: str
    meaning: str
    curve: Sparkline | None


def training_costs(history: Rows) -> list[TrainingCost]:
    """Return the costs of the columns that the rows have.

    Args:
        history: rows with the column "epoch" and "seconds" (of the row's steps, evaluation
            included), "step_seconds", "images_per_second" and "memory" (peak so far, in bytes), or
            some of them.
    """
    costs = []
    if seconds := _column(history, "seconds"):
        # A row may sum up several epochs, or a part of one.
        meaning = f"{count(int(history[-1]['epoch']), 'epoch', 'epochs')}, with evaluation"
        costs.append(
            TrainingCost("time", format_duration(sum(seconds)), meaning, _curve(history, "seconds"))
        )
    if steps := _column(history, "step_seconds"):
        value = format_duration(statistics.median(steps))
        costs.append(TrainingCost("time per step", value, "median", None))
    if throughput := _column(history, "images_per_second"):
        value = f"{statistics.median(throughput):.3g}"
        curve = _curve(history, "images_per_second")
        costs.append(TrainingCost("images/s", value, "in training, with data loading", curve))
    if memory := _column(history, "memory"):
        curve = _curve(history, "memory")
        costs.append(TrainingCost("memory", format_bytes(max(memory)), "peak", curve))
    return costs


def _column(history: Rows, name: str) -> list[float]:
    values = [float(row.get(name, math.nan)) for row in history]
    return [value for value in values if math.isfinite(value)]


def _curve(history: Rows, name: str) -> Sparkline | None:
    if len(history) < 2:
        return None
    epochs = [row["epoch"] for row in history]
    values = [float(row.get(name, math.nan)) for row in history]
    return sparkline(epochs, values, epochs[-1])

"""The tables of a run: results.csv and per_class_history.csv, one row per round."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fullconv.errors import ConfigError
from fullconv.evaluation.metrics import EpochIoU
from fullconv.io.output_text import csv_text
from fullconv.io.text import parse_csv

Row = Mapping[str, float]

_KEYS = ("epoch", "step")  # the first columns: whole numbers; steps rise from row to row


def as_csv(rows: Sequence[Row]) -> str:
    """Format rows as CSV, with all their keys as columns; nan and missing values are empty."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = ([_cell(row[key]) if key in row else "" for key in keys] for row in rows)
    return csv_text([keys, *cells])


def class_history_as_csv(classes: Sequence[str], rows: Sequence[EpochIoU]) -> str:
    """Format the IoU of every class and evaluation as CSV."""
    cells = ([row.epoch, row.step, *map(_cell, row.iou)] for row in rows)
    return csv_text([[*_KEYS, *classes], *cells])


def read_results(path: Path) -> list[dict[str, float]]:
    """Read results.csv; no rows if there is no such file.

    Raises:
        ConfigError: the file is damaged.
    """
    names, rows = _read(path)
    if odd := [name for name in names if not re.fullmatch(r"[\w-]+", name)]:
        raise _damaged(path, 1, f"the column {odd[0][:40]!r}", "names of metrics")
    return [dict(zip(names, row, strict=True)) for row in rows]


def read_class_history(path: Path) -> list[EpochIoU]:
    """Read per_class_history.csv; no rows if there is no such file.

    Raises:
        ConfigError: the file is damaged.
    """
    return [EpochIoU(int(epoch), int(step), tuple(iou)) for epoch, step, *iou in _read(path)[1]]


def check_complete(path: Path, steps: Sequence[float], last: int) -> None:
    """Check that a table, if it exists, has the last row before the checkpoint.

    Args:
        path: of the table.
        steps: of its rows up to the checkpoint.
        last: the step that it should end with; 0 for none.

    Raises:
        ConfigError: the row is missing.
    """
    if last and path.is_file() and (not steps or steps[-1] < last):
        found = f"rows up to step {int(steps[-1])}" if steps else "no rows"
        raise _damaged(path, len(steps) + 1, found, f"rows up to step {last}")


def _read(path: Path) -> tuple[list[str], list[list[float]]]:
    """Return the columns and the rows of numbers of a table that begins with epoch and step."""
    if not path.is_file():
        return [], []
    lines = _lines(path)
    names = lines[0] if lines else []
    if tuple(names[:2]) != _KEYS:
        raise _damaged(path, 1, f"the columns {', '.join(names)[:80]}", "epoch, step, ...")
    rows: list[list[float]] = []
    for number, cells in enumerate(lines[1:], 2):
        row = [*_numbers(cells)]
        if len(row) != len(names):
            raise _damaged(path, number, f"{','.join(cells)[:80]!r}", f"{len(names)} numbers")
        if not _follows(row, rows[-1] if rows else (0, 0)):
            raise _damaged(path, number, f"epoch {cells[0]}, step {cells[1]}", "a later step")
        rows.append(row)
    return names, rows


def _lines(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return parse_csv(file, strict=True)
    except ValueError as error:  # a broken table, or not UTF-8
        raise _damaged(path, 1, f"no text of a table ({error})", "epoch, step, ...") from error


def _numbers(cells: Iterable[str]) -> Iterable[float]:
    """Yield the cells' numbers as far as they are numbers; an empty one is nan."""
    for cell in cells:
        try:
            yield float(cell or "nan")
        except ValueError:
            return


def _follows(row: Sequence[float], before: Sequence[float]) -> bool:
    """Whether a row has an epoch and a step, which is after that of the row before."""
    whole = all(math.isfinite(number) and number == int(number) for number in row[:2])
    return whole and row[0] >= max(1, before[0]) and row[1] > before[1]


def _damaged(path: Path, line: int, found: str, expected: str) -> ConfigError:
    return ConfigError(
        f"{path}, line {line}: found {found}; expected {expected}: the file is damaged; move it "
        "away to resume without the rows so far"
    )


def _cell(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value == int(value) and abs(value) > 1 else f"{value:.6g}"

"""Terminal output: lines, tables, progress bars and JSON."""

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from fullconv.io.atomic import write_text

if TYPE_CHECKING:
    from fullconv.evaluation.evaluate import Evaluation


Item = TypeVar("Item")

console = Console(highlight=False, soft_wrap=True, emoji=False)


def say(text: str) -> None:
    """Print one line without interpreting markup."""
    console.print(text, markup=False)


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[Progress]:
    """Show a progress bar with the remaining time; none if the output is piped."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    with bar:
        yield bar


def track(items: Iterable[Item], total: int, what: str, quiet: bool = False) -> Iterator[Item]:
    """Yield the items while a progress bar shows how many are done."""
    with progress_bar(quiet) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            yield item
            bar.advance(task)


def format_table(titles: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Format a table as plain text without wrapping; the first `left` columns are left-aligned."""
    lines = [tuple(titles), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def format_class_table(evaluation: "Evaluation") -> str:
    """Format IoU and accuracy of every class; "-" for absent classes."""
    from fullconv.evaluation.metrics import format_percent

    rows = zip(
        evaluation.classes, evaluation.iou, evaluation.accuracy, evaluation.pixels, strict=True
    )
    cells = [
        (name, format_percent(iou), format_percent(accuracy), f"{pixels:,}")
        for name, iou, accuracy, pixels in rows
    ]
    return format_table(("class", "IoU", "accuracy", "pixels"), cells)


def write_json(target: Path | None, values: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write values as JSON to a file, or to standard output for "-"; None writes nothing."""
    if target is None:
        return
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"
    if str(target) == "-":
        sys.stdout.write(text)
    else:
        write_text(target, text)


def nan_to_none(number: float) -> float | None:
    """Replace nan, which JSON lacks, by None."""
    return None if math.isnan(number) else number

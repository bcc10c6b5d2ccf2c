"""Write the files of comparisons: comparison.json, and differences of classes, images, groups."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fullconv.evaluation.comparison import Comparison
from fullconv.io.atomic import write_bytes, write_text
from fullconv.io.output_text import csv_text, json_bytes, number_cell

Row = Sequence[object]


def write_comparisons(folder: Path, comparisons: Sequence[Comparison]) -> list[Path]:
    """Write comparison.json, classes.csv, images.csv and groups.csv.

    Each table has the rows of all comparisons; with a warning about protocols in every row.

    Raises:
        OutputError: the folder cannot be written.
    """
    tables = {
        "classes.csv": _class_rows(comparisons),
        "images.csv": _image_rows(comparisons),
        "groups.csv": _group_rows(comparisons),
    }
    for name, rows in tables.items():
        write_text(folder / name, csv_text(rows))
    values = [comparison.to_dict() for comparison in comparisons]
    write_bytes(folder / "comparison.json", json_bytes(values, indent=2))
    return [folder / name for name in ("comparison.json", *tables)]


def _class_rows(comparisons: Sequence[Comparison]) -> Iterator[Row]:
    yield ["first", "second", "class", "difference", "low", "high", "p_holm", "warning"]
    for comparison in comparisons:
        for name, difference in comparison.classes.items():
            ends = map(number_cell, difference.interval) if difference.interval else ("", "")
            values = [number_cell(difference.value), *ends, number_cell(difference.p)]
            yield [*_names(comparison), name, *values, comparison.warning]


def _image_rows(comparisons: Sequence[Comparison]) -> Iterator[Row]:
    yield ["first", "second", "image", "first_mean_iou", "second_mean_iou", "difference", "warning"]
    for comparison in comparisons:
        columns = (
            comparison.first.counts.image_iou.tolist(),
            comparison.second.counts.image_iou.tolist(),
            comparison.images.tolist(),
        )
        names = comparison.first.counts.names
        for name, *values in zip(names, *columns, strict=True):
            yield [*_names(comparison), name, *map(number_cell, values), comparison.warning]


def _group_rows(comparisons: Sequence[Comparison]) -> Iterator[Row]:
    yield ["first", "second", "group", "difference", "warning"]
    for comparison in comparisons:
        for name, value in comparison.groups.items():
            yield [*_names(comparison), name, number_cell(value), comparison.warning]


def _names(comparison: Comparison) -> tuple[str, str]:
    return comparison.first.name, comparison.second.name

"""How much of each photo each class covers, as CSV: one row a photo, shares and pixels."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fullconv.inference.predictor import Prediction

Row = tuple[str, Sequence[int]]


def class_pixels(answer: Prediction) -> tuple[int, ...]:
    """The pixels of each class, in the classes' order."""
    counts = np.bincount(answer.labels.ravel(), minlength=256)
    return tuple(counts[: len(answer.classes)].tolist())


def csv_lines(rows: Iterable[Row], classes: Sequence[str]) -> Iterator[str]:
    """The lines of areas.csv, each with its line end: a header, then one a row, as they come.

    The columns are the photo, the share of each class in [0, 1], all its pixels, and the pixels
    of each class. A share is of the pixels that have a class.

    Args:
        rows: name of a photo, and its `class_pixels`.
        classes: their names.
    """
    yield _line(["photo", *classes, "pixels", *(f"{name} pixels" for name in classes)])
    for name, pixels in rows:
        total = sum(pixels)
        shares = (f"{count / total:.6f}" if total else "" for count in pixels)
        yield _line([name, *shares, total, *pixels])


def _line(cells: Sequence[object]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue()

"""Class areas as CSV: one row per photo, with the share and the pixels of each class."""

from collections.abc import Iterable, Iterator, Sequence

from fullconv.inference.prediction import Prediction
from fullconv.io.output_text import csv_text

AreaRow = tuple[str, Sequence[int]]
"""A photo's id and the pixels of each class."""


def count_pixels(prediction: Prediction) -> tuple[int, ...]:
    """Count the pixels of each class, in the order of the classes."""
    return prediction.pixels


def format_csv(rows: Iterable[AreaRow], classes: Sequence[str]) -> Iterator[str]:
    """Yield the lines of areas.csv, with line ends: a header, then one line per row.

    The columns are the photo, the share of each class in [0, 1], the number of pixels, and the
    pixels of each class. Shares are of the pixels that have a class.
    """
    yield csv_text([["photo", *classes, "pixels", *(f"{name} pixels" for name in classes)]])
    for photo, pixels in rows:
        total = sum(pixels)
        shares = (f"{count / total:.6f}" if total else "" for count in pixels)
        yield csv_text([[photo, *shares, total, *pixels]])

"""Format JSON and CSV that every program can read: all such files are written with these."""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Sequence

# A negative number is no formula; nor is a dash.
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|-?(nan|inf)|-")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def json_bytes(values: object, indent: int | None = None) -> bytes:
    """Return JSON in UTF-8 with a final line end.

    File names need not be UTF-8: their other bytes are surrogates, which JSON can escape.
    """
    text = json.dumps(values, indent=indent, ensure_ascii=False, allow_nan=False, default=str)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return the lines of a CSV file, which a spreadsheet does not execute as formulas."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(map(_cells, rows))
    return stream.getvalue()


def _cells(row: Sequence[object]) -> list[object]:
    return [csv_cell(cell) if isinstance(cell, str) else cell for cell in row]


def csv_cell(text: str) -> str:
    """Return text that a spreadsheet shows as it is.

    An apostrophe is put before what begins like a formula (CWE-1236); bytes of names that are not
    UTF-8 are escaped.
    """
    shown = text.encode("utf-8", "backslashreplace").decode()
    begins = text.startswith(_FORMULA) and not _NUMBER.fullmatch(text)
    return f"'{shown}" if begins else shown


def number_cell(value: float) -> float | str:
    """Return a number for a CSV file with six digits; an empty cell for nan."""
    return "" if math.isnan(value) else float(f"{value:.6g}")

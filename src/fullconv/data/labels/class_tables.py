"""Parse class lists that are tables: a first line that names the columns, and a row per class."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullconv.errors import DataError
from fullconv.io.palettes import Color
from fullconv.io.text import parse_csv

EXAMPLE = 'write lines like "0 road #804080"'

_NAMES = ("name", "names", "class_name", "classname", "label_name")
_KINDS = ("class", "classes", "label", "labels", "category", "categories")
_IDS = (
    *("id", "ids", "idx", "index", "value", "number", "class_id", "label_id", "train_id"),
    *("trainid", "classid", "labelid", "pixel", "pixel_value", "class_index", "key"),
)
_RED, _GREEN, _BLUE = ("r", "red"), ("g", "green"), ("b", "blue")
_COLORS = ("color", "colour", "hex", "rgb", "color_rgb")
_ALPHA = ("a", "alpha")


@dataclass(frozen=True)
class Entry:
    """A declared class.

    Attributes:
        value: its value in masks.
        name: its name.
        color: its colour, if it has one.
        counted: whether the value is only the place of the line, since no line has a number.
    """

    value: int
    name: str
    color: Color | None = None
    counted: bool = False


def parse_table(rows: Sequence[Sequence[str]], where: Path) -> list[Entry]:
    """Parse a table of classes, whose first row names the columns: id, name, r, g, b, color.

    Raises:
        DataError: there is no column of names, a row has more or fewer cells, or an alpha channel.
    """
    titles = [title.strip().casefold().replace(" ", "_") for title in rows[0]]
    kind = _column(titles, _NAMES), _column(titles, _KINDS)
    name = kind[0] if kind[0] is not None else kind[1]
    number = _column(titles, _IDS)
    if number is None and kind[0] is not None:
        number = kind[1]
    rgb = [_column(titles, names) for names in (_RED, _GREEN, _BLUE)]
    color, alpha = _column(titles, _COLORS), _column(titles, _ALPHA)
    twice = len({*titles}) < len(titles) or (
        kind[0] is None and sum(title in _KINDS for title in titles) > 1
    )
    if name is None or alpha is not None or 0 < rgb.count(None) < 3 or twice:
        raise DataError(
            f"the columns {', '.join(rows[0])}",
            expected="name, and if there are any id and r, g, b",
            remedy=f"correct the first line, or {EXAMPLE}",
            where=where,
        )
    entries = []
    for index, row in enumerate(rows[1:]):
        cells = [cell.strip() for cell in row]
        if len(cells) != len(titles):
            raise DataError(
                f"{len(cells)} cells in {','.join(row)!r}",
                expected=f"{len(titles)}, as in the first line",
                where=where,
            )
        value = index if number is None else parse_number(cells[number], where)
        shown = _cell_color(cells[color], where) if color is not None else None
        if None not in rgb:
            shown = parse_color([cells[column] for column in rgb if column is not None], where)
        entries.append(Entry(value, cells[name], shown))
    return entries


def parse_number(text: object, where: Path) -> int:
    """Return a class number that is written in plain digits.

    Raises:
        DataError: it is anything else.
    """
    digits = str(text).strip()
    if not re.fullmatch("[0-9]{1,9}", digits):
        raise DataError(f"the number {digits[:40]!r}", expected="0, 1, 2, ...", where=where)
    return int(digits)


def parse_color(parts: Sequence[object], where: Path) -> Color:
    """Return a colour that is given as three numbers.

    Raises:
        DataError: it is not three whole numbers from 0 to 255.
    """
    texts = [str(part).strip() for part in parts]
    numbers = [int(text) for text in texts if re.fullmatch("[0-9]{1,9}", text)]
    if len(numbers) != 3 or len(parts) != 3 or max(numbers) > 255:
        raise DataError(
            f"the colour {list(parts)}", expected="three numbers from 0 to 255", where=where
        )
    return numbers[0], numbers[1], numbers[2]


def table_header(lines: Sequence[str], where: Path) -> tuple[str, list[str]] | None:
    """Return the delimiter and the columns that the first line names; None if it is a class.

    Raises:
        DataError: it could be either.
    """
    words = re.split(r"[\s,;:|]+", lines[0].casefold().strip(",;:|"))
    named = any(word in (*_NAMES, *_KINDS) for word in words) and not words[0].isdigit()
    others = (*_IDS, *_RED, *_GREEN, *_BLUE, *_COLORS)
    if (
        len(words) > 1
        and named
        and (any(word in others for word in words) or {*words} <= {*_NAMES, *_KINDS})
    ):
        delimiter = next((mark for mark in "\t,;|:" if mark in lines[0]), " ")
        return delimiter, split_cells(lines[:1], delimiter, where)[0]
    if len(lines) > 1 and words[0] in (*_NAMES, *_KINDS, "id", "ids") and len(words) == 1:
        raise DataError(
            f"the first line is {lines[0]!r}, which could be a heading or a class",
            remedy='delete it, or number the lines, e.g. "0 road"',
            where=where,
        )
    return None


def split_cells(lines: Iterable[str], delimiter: str, where: Path) -> list[list[str]]:
    """Return the cells of each line; a blank as the delimiter stands for any white space.

    Raises:
        DataError: a cell is too long for a table.
    """
    if delimiter == " ":
        return [line.split() for line in lines]
    try:
        return parse_csv(lines, delimiter)
    except ValueError as error:
        raise DataError(f"a broken table ({error})", remedy=EXAMPLE, where=where) from error


def _column(titles: Sequence[str], names: Sequence[str]) -> int | None:
    return next((index for index, title in enumerate(titles) if title in names), None)


def _cell_color(text: str, where: Path) -> Color | None:
    if not text:
        return None
    if match := re.fullmatch("#?([0-9a-fA-F]{6})", text):
        return hex_color(match[1])
    return parse_color(re.findall(r"[^\s,;()\[\]]+", text), where)


def hex_color(text: str) -> Color:
    """Return a colour that is written in six hexadecimal digits."""
    red, green, blue = bytes.fromhex(text)
    return red, green, blue

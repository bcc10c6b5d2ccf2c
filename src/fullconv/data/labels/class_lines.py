"""Class lists that are text: numbers and colours count, and what is unclear is refused."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullconv.data.labels.class_tables import (
    EXAMPLE,
    Entry,
    hex_color,
    parse_color,
    parse_number,
    parse_table,
    split_cells,
    table_header,
)
from fullconv.data.labels.plain_names import foreign_part, numbers_inside
from fullconv.data.labels.special_names import IGNORE
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, VOID_COLOR, Color, Palette, voc_palette

_LEADING = re.compile(r"([0-9]+)(?:\s*[:,;=|)]\s*|\s*\.\s+|\.(?=[^\W\d])|\s+-\s+|\s+)(\S.*)")
_TRAILING = re.compile(r"(.*?\S)(?:\s*[:,;=|(\[]\s*|\s+-\s+|\s+)([0-9]+)\s*[)\]]*")
_HEX = re.compile(r"(.*[^\s:,;=|])[\s:,;=|]+#([0-9a-fA-F]{6})")
_HEX_FIRST = re.compile(r"#([0-9a-fA-F]{6})[\s:,;=|]+(\S.*)")
_ODD_FIRST = re.compile(
    r"([-+]\d+|[-+]?\d*\.\d+|0[xX][0-9a-fA-F]+|0[bBoO][0-7]+|\d+[eE][-+]?\d+)(?![^\s:,;=|])"
)
_ODD_LAST = re.compile(r"(?<![^\s:,;=|(\[])([-+]\d+|[-+]?\d*\.\d+|#\S*|0[xX][0-9a-fA-F]+)[)\]]*$")
_GLUED = re.compile(r"([0-9]+)[-_]")


@dataclass(frozen=True)
class _Line:
    """The parts of a line: numbers before and after the name, and a colour like #804080."""

    text: str
    name: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    hex: Color | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """How many numbers there are before and after the name."""
        return len(self.before), len(self.after)


def parse_lines(lines: Sequence[str], where: Path) -> list[Entry]:
    """Parse one class per line: "road", "0 road #804080", "road: 1", "road 128 64 128", ...

    Lines that start with a hash are comments. A number before or after the name is the class's
    value in masks; without numbers, lines are numbered from 0, except for a first line
    `__ignore__` (LabelMe). A first line such as "id,name" names columns.

    Raises:
        DataError: a line that could mean something else, or only some lines have numbers.
    """
    kept = _without_comments([line.strip() for line in lines], where)
    if kept and (header := table_header(kept, where)):
        delimiter, columns = header
        return parse_table([columns, *split_cells(kept[1:], delimiter, where)], where)
    for line in kept:
        _refuse_foreign(line, kept, where)
    parts = [_parts(line, place, where) for place, line in enumerate(kept)]
    entries = _numbered(parts, where)
    for part, entry in zip(parts, entries, strict=True):
        free = part.before and part.hex  # what is between a number and #804080 is the name
        if not free and (odd := foreign_part(entry.name, len(part.after) == 3)):
            raise _refused(where, f"{odd} in {part.text!r}")
    return entries


def format_lines(classes: Sequence[str], palette: Palette) -> Iterator[str]:
    """Yield the lines of classes.txt: "0 road #804080", and "255 void".

    Args:
        classes: their names.
        palette: distinct colours; see `distinct_palette`.
    """
    for label, (name, color) in enumerate(zip(classes, palette, strict=True)):
        yield f"{label} {' '.join(name.split())} #{bytes(color).hex()}\n"
    yield "255 void\n"  # explicit: masks of 0 and 255 are otherwise read as two classes


def distinct_palette(palette: Palette) -> Palette:
    """Return the palette, or VOC's if two classes share a colour, or one has that of void.

    Masks show ignored pixels in `VOID_COLOR`, and declared colours decide about masks.
    """
    unlike = {*palette} - {VOID_COLOR}
    return palette if len(unlike) == len(palette) else voc_palette(len(palette))


def _without_comments(lines: Sequence[str], where: Path) -> list[str]:
    """Return the lines with content; "#804080 road" is not a comment if all lines are like it."""
    colored = [line for line in lines if _HEX_FIRST.fullmatch(line)]
    others = [line for line in lines if line and not line.startswith("#")]
    if colored and others:
        raise _refused(where, f"{colored[0]!r} could be a comment or a class")
    return colored or others


def _refuse_foreign(line: str, lines: Sequence[str], where: Path) -> None:
    """Refuse lines of JSON, YAML or CSV, whose marks would become part of a name."""
    quoted = line[0] in "\"'" and line.strip(",")[-1] == line[0]
    if line[0] in "[{}]" or line.startswith(("- ", "* ")) or quoted or line.endswith(":"):
        raise _refused(where, f"{line!r} is not a plain name")
    if len(lines) == 1 and re.search("[,;]", _parts(line, 0, where).name):
        raise _refused(where, f"several names in one line, {line!r}")


def _parts(line: str, place: int, where: Path) -> _Line:
    """Split a line into numbers, name and colour; `place` is its number, from 0."""
    if line == str(place):  # a class of digits, or of the characters of a licence plate
        return _Line(line, line)
    rest, color = line, None
    if match := _HEX_FIRST.fullmatch(rest):
        color, rest = hex_color(match[1]), match[2]
    elif match := _HEX.fullmatch(rest):
        rest, color = match[1], hex_color(match[2])
        if first := _LEADING.fullmatch(rest):  # "0 Landsat 8 #804080": the name is what is between
            return _Line(line, first[2], (first[1],), (), color)
    before: list[str] = []
    after: list[str] = []
    while match := _LEADING.fullmatch(rest):
        before.append(match[1])
        rest = match[2]
    while match := _TRAILING.fullmatch(rest):
        rest = match[1]
        after.insert(0, match[2])
    odd = _ODD_FIRST.match(rest) or _ODD_LAST.search(rest)
    if odd and odd[1] != line:
        raise _refused(where, f"{odd[1]!r} in {line!r}")
    if rest.isascii() and rest.isdigit():
        raise _refused(where, f"the number {line!r} without a name")
    return _Line(line, rest, tuple(before), tuple(after), color)


def _numbered(lines: Sequence[_Line], where: Path) -> list[Entry]:
    """Return the entries of parsed lines."""
    if lines and all(line.shape == (3, 0) and not line.hex for line in lines):
        return [
            Entry(value, line.name, parse_color(line.before, where))
            for value, line in enumerate(lines)
        ]
    entries = [_entry(line, where) for line in lines]
    first = [bool(line.before) for line in lines]
    _all_or_none(lines, first, "begin", where)
    if any(first):
        names = {line.name.casefold() for line in lines}
        if len(names) == len(lines) > 1 and all(line.shape == (1, 1) for line in lines):
            raise DataError(
                f"two numbers in {lines[0].text!r}",
                expected="one, which is the value of the class in the masks",
                remedy='if the other is part of the name, make it a table: "id,name" as the first '
                'line, then "0,zone 7"',
                where=where,
            )
        return [
            Entry(parse_number(line.before[0], where), name, color)
            for line, (name, color) in zip(lines, entries, strict=True)
        ]
    last = [len(line.after) == 1 for line in lines]
    _all_or_none(lines, last, "end", where)
    if any(last) and not _are_names(lines, where):
        return [Entry(parse_number(line.after[0], where), line.name, line.hex) for line in lines]
    _refuse_glued(lines, where)
    start = -1 if entries and entries[0][0] == IGNORE else 0
    numbers = [VOID if number < 0 else number for number in range(start, start + len(lines))]
    return [Entry(number, *entry, True) for number, entry in zip(numbers, entries, strict=True)]


def _entry(line: _Line, where: Path) -> tuple[str, Color | None]:
    """Return the name and the colour of a line, whatever its number."""
    if line.shape in ((0, 0), (1, 0)):
        return line.name, line.hex
    if line.shape in ((0, 1), (1, 1)):  # a name that ends with a number, unless it is the value
        text = line.text
        if match := _HEX.fullmatch(text):
            text = match[1]
        if line.before and (match := _LEADING.fullmatch(text)):
            text = match[2]
        return text, line.hex
    if line.shape in ((0, 3), (1, 3)) and not line.hex:
        return line.name, parse_color(line.after, where)
    raise _refused(where, f"{line.text!r} has numbers that are neither a value nor a colour")


def _are_names(lines: Sequence[_Line], where: Path) -> bool:
    """Return whether the numbers after all names belong to them, as in "zone 0", "zone 1"."""
    names = {line.name.casefold() for line in lines}
    if len(names) == len(lines):
        return False
    if [parse_number(line.after[0], where) for line in lines] != [*range(len(lines))]:
        raise _refused(where, f"{lines[0].text!r}: its number could be the value or part of it")
    return True


def _refuse_glued(lines: Sequence[_Line], where: Path) -> None:
    """Refuse names such as "1-road", "tree_2", whose numbers contradict those of the lines."""
    glued = [_GLUED.match(line.text) for line in lines]
    numbers = [parse_number(match[1], where) for match in glued if match]
    wrong = len(numbers) == len(lines) and numbers != [*range(len(lines))]
    if wrong or numbers_inside([line.text for line in lines]):
        raise _refused(where, f"{lines[0].text!r}: its number could be the value or part of it")


def _all_or_none(lines: Sequence[_Line], numbered: Sequence[bool], verb: str, where: Path) -> None:
    if any(numbered) and not all(numbered):
        odd = lines[numbered.index(False)].text
        raise DataError(
            f"some lines {verb} with a number, but {odd!r} does not",
            remedy="number all classes or none of them; if a number is part of a name, put the "
            'class\'s number first, e.g. "0 zone 7"',
            where=where,
        )


def _refused(where: Path, what: str) -> DataError:
    expected = "one name per line, with or without its number and colour"
    return DataError(what, expected=expected, remedy=EXAMPLE, where=where)

"""Read class declarations: classes.txt, dataset.yaml, dataset_meta.json, labelmap.csv."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullconv.data.labels.tables import MAX_CLASSES
from fullconv.data.sample import default_palette
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, Color, Palette
from fullconv.io.text import parse_json, read_utf8, read_yaml

TEXT_FILES = ("classes.txt", "class_names.txt", "labels.txt")
YAML_FILES = ("dataset.yaml", "dataset.yml", "data.yaml", "data.yml")
META_FILES = ("dataset_meta.json",)
TABLE_FILES = ("labelmap.csv", "class_dict.csv")

_IGNORE = "__ignore__"  # LabelMe's name for ignored pixels, at any index
_VOID_NAMES = (_IGNORE, "ignore", "void", "unlabelled", "unlabeled")
_HEX = re.compile(r"(.*\S)\s+#([0-9a-fA-F]{6})")
_RGB = re.compile(r"(.*\S)[\s,]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})")
_RGB_FIRST = re.compile(r"(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\s+(\D.*)")
_NUMBER = re.compile(r"(\d+)\s*[:,]?\s+(\S.*)")


@dataclass(frozen=True)
class Entry:
    """A declared class: its value in masks, its name, and its colour if it has one."""

    value: int
    name: str
    color: Color | None = None


@dataclass(frozen=True)
class ClassList:
    """The classes of a data set, and how masks encode them.

    Attributes:
        where: the file that declares them.
        classes: class names.
        mapping: mask value -> label or 255.
        colors: mask colour -> label or 255; empty if no colours are declared.
        says_255: whether the declaration contains the value 255.
    """

    where: str
    classes: tuple[str, ...]
    mapping: Mapping[int, int]
    colors: Mapping[Color, int]
    says_255: bool = False

    @property
    def palette(self) -> Palette:
        """The declared colours, or VOC's if a class has none."""
        of_class = {label: color for color, label in self.colors.items()}
        labels = range(len(self.classes))
        if set(labels) <= set(of_class):
            return tuple(of_class[label] for label in labels)
        return default_palette(self.classes)


def declared_classes(folder: Path) -> ClassList | None:
    """Read the first known declaration file in `folder`; None if there is none."""
    for names, read in (
        (TEXT_FILES, read_text),
        (YAML_FILES, _read_names),
        (META_FILES, _read_meta),
        (TABLE_FILES, _read_table),
    ):
        for name in names:
            found = read(folder / name) if (folder / name).is_file() else None
            if found:
                return found
    return None


def declare(entries: Sequence[Entry], where: Path | str) -> ClassList:
    """Return the class list of these entries; labels are the ranks of their values.

    Raises:
        DataError: no classes or more than 255, or a value, name or colour occurs twice.
    """
    _unique(entries, where)
    kept = sorted(
        (entry for entry in entries if not _is_void(entry)), key=lambda entry: entry.value
    )
    if not 1 <= len(kept) <= MAX_CLASSES:
        raise DataError(
            f"{len(kept)} classes",
            expected=f"1 to {MAX_CLASSES}",
            where=where,
        )
    label = {entry: number for number, entry in enumerate(kept)}
    mapping = {entry.value: label.get(entry, VOID) for entry in entries}
    colors = {entry.color: label.get(entry, VOID) for entry in entries if entry.color is not None}
    classes = tuple(entry.name for entry in kept)
    says_255 = VOID in mapping
    return ClassList(str(where), classes, {VOID: VOID} | mapping, colors, says_255)


def read_text(path: Path) -> ClassList:
    """Read one class per line: "road", "0 road", "0 road #804080", "road 128 64 128".

    Lines that start with a hash are comments. Without numbers, lines are numbered from 0, except
    for a first line `__ignore__` (LabelMe).

    Raises:
        DataError: an invalid line, or only some of the lines have numbers.
    """
    lines = [line.strip() for line in read_utf8(path).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    first = [_RGB_FIRST.fullmatch(line) for line in lines]
    if lines and all(first):
        return declare(
            [
                Entry(number, match[4], _color(match.groups()[:3], path))
                for number, match in enumerate(match for match in first if match)
            ],
            path,
        )
    colored = [_split_color(line, path) for line in lines]
    return declare(_numbered(colored, path), path)


def parse_names(names: object, where: Path) -> ClassList:
    """Parse `names` of Ultralytics: a list, or a mapping of number to name.

    Raises:
        DataError: it is neither.
    """
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(str(key).isdigit() for key in names):
        raise DataError(
            "names must be a list, or a mapping of number to name",
            where=where,
        )
    return declare([Entry(int(key), str(name)) for key, name in names.items()], where)


def _read_names(path: Path) -> ClassList | None:
    names = read_yaml(path).get("names")
    return parse_names(names, path) if names else None


def _read_meta(path: Path) -> ClassList | None:
    try:
        content = parse_json(read_utf8(path))
        pairs = [(int(value), str(name)) for value, name in content["label_map"].items()]
        colors = [_color(color, path) for color in content.get("segmentation_colors", [])]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"a label_map that cannot be read ({error!r})",
            expected="label_map with numbers and names",
            where=path,
        ) from error
    if colors and len(colors) != len(pairs):
        raise DataError(
            f"{len(pairs)} classes in label_map and {len(colors)} colours",
            where=path,
        )
    shown: Sequence[Color | None] = colors or [None] * len(pairs)
    return declare([Entry(*pair, color) for pair, color in zip(pairs, shown, strict=True)], path)


def _read_table(path: Path) -> ClassList | None:
    rows = list(csv.DictReader(read_utf8(path).splitlines(), skipinitialspace=True))
    entries = []
    for value, row in enumerate(rows):
        cells = {str(key).strip().lower(): str(cell).strip() for key, cell in row.items()}
        if not {"name", "r", "g", "b"} <= set(cells):
            raise DataError(
                f"the columns {','.join(cells)}",
                expected="the columns name,r,g,b",
                where=path,
            )
        color = _color([cells["r"], cells["g"], cells["b"]], path)
        entries.append(Entry(value, cells["name"], color))
    return declare(entries, path)


def _split_color(line: str, where: Path) -> tuple[str, Color | None]:
    if match := _HEX.fullmatch(line):
        red, green, blue = bytes.fromhex(match[2])
        return match[1], (red, green, blue)
    if match := _RGB.fullmatch(line):
        return match[1], _color(match.groups()[1:], where)
    return line, None


def _numbered(lines: Sequence[tuple[str, Color | None]], path: Path) -> list[Entry]:
    matches = [_NUMBER.fullmatch(text) for text, _ in lines]
    if all(matches):
        return [
            Entry(int(match[1]), match[2], color)
            for match, (_, color) in zip(matches, lines, strict=True)
            if match
        ]
    if any(matches):
        odd = next(text for (text, _), match in zip(lines, matches, strict=True) if not match)
        raise DataError(
            f"some lines begin with a number, but {odd!r} does not",
            remedy="number all classes or none of them",
            where=path,
        )
    start = -1 if lines[0][0] == _IGNORE else 0
    numbers = [VOID if number < 0 else number for number in range(start, start + len(lines))]
    return [Entry(number, *line) for number, line in zip(numbers, lines, strict=True)]


def _color(parts: Sequence[object], where: Path) -> Color:
    numbers = [int(str(part)) for part in parts if str(part).strip().isdigit()]
    if len(numbers) != 3 or len(parts) != 3 or max(numbers) > 255:
        raise DataError(
            f"the colour {list(parts)}",
            expected="three numbers from 0 to 255",
            where=where,
        )
    return numbers[0], numbers[1], numbers[2]


def _is_void(entry: Entry) -> bool:
    name = entry.name.lower()
    return name == _IGNORE or (entry.value == VOID and name in _VOID_NAMES)


def _unique(entries: Sequence[Entry], where: Path | str) -> None:
    for what in ("value", "name", "color"):
        seen = set()
        for entry in entries:
            value = getattr(entry, what)
            if value in seen:
                shown = "#{:02x}{:02x}{:02x}".format(*value) if what == "color" else repr(value)
                raise DataError(
                    f"two classes have the {what} {shown}",
                    expected="one",
                    where=where,
                )
            if value is not None:
                seen.add(value)
    for entry in entries:
        if entry.value > 65535:
            raise DataError(
                f"the value {entry.value}",
                expected="0 to 65535",
                where=where,
            )

"""Read class declarations: classes.txt, dataset.yaml, dataset_meta.json, labelmap.csv."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fullconv.config.network import MAX_CLASSES
from fullconv.data.labels.class_lines import parse_lines
from fullconv.data.labels.class_tables import (
    Entry,
    parse_color,
    parse_number,
    parse_table,
    split_cells,
)
from fullconv.data.labels.same_classes import check_same_numbers, comparable
from fullconv.data.labels.special_names import IGNORE, is_void_name
from fullconv.data.sample import default_palette
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, Color, Palette
from fullconv.io.text import get_entry, read_json, read_utf8, read_yaml

__all__ = [
    "ClassList",
    "Entry",
    "comparable",
    "declare",
    "declared_classes",
    "parse_names",
    "read_labelmap",
    "read_names",
    "read_text",
]

TEXT_FILES = ("classes.txt", "class_names.txt", "labels.txt", "obj.names", "label_colors.txt")
LABELMAPS = ("labelmap.txt",)
YAML_FILES = ("dataset.yaml", "dataset.yml", "data.yaml", "data.yml")
META_FILES = ("dataset_meta.json",)
TABLE_FILES = ("classes.csv", "class_names.csv", "labelmap.csv", "class_dict.csv")
DECLARATIONS = (*TEXT_FILES, *LABELMAPS, *YAML_FILES, *META_FILES, *TABLE_FILES)

# Keys with which other programs name the classes; only `names` is read.
_OTHER_KEYS = (
    *("names", "name", "classes", "class", "class_names", "classnames", "labels", "label_names"),
    *("categories", "label_map", "labelmap"),
)


@dataclass(frozen=True)
class ClassList:
    """The classes of a data set, and how masks encode them.

    Attributes:
        where: the file that declares them.
        classes: class names.
        mapping: mask value -> label or 255.
        colors: mask colour -> label or 255; empty if no colours are declared.
        says_255: whether the declaration contains the value 255.
        counted: whether only names are declared, so that the values are the places of the lines.
    """

    where: str
    classes: tuple[str, ...]
    mapping: Mapping[int, int]
    colors: Mapping[Color, int]
    says_255: bool = False
    counted: bool = False

    @property
    def palette(self) -> Palette:
        """The declared colours, or VOC's if a class has none."""
        of_class = {label: color for color, label in self.colors.items()}
        labels = range(len(self.classes))
        if set(labels) <= set(of_class):
            return tuple(of_class[label] for label in labels)
        return default_palette(self.classes)


def declared_classes(folder: Path, numbered: bool = False) -> ClassList | None:
    """Read the first known declaration file in `folder`; None if there is none.

    Args:
        folder: the data set.
        numbered: whether labels are stored as the numbers of classes, so that another declaration
            must not have other numbers.

    Raises:
        DataError: the file cannot be read, or another one contradicts it.
    """
    found = _declarations(folder)
    first = next(found, None)
    if first is not None and numbered:
        others: list[ClassList] = []
        with suppress(DataError):  # of another file, which is not used
            others.extend(found)
        for other in others:
            if not (first.colors or other.colors):  # else numbers may be the places of the lines
                names, theirs = _names_by_value(first), _names_by_value(other)
                check_same_numbers(names, first.where, theirs, other.where)
    return first


def _declarations(folder: Path) -> Iterator[ClassList]:
    """Yield the declarations in `folder`, of which the first counts."""
    for names, read in (
        (TEXT_FILES, read_text),
        (LABELMAPS, read_labelmap),
        (YAML_FILES, _read_names),
        (META_FILES, _read_meta),
        (TABLE_FILES, _read_table),
    ):
        for name in names:
            # A broken link is refused by its reader: it is not the same as no declaration.
            found = read(folder / name) if os.path.lexists(folder / name) else None
            if found:
                yield found


def _names_by_value(found: ClassList) -> dict[int, str]:
    values = found.mapping.items()
    return {value: found.classes[label] for value, label in values if label != VOID}


def declare(entries: Sequence[Entry], where: Path | str) -> ClassList:
    """Return the class list of these entries; labels are the ranks of their values.

    Raises:
        DataError: no classes or more than 255, or a value, name or colour occurs twice; names
            that differ by case or blanks only are the same.
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
    counted = len(kept) == len(entries) and not colors and all(entry.counted for entry in entries)
    return ClassList(str(where), classes, {VOID: VOID} | mapping, colors, says_255, counted)


def read_text(path: Path) -> ClassList:
    """Read a class list with one class per line; see `parse_lines`.

    Raises:
        DataError: a line that cannot be understood.
    """
    text = read_utf8(path)
    if "\0" in text:
        raise DataError(
            "not UTF-8 text (zeros between characters, as in UTF-16)",
            remedy="save it as UTF-8",
            where=path,
        )
    return declare(parse_lines(text.splitlines(), path), path)


def read_labelmap(path: Path) -> ClassList:
    """Read CVAT's labelmap.txt, with lines "name:red,green,blue:parts:actions".

    Raises:
        DataError: a line of another form.
    """
    lines = [line.strip() for line in read_utf8(path).splitlines()]
    entries: list[Entry] = []
    for line in lines:
        if line and not line.startswith("#"):
            name, *rest = line.rsplit(":", 3 if line.count(":") > 2 else 1)
            if not rest or rest[0].count(",") != 2:
                expected = "name:red,green,blue::"
                raise DataError(f"the line {line!r}", expected=expected, where=path)
            entries.append(Entry(len(entries), name, parse_color(rest[0].split(","), path)))
    return declare(entries, path)


def read_names(path: Path) -> tuple[str, ...]:
    """Read the names of the classes 0, 1, 2, ... from a class list.

    Raises:
        DataError: a line that cannot be understood, or other numbers.
    """
    found = read_text(path)
    values = [value for value, label in found.mapping.items() if label != VOID]
    if sorted(values) != [*range(len(found.classes))]:
        raise DataError(
            f"the numbers {', '.join(map(str, sorted(values)))}",
            expected=f"0 to {len(found.classes) - 1}, one for each score",
            where=path,
        )
    return found.classes


def parse_names(names: object, where: Path) -> ClassList:
    """Parse `names` of Ultralytics: a list, or a mapping of number to name.

    Raises:
        DataError: it is neither, or a name is not a text.
    """
    if isinstance(names, list):
        if not all(isinstance(name, str) for name in names):
            odd = next(name for name in names if not isinstance(name, str))
            raise DataError(f"the name {odd!r} in names", expected="a text", where=where)
        odd = next((name for name in names if not name.strip() or name[0] == "#"), None)
        if odd is not None:  # in a text file, such a line is no class
            raise DataError(f"the name {odd!r} in names", expected="a name", where=where)
        return declare(parse_lines(names, where), where)
    if not isinstance(names, dict):
        raise DataError(
            f"names is {str(names)[:40]!r}",
            expected="a list, or a mapping of number to name",
            where=where,
        )
    entries = []
    for key, name in names.items():
        if not isinstance(name, str):
            raise DataError(f"the name {name!r} in names", expected="a text", where=where)
        entries.append(Entry(parse_number(key, where), name))
    return declare(entries, where)


def _read_names(path: Path) -> ClassList | None:
    content = read_yaml(path, typed=False)
    names = content.get("names")
    others = [key for key in content if str(key).casefold() in _OTHER_KEYS and key != "names"]
    other = others[0] if others else None
    if not names and ("names" in content or other is not None):
        raise DataError(
            f"no classes in names, but the key {other!r}" if other else "no classes in names",
            expected="names with a list, or with a mapping of number to name",
            remedy="write the classes as names: [road, tree]",
            where=path,
        )
    if not names:
        return None
    found = parse_names(names, path)
    count = str(content.get("nc") or len(names)).strip()
    if count != str(len(names)):
        raise DataError(
            f"nc is {count}, but there are {len(names)} names",
            expected="equal numbers",
            remedy="correct one of them",
            where=path,
        )
    return found


def _read_meta(path: Path) -> ClassList | None:
    try:
        content = read_json(path)
        names = get_entry(content, "label_map", dict, str(path))
    except DataError as error:
        expected = "label_map with numbers and names"
        raise DataError(error.found, expected, error.remedy, where=path) from error
    values = [parse_number(value, path) for value in names]
    texts = [get_entry(names, value, str, f"{path}: label_map") for value in names]
    given = content.get("segmentation_colors") or []
    if not isinstance(given, list) or not all(isinstance(color, list) for color in given):
        raise DataError("segmentation_colors is not a list of colours", where=path)
    if given and len(given) != len(names):
        raise DataError(
            f"{len(names)} classes in label_map and {len(given)} colours",
            expected="one colour for each class",
            where=path,
        )
    colors: Sequence[Color | None] = [parse_color(color, path) for color in given]
    colors = colors or [None] * len(names)
    return declare([Entry(*parts) for parts in zip(values, texts, colors, strict=True)], path)


def _read_table(path: Path) -> ClassList | None:
    rows = split_cells(read_utf8(path).splitlines(), ",", path)
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    return declare(parse_table(rows, path), path) if rows else None


def _is_void(entry: Entry) -> bool:
    is_ignored = entry.name.casefold() == IGNORE
    return is_ignored or (entry.value == VOID and is_void_name(entry.name))


def _unique(entries: Sequence[Entry], where: Path | str) -> None:
    """Refuse empty names, values that no mask can hold, and classes that cannot be told apart."""
    for entry in entries:
        if not entry.name.strip() or entry.value > 65535:
            what = f"the value {entry.value}" if entry.name.strip() else "a class without a name"
            expected = "0 to 65535" if entry.name.strip() else "a name"
            raise DataError(what, expected=expected, where=where)
    seen: dict[tuple[str, object], Entry] = {}
    for entry in entries:
        own = {"value": entry.value, "name": comparable(entry.name), "color": entry.color}
        for what, value in own.items():
            other = seen.setdefault((what, value), entry)
            if value is None or other is entry:
                continue
            shown = repr(entry.name) if what == "name" else str(value)
            if what == "color" and entry.color:
                shown = f"#{bytes(entry.color).hex()}"
            if what == "name" and other.name != entry.name:
                shown = f"{other.name!r} but for case and blanks, {entry.name!r}"
            raise DataError(
                f"two classes have the {what} {shown}",
                expected="one",
                remedy="rename or remove one of them",
                where=where,
            )

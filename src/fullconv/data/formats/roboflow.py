"""Roboflow's "Semantic Segmentation Masks": NAME_mask.png beside NAME.jpg, and _classes.csv."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fullconv.data.discovery.files import sample_name
from fullconv.data.discovery.inventory import Classes, Inventory, Read
from fullconv.data.discovery.list_files import split_from_name
from fullconv.data.discovery.pairing import unique
from fullconv.data.discovery.problems import Problem
from fullconv.data.discovery.stems import IMAGES, files_by_stem, unknown_layout
from fullconv.data.formats import Format, formats
from fullconv.data.labels.classes import ClassList, Entry, declare
from fullconv.data.labels.encoding import resolve
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Pair
from fullconv.errors import DataError
from fullconv.io.text import parse_csv, read_utf8
from fullconv.io.visible import visible
from fullconv.units import count

NAME = "_classes.csv"
_MASK = "_mask"
_TITLES = ["pixel value", "class"]


def scan(source: str) -> Inventory:
    """List the folders with _classes.csv: train, valid and test, or the folder itself.

    Without folders of splits, these follow from the hash of the names.

    Raises:
        DataError: there is no such folder, or their classes differ.
    """
    folder = Path(source)
    parts = _parts(folder)
    if not parts:
        expected = f"{NAME}, NAME.jpg and NAME{_MASK}.png, in it or in train/, valid/ and test/"
        raise unknown_layout(folder, "roboflow", expected)
    classes = _same_classes([place for _, place in parts])

    def resolved(masks: Sequence[Path], read: Read) -> Classes:
        table = resolve(classes, masks, read)[1]
        if table.indices.remedy == LabelTable.remedy:
            indices = replace(table.indices, remedy=f"add the value to {NAME}")
            table = replace(table, indices=indices)
        return classes.classes, classes.palette, table

    inventory = Inventory(folder, "roboflow", resolved)
    inventory.declared = len(classes.classes)
    for split, place in parts:
        pairs = _add(inventory, place, split or None)
        if split:
            inventory.splits.setdefault(split, []).extend(pairs)
        else:
            inventory.divide(pairs)
    _add_undeclared(inventory, parts)
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether it, or a folder in it, holds _classes.csv with the values of pixels."""
    return bool(_parts(folder))


def _parts(folder: Path) -> list[tuple[str, Path]]:
    """Return the split and the place of each folder; a split may have several, "" is all."""
    if _is_table(folder / NAME):
        return [("", folder)]
    children = sorted(visible(folder, "*/"))
    return [
        (split_from_name(path.name) or path.name, path)
        for path in children
        if _is_table(path / NAME)
    ]


def _add_undeclared(inventory: Inventory, parts: Sequence[tuple[str, Path]]) -> None:
    """Add the folders with masks that do not say what their values mean; splits are broken."""
    whole, used = parts[0][1] == inventory.folder, {place for _, place in parts}
    for place in sorted(visible(inventory.folder, "*/")):
        masks = sum(path.suffix.lower() in IMAGES for path in visible(place, f"*{_MASK}.*"))
        if place in used or not masks:
            continue
        error = DataError(
            f"left out, since it holds {count(masks, 'mask')}, but no {NAME}",
            expected=f"the columns Pixel Value and Class in it, as in {parts[0][1] / NAME}",
            remedy="export all splits together, or move the folder out of the data set",
            where=place,
            code="unused-folder",
        )
        split = split_from_name(place.name)
        if split and not whole:
            inventory.broken(split, error)
        else:
            inventory.problems.append(Problem(error, place, None, fatal=False))


def _is_table(path: Path) -> bool:
    """Return whether a file has the columns of masks; Roboflow's image classes have others."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        first = stream.readline(4096).decode("utf-8-sig", "replace")
    return [cell.strip().casefold() for cell in first.split(",")] == _TITLES


def _same_classes(places: Sequence[Path]) -> ClassList:
    lists = [_classes(place / NAME) for place in places]
    for other in lists[1:]:
        if (other.classes, other.mapping) != (lists[0].classes, lists[0].mapping):
            raise DataError(
                f"other classes than {lists[0].where}",
                expected="the same in all splits, so that a class has one number",
                remedy="export all splits together",
                where=other.where,
            )
    return lists[0]


def _classes(path: Path) -> ClassList:
    try:
        rows = parse_csv(read_utf8(path))[1:]
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(str(error), remedy="export again", where=path) from error
    entries = []
    for row in filter(any, rows):
        value, name = (cell.strip() for cell in row) if len(row) == 2 else ("", "")
        if not (name and value.isascii() and value.isdecimal() and len(value) < 6):
            raise DataError(
                f"the line {','.join(row)[:80]!r}",
                expected='a value and a name, such as "1, road"',
                remedy="correct it, or export again",
                where=path,
            )
        entries.append(Entry(int(value), name))
    return declare(entries, path)


def _add(inventory: Inventory, place: Path, split: str | None) -> list[Pair]:
    files = files_by_stem(inventory, place, IMAGES)
    masks = {stem: path for stem, path in files.items() if stem.endswith(_MASK)}
    images = {stem: path for stem, path in files.items() if stem not in masks}
    lonely = [path for stem, path in images.items() if f"{stem}{_MASK}" not in masks]
    inventory.unmatched(lonely, split, f"{place} (NAME{_MASK}.png)")
    lonely = [path for stem, path in masks.items() if stem.removesuffix(_MASK) not in images]
    inventory.orphans(lonely, split, place, fatal=True)
    found = (
        Pair(sample_name(path, inventory.folder), path, masks[f"{stem}{_MASK}"])
        for stem, path in images.items()
        if f"{stem}{_MASK}" in masks
    )
    pairs, duplicates = unique(found)
    inventory.same_stems(duplicates, split)
    return pairs


formats.register("roboflow")(
    Format(
        summary="Roboflow's masks: train/NAME.jpg, train/NAME_mask.png and train/_classes.csv",
        scan=scan,
        recognises=recognises,
    )
)

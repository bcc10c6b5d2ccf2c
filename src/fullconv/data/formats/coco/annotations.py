"""Read one of COCO's JSON files, record by record."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.config.network import MAX_CLASSES
from fullconv.data.discovery.claims import photos_of_claims
from fullconv.data.discovery.files import locate_in, quoted
from fullconv.data.discovery.list_files import split_from_name
from fullconv.data.formats.coco.index import Index, Positions, index_of
from fullconv.data.formats.coco.recognition import kind_of
from fullconv.data.labels.patches import Size
from fullconv.data.sample import default_palette
from fullconv.errors import DataError
from fullconv.io.palettes import Color, Palette
from fullconv.io.text import get_entry


@dataclass(frozen=True)
class Category:
    """A class, by its number in the file; the colour is None if the file has none.

    `above` is its supercategory, which does not tell classes apart.
    """

    number: int
    name: str
    color: Color | None
    above: object = field(default=None, compare=False)


@dataclass(frozen=True)
class Image:
    """A photo, its (height, width) by the file `path`, and the positions of its annotations."""

    photo: Path
    path: Path
    size: Size | None
    positions: Positions

    @property
    def annotations(self) -> list[dict[str, Any]]:
        """Read the annotations from the file.

        Raises:
            DataError: the file has changed since it was opened.
        """
        return self.positions.read()


@dataclass(frozen=True)
class Annotations:
    """The contents of one JSON file.

    Attributes:
        path: the file.
        split: the split in its name, if any.
        kind: one of `KINDS`.
        categories: in the order of their numbers.
        images: by their numbers.
        index: what else was found in the file.
        problems: photos that are missing or named twice.
    """

    path: Path
    split: str | None
    kind: str
    categories: tuple[Category, ...]
    images: Mapping[int, Image]
    index: Index
    problems: tuple[DataError, ...] = ()


def read_file(folder: Path, path: Path) -> Annotations:
    """Read one file, whose photos are under `folder`.

    Raises:
        DataError: it is broken, or its numbers contradict each other.
    """
    kind = kind_of(path)
    index = index_of(path, None if kind is None else kind == "panoptic")
    kind = kind or ("panoptic" if index.segments else "instances")
    categories = _categories(index.categories, str(path))
    images, missing, twice = images_of(folder, path, index)
    problems = [_missing(folder, path, name) for name in missing.values()]
    problems += [_twice(path, name) for name in twice.values()]
    numbers = {*images, *missing, *twice}
    _check_numbers(path, index, numbers, {category.number for category in categories})
    return Annotations(path, file_split(path), kind, categories, images, index, tuple(problems))


def without_root(parts: Sequence[Annotations]) -> list[Annotations]:
    """Leave out Roboflow's root category, which only names the supercategory of all others.

    No annotation of any file uses it.
    """
    used = {number for part in parts for number in part.index.category_ids}

    def is_root(category: Category, others: Sequence[Category]) -> bool:
        top = category.above in (None, "", "none") and category.number not in used
        below = [other.above for other in others if other is not category]
        return top and bool(below) and all(above == category.name for above in below)

    return [
        replace(
            part, categories=tuple(c for c in part.categories if not is_root(c, part.categories))
        )
        for part in parts
    ]


def _missing(folder: Path, path: Path, name: str) -> DataError:
    return DataError(
        f"the photo {quoted(name)} is not under {folder}",
        expected="it in images/, in a folder with the name of the split, or beside the .json file",
        where=path,
        code="list-line",
    )


def _twice(path: Path, name: str) -> DataError:
    return DataError(
        f"the photo {quoted(name)} is that of two images",
        expected="one record per photo",
        remedy="join their annotations under one id",
        where=path,
        code="list-line",
    )


def read_categories(path: Path) -> tuple[Category, ...]:
    """Return the categories of a file.

    Raises:
        DataError: it has none.
    """
    return _categories(index_of(path).categories, str(path))


def palette_of(classes: Sequence[str], colors: Sequence[Color | None]) -> Palette:
    """Return the file's own colours if each class has a different one, else VOC's."""
    palette = [color for color in colors if color]
    if len(palette) == len(classes) and len(set(palette)) == len(palette):
        return tuple(palette)
    return default_palette(classes)


def numbered(categories: Sequence[Category], where: Path) -> tuple[tuple[str, ...], dict[int, int]]:
    """Return the classes in the order of the categories, and number -> label."""
    classes = tuple(category.name for category in categories)
    if not 1 <= len(classes) <= MAX_CLASSES or len(set(classes)) < len(classes):
        raise DataError(
            f"{len(classes)} categories with {len(set(classes))} names",
            expected=f"1 to {MAX_CLASSES}, each with a different name",
            where=where,
        )
    return classes, {category.number: label for label, category in enumerate(categories)}


def _check_numbers(path: Path, index: Index, images: set[int], known: set[int]) -> None:
    for number, image in enumerate(index.image_ids):
        if image not in images:
            raise DataError(
                f"annotation {number}: image_id {image} is not one of the {len(images)} images",
                where=path,
            )
    for category, number in index.category_ids.items():
        if category not in known:
            raise DataError(
                f"annotation {number}: category_id {category} is not one of the {len(known)} "
                f"categories {sorted(known)[:20]}",
                remedy="add it or correct it",
                where=path,
            )


def _categories(records: Sequence[object], where: str) -> tuple[Category, ...]:
    found: dict[int, Category] = {}
    for position, record in enumerate(records):
        category = f"{where}: category {position}"
        number = get_entry(record, "id", int, category)
        name = get_entry(record, "name", str, category)
        if number in found:
            raise DataError(
                f"the id {number} is also that of {found[number].name!r}",
                where=category,
            )
        above = record.get("supercategory") if isinstance(record, dict) else None
        found[number] = Category(number, name, _color(record), above)
    return tuple(found[number] for number in sorted(found))


def _color(record: object) -> Color | None:
    color = record.get("color") if isinstance(record, dict) else None
    if not isinstance(color, list) or len(color) != 3:
        return None
    red, green, blue = (part if isinstance(part, int) and 0 <= part < 256 else 0 for part in color)
    return red, green, blue


def file_split(path: Path) -> str | None:
    """Return the split in a file's name ("instances_val2017"), or in its folder's."""
    words = [*re.split(r"[_\-. ]", path.stem)[::-1], path.parent.name]
    return next((split for word in words if (split := split_from_name(word))), None)


def images_of(
    folder: Path, path: Path, index: Index
) -> tuple[dict[int, Image], dict[int, str], dict[int, str]]:
    """Return by their numbers: photos that exist, names of missing ones, names seen before."""
    images: dict[int, Image] = {}
    missing: dict[int, str] = {}
    twice: dict[int, str] = {}
    photos: set[Path] = set()
    positions = index.positions(path)
    none = Positions(path, np.empty((0, 2), np.int64))
    names = _names(path, index)
    claims = [(name, _photo(folder, path, name)) for name in names.values()]
    found = photos_of_claims(claims)
    for (number, name), photo, record in zip(names.items(), found, index.images, strict=True):
        if photo is None:
            missing[number] = name
        elif photo in photos:
            twice[number] = name
        else:
            images[number] = Image(photo, path, _size(record), positions.get(number, none))
            photos.add(photo)
    return images, missing, twice


def _names(path: Path, index: Index) -> dict[int, str]:
    """Return the path of each photo by the number of its record."""
    names: dict[int, str] = {}
    for position, record in enumerate(index.images):
        where = f"{path}: image {position}"
        number = get_entry(record, "id", int, where)
        name = get_entry(record, "file_name", str, where)
        if number in names:
            raise DataError(f"the id {number} is also that of {names[number]}", where=where)
        names[number] = name
    return names


def _photo(folder: Path, path: Path, name: str) -> Path | None:
    words = [word for word in (path.stem.rpartition("_")[2], file_split(path)) if word]
    own = [place / word for word in words for place in (folder / "images", folder)]
    places = dict.fromkeys((*own, path.parent, folder / "images", folder))
    return locate_in([*places], name)


def _size(record: object) -> Size | None:
    height, width = (
        record.get(key) if isinstance(record, dict) else 0 for key in ("height", "width")
    )
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None

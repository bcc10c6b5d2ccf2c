"""What one of COCO's JSON files says, record by record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullconv.colors import Color, Palette
from fullconv.errors import DataError
from fullconv.formats._coco_files import file_split, kind_of
from fullconv.formats._coco_images import Image, check_photos, images_of
from fullconv.formats._coco_records import Index, index_of
from fullconv.formats._pairs import Line, Pair
from fullconv.formats._texts import entry
from fullconv.labels import MAX_CLASSES
from fullconv.sample import default_palette


@dataclass(frozen=True)
class Category:
    """A class, by its number in the file; the colour only where the file gives one."""

    number: int
    name: str
    color: Color | None


@dataclass(frozen=True)
class Annotations:
    """What one JSON file says.

    Attributes:
        path: the file.
        split: the split that its name tells, if any.
        kind: one of `KINDS`.
        categories: in the order of their numbers.
        images: by their numbers.
        index: what else was found in the file.
    """

    path: Path
    split: str | None
    kind: str
    categories: tuple[Category, ...]
    images: Mapping[int, Image]
    index: Index


@dataclass(frozen=True)
class Chosen:
    """The samples of one split, and what the files say of them.

    Attributes:
        source: what the user called the data set.
        split: "train", ... or None.
        folder: where it lies.
        pairs: the photos, and the JSON file of each.
        images: the records, by photo.
        categories: the classes, in the order of their numbers.
        faulty: takes what is wrong with a record; None: it is raised.
    """

    source: str
    split: str | None
    folder: Path
    pairs: Sequence[Pair]
    images: Mapping[Path, Image]
    categories: Sequence[Category]
    faulty: list[Line] | None = None


def read_file(folder: Path, path: Path, faulty: list[Line] | None = None) -> Annotations:
    """Read one file.

    Args:
        folder: the data set, under which the photos are.
        path: the file.
        faulty: takes the photos that are missing or named twice; None: that is raised.

    Raises:
        DataError: it is broken, its numbers do not fit together, or a photo is missing.
    """
    told = kind_of(path)
    index = index_of(path, None if told is None else told == "panoptic")
    kind = told or ("panoptic" if index.segments else "instances")
    categories = _categories(index.categories, str(path))
    images, missing, twice = images_of(folder, path, index)
    if faulty is None:
        check_photos(folder, path, len(index.images), [*missing.values()], [*twice.values()])
    else:
        faulty += [(path, f"the photo {name!r} is not under {folder}") for name in missing.values()]
        faulty += [(path, f"the photo {name!r} is that of two images") for name in twice.values()]
    numbers = {*images, *missing, *twice}
    _check_numbers(path, index, numbers, {category.number for category in categories})
    return Annotations(path, file_split(path), kind, categories, images, index)


def read_categories(path: Path) -> tuple[Category, ...]:
    """The categories of a file.

    Raises:
        DataError: it has none.
    """
    return _categories(index_of(path).categories, str(path))


def palette_of(classes: Sequence[str], colors: Sequence[Color | None]) -> Palette:
    """The file's own colours where each class has one of its own, or else VOC's."""
    given = [color for color in colors if color]
    if len(given) == len(classes) and len(set(given)) == len(given):
        return tuple(given)
    return default_palette(classes)


def numbered(categories: Sequence[Category], where: Path) -> tuple[tuple[str, ...], dict[int, int]]:
    """The classes in the order of the categories, and number -> label."""
    classes = tuple(category.name for category in categories)
    if not 1 <= len(classes) <= MAX_CLASSES or len(set(classes)) < len(classes):
        raise DataError(
            f"{where}: {len(classes)} categories with {len(set(classes))} names; expected 1 to "
            f"{MAX_CLASSES}, each with a name of its own"
        )
    return classes, {category.number: label for label, category in enumerate(categories)}


def _check_numbers(path: Path, index: Index, images: set[int], known: set[int]) -> None:
    for number, image in enumerate(index.image_ids):
        if image not in images:
            raise DataError(
                f"{path}: annotation {number}: image_id {image} is none of the {len(images)} images"
            )
    for category, number in index.category_ids.items():
        if category not in known:
            raise DataError(
                f"{path}: annotation {number}: category_id {category} is none of the "
                f"{len(known)} categories {sorted(known)[:20]}; add it or correct it"
            )


def _categories(records: Sequence[object], where: str) -> tuple[Category, ...]:
    found: dict[int, Category] = {}
    for place, record in enumerate(records):
        here = f"{where}: category {place}"
        number, name = entry(record, "id", int, here), entry(record, "name", str, here)
        if number in found:
            raise DataError(f"{here}: the id {number} is also that of {found[number].name!r}")
        found[number] = Category(number, name, _color(record))
    return tuple(found[number] for number in sorted(found))


def _color(record: object) -> Color | None:
    color = record.get("color") if isinstance(record, dict) else None
    if not isinstance(color, list) or len(color) != 3:
        return None
    red, green, blue = (part if isinstance(part, int) and 0 <= part < 256 else 0 for part in color)
    return red, green, blue

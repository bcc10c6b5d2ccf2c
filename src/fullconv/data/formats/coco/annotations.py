"""What one of COCO's JSON files says, record by record."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.data.discovery.pairing import Line, located
from fullconv.data.discovery.splits import split_of
from fullconv.data.formats.coco.index import Index, Places, index_of
from fullconv.data.labels.rasterize import Size
from fullconv.data.labels.tables import MAX_CLASSES
from fullconv.data.sample import Pair, default_palette
from fullconv.errors import DataError
from fullconv.io.palettes import Color, Palette
from fullconv.io.text import entry


@dataclass(frozen=True)
class Category:
    """A class, by its number in the file; the colour only where the file gives one."""

    number: int
    name: str
    color: Color | None


@dataclass(frozen=True)
class Image:
    """A photo, what the file `path` says of its height and width, and where its annotations are."""

    photo: Path
    path: Path
    size: Size | None
    places: Places

    @property
    def annotations(self) -> list[dict[str, Any]]:
        """The annotations, read from the file.

        Raises:
            DataError: the file is not what it was when it was opened.
        """
        return self.places.read()


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
            f"{len(classes)} categories with {len(set(classes))} names",
            expected=f"1 to {MAX_CLASSES}, each with a name of its own",
            where=where,
        )
    return classes, {category.number: label for label, category in enumerate(categories)}


def _check_numbers(path: Path, index: Index, images: set[int], known: set[int]) -> None:
    for number, image in enumerate(index.image_ids):
        if image not in images:
            raise DataError(
                f"annotation {number}: image_id {image} is none of the {len(images)} images",
                where=path,
            )
    for category, number in index.category_ids.items():
        if category not in known:
            raise DataError(
                f"annotation {number}: category_id {category} is none of the {len(known)} "
                f"categories {sorted(known)[:20]}",
                remedy="add it or correct it",
                where=path,
            )


def _categories(records: Sequence[object], where: str) -> tuple[Category, ...]:
    found: dict[int, Category] = {}
    for place, record in enumerate(records):
        here = f"{where}: category {place}"
        number, name = entry(record, "id", int, here), entry(record, "name", str, here)
        if number in found:
            raise DataError(
                f"the id {number} is also that of {found[number].name!r}",
                where=here,
            )
        found[number] = Category(number, name, _color(record))
    return tuple(found[number] for number in sorted(found))


def _color(record: object) -> Color | None:
    color = record.get("color") if isinstance(record, dict) else None
    if not isinstance(color, list) or len(color) != 3:
        return None
    red, green, blue = (part if isinstance(part, int) and 0 <= part < 256 else 0 for part in color)
    return red, green, blue


KINDS = ("instances", "panoptic", "stuff")
_OTHERS = ("captions", "person_keypoints", "image_info")  # COCO's own files without regions
_ROBOFLOW = "_annotations.coco.json"


def find_files(folder: Path) -> list[Path]:
    """The JSON files in which COCO's annotations can be, by their names."""
    places = [folder, folder / "annotations"]
    found = [path for place in places for path in sorted(place.glob("*.json"))]
    found += sorted(folder.glob(f"*/{_ROBOFLOW}"))
    return [path for path in found if not path.name.startswith((".", *_OTHERS))]


def kind_of(path: Path) -> str | None:
    """The kind that a file's name tells."""
    return next((kind for kind in KINDS if path.name.startswith(f"{kind}_")), None)


def looks_like_coco(path: Path) -> bool:
    """Whether a JSON file begins as COCO's do."""
    if kind_of(path) or path.name == _ROBOFLOW:
        return True
    with path.open("rb") as stream:
        head = stream.read(4096)
    own = (b'"images"', b'"annotations"', b'"categories"', b'"licenses"', b'"file_name"')
    return any(key in head for key in own) and b'"shapes"' not in head


def file_split(path: Path) -> str | None:
    """The split that a file's name tells ("instances_val2017"), or that of its folder."""
    words = [*re.split(r"[_\-. ]", path.stem)[::-1], path.parent.name]
    return next((split for word in words if (split := split_of(word))), None)


def images_of(
    folder: Path, path: Path, index: Index
) -> tuple[dict[int, Image], dict[int, str], dict[int, str]]:
    """By their numbers: the photos that are there, names of missing ones, names seen before."""
    images: dict[int, Image] = {}
    missing: dict[int, str] = {}
    twice: dict[int, str] = {}
    names: dict[int, str] = {}
    photos: set[Path] = set()
    records, places = index.images, index.places(path)
    none = Places(path, np.empty((0, 2), np.int64))
    for place, record in enumerate(records):
        where = f"{path}: image {place}"
        number, name = entry(record, "id", int, where), entry(record, "file_name", str, where)
        if number in names:
            raise DataError(
                f"the id {number} is also that of {names[number]}",
                where=where,
            )
        photo = _photo(folder, path, name)
        if photo is None:
            missing[number] = name
        elif photo in photos:
            twice[number] = name
        else:
            images[number] = Image(photo, path, _size(record), places.get(number, none))
            photos.add(photo)
        names[number] = name
    return images, missing, twice


def check_photos(
    folder: Path, path: Path, total: int, missing: list[str], twice: list[str]
) -> None:
    """Raise a DataError where photos are missing or named twice."""
    if missing:
        more = ", ..." if len(missing) > 3 else ""
        raise DataError(
            f"{len(missing)} of {total} photos are not under {folder}: "
            f"{', '.join(missing[:3])}{more}",
            expected=(
                "them in images/, in a folder with the name of the split, or beside the .json file"
            ),
            where=path,
        )
    if twice:
        raise DataError(
            f"{twice[0]!r} is the photo of two images",
            expected="one record a photo",
            remedy="join their annotations under one id",
            where=path,
        )


def _photo(folder: Path, path: Path, name: str) -> Path | None:
    words = [word for word in (path.stem.rpartition("_")[2], file_split(path)) if word]
    own = [place / word for word in words for place in (folder / "images", folder)]
    for place in dict.fromkeys((*own, path.parent, folder / "images", folder)):
        if found := located(place, name.replace("\\", "/")):
            return found
    return None


def _size(record: object) -> Size | None:
    height, width = (
        record.get(key) if isinstance(record, dict) else 0 for key in ("height", "width")
    )
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None

"""COCO's JSON files: which there are, and what one of them says, record by record."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.colors import Color, Palette
from fullconv.errors import DataError
from fullconv.formats._coco_records import Index, Places, index_of
from fullconv.formats._files import located
from fullconv.formats._pairs import Pair
from fullconv.formats._splits import split_of
from fullconv.formats._texts import entry
from fullconv.labels import MAX_CLASSES
from fullconv.sample import default_palette
from fullconv.shapes import Size

KINDS = ("instances", "panoptic", "stuff")
_OTHERS = ("captions", "person_keypoints", "image_info")  # COCO's own files without regions
_ROBOFLOW = "_annotations.coco.json"


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
    """

    source: str
    split: str | None
    folder: Path
    pairs: Sequence[Pair]
    images: Mapping[Path, Image]
    categories: Sequence[Category]


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


def read_file(folder: Path, path: Path) -> Annotations:
    """Read one file.

    Args:
        folder: the data set, under which the photos are.
        path: the file.

    Raises:
        DataError: it is broken, its numbers do not fit together, or a photo is missing.
    """
    told = kind_of(path)
    index = index_of(path, None if told is None else told == "panoptic")
    kind = told or ("panoptic" if index.segments else "instances")
    categories = _categories(index.categories, str(path))
    images = _images(folder, path, index)
    _check_numbers(path, index, images, {category.number for category in categories})
    return Annotations(path, file_split(path), kind, categories, images, index)


def read_categories(path: Path) -> tuple[Category, ...]:
    """The categories of a file.

    Raises:
        DataError: it has none.
    """
    return _categories(index_of(path).categories, str(path))


def file_split(path: Path) -> str | None:
    """The split that a file's name tells ("instances_val2017"), or that of its folder."""
    words = [*re.split(r"[_\-. ]", path.stem)[::-1], path.parent.name]
    return next((split for word in words if (split := split_of(word))), None)


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


def run_counts(text: str) -> list[int]:
    """The run lengths of COCO's compressed RLE, in which a character holds five bits.

    Each number from the fourth on is the difference to the last but one before it.

    Raises:
        DataError: a character that cannot be, or a number that is cut off.
    """
    counts: list[int] = []
    value, bits = 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or bits > 60:
            raise DataError(
                f"compressed run lengths with {character!r} at a place where it cannot be"
            )
        value |= (code & 31) << bits
        bits += 5
        if not code & 32:
            if code & 16:
                value -= 1 << bits
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value, bits = 0, 0
    if bits:
        raise DataError("compressed run lengths that are cut off")
    return counts


def _check_numbers(path: Path, index: Index, images: Mapping[int, Image], known: set[int]) -> None:
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


def _images(folder: Path, path: Path, index: Index) -> dict[int, Image]:
    images: dict[int, Image] = {}
    missing = []
    records, places = index.images, index.places(path)
    none = Places(path, np.empty((0, 2), np.int64))
    for place, record in enumerate(records):
        where = f"{path}: image {place}"
        number, name = entry(record, "id", int, where), entry(record, "file_name", str, where)
        if number in images:
            raise DataError(f"{where}: the id {number} is also that of {images[number].photo}")
        photo = _photo(folder, path, name)
        if photo is None:
            missing.append(name)
            continue
        images[number] = Image(photo, path, _size(record), places.get(number, none))
    if missing:
        more = ", ..." if len(missing) > 3 else ""
        raise DataError(
            f"{path}: {len(missing)} of {len(records)} photos are not under {folder}: "
            f"{', '.join(missing[:3])}{more}; expected them in images/, in a folder with the name "
            "of the split, or beside the .json file"
        )
    return images


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

"""The photos that a COCO file names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.errors import DataError
from fullconv.formats._coco_files import file_split
from fullconv.formats._coco_records import Index, Places
from fullconv.formats._files import located
from fullconv.formats._texts import entry
from fullconv.shapes import Size


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
            raise DataError(f"{where}: the id {number} is also that of {names[number]}")
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
            f"{path}: {len(missing)} of {total} photos are not under {folder}: "
            f"{', '.join(missing[:3])}{more}; expected them in images/, in a folder with the name "
            "of the split, or beside the .json file"
        )
    if twice:
        raise DataError(
            f"{path}: {twice[0]!r} is the photo of two images; expected one record a photo: join "
            "their annotations under one id"
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

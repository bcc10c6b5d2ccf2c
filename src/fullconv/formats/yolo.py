"""YOLO-seg (Ultralytics): one text file a photo, "class x1 y1 x2 y2 ..." a line, 0 to 1.

Our class 0 is the background, YOLO's class k is our class k + 1. A photo without a text file, or
with an empty one, is all background, as it is there.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.errors import DataError
from fullconv.formats import Format, formats
from fullconv.formats._classes import YAML_FILES, declared_classes, read_yaml, text_of
from fullconv.formats._drawn import Drawing, blamed, drawn_data, label_of, with_ground
from fullconv.formats._files import located, pictures
from fullconv.formats._layout import place_of
from fullconv.formats._lines import list_lines
from fullconv.formats._pairs import Pair, named
from fullconv.formats._splits import of_split, split_of
from fullconv.sample import VOID, Data, default_palette
from fullconv.shapes import Layer, Size, points_of, polygon

_BEYOND = 1.5  # a polygon may stick out a little; numbers beyond are pixels, not shares


def open_yolo(source: str, split: str | None) -> Data:
    """Open a YOLO-seg data set.

    Args:
        source: the folder, with data.yaml (or classes.txt), images/ and labels/.
        split: "train", "val", ... as data.yaml or the folders say, or by the hash of the names.

    Raises:
        DataError: there are no class names, no photos or no labels, or no such split.
    """
    folder = Path(source)
    declared = declared_classes(folder)
    if declared is None:
        raise DataError(
            f"{folder} does not name its classes; expected data.yaml with the line "
            "names: [road, car]"
        )
    parts = _described(folder) or _in_folders(folder)
    photos = dict.fromkeys(photo for part in parts.values() for photo in part)
    if not photos:
        raise DataError(f"{folder} holds no photos; expected images/ with photos in it")
    pairs = named(((photo, _labels_of(photo)) for photo in photos), folder)
    if not any(pair.mask.is_file() for pair in pairs):
        raise DataError(
            f"none of the {len(pairs)} photos under {folder} has a label file, e.g. "
            f"{pairs[0].mask}; expected labels/ beside images/"
        )
    classes = with_ground(declared.classes, declared.where)
    labels = {
        value: label_of(declared.classes[label], classes, declared.where, "")
        for value, label in declared.mapping.items()
        if label != VOID
    }
    chosen = of_split(folder, split, pairs, _indices(parts, pairs))
    load = partial(_drawing, labels=labels, where=declared.where)
    return drawn_data(source, split, chosen, classes, default_palette(classes), load)


def recognises(folder: Path) -> bool:
    """Whether there are text files in a folder called labels."""
    if not folder.is_dir():
        return False
    places = [folder / "labels", *(path / "labels" for path in folder.iterdir() if path.is_dir())]
    return any(next(place.rglob("*.txt"), None) for place in places if place.is_dir())


def _described(folder: Path) -> dict[str, list[Path]]:
    """The photos of each split, as data.yaml says; empty where it says nothing."""
    path = next((folder / name for name in YAML_FILES if (folder / name).is_file()), None)
    if path is None:
        return {}
    content = read_yaml(path)
    parts = {}
    for split in ("train", "val", "test"):
        value = content.get(split)
        places = value if isinstance(value, list) else [value] if value else []
        photos = [photo for place in places for photo in _of_place(folder, content, place, path)]
        if photos:
            parts[split] = photos
    return parts


def _of_place(folder: Path, content: dict[str, Any], place: object, path: Path) -> list[Path]:
    found = place_of(folder, content, place)
    if found is not None and found.is_dir():
        return pictures(found)
    if found is not None:
        return [_listed(folder, found, line) for line in list_lines(found)]
    if place == content.get("test"):  # often named and not there; nobody trains on it
        return []
    raise DataError(f"{path}: {place} is no folder and no list of photos under {folder}")


def _listed(folder: Path, path: Path, line: str) -> Path:
    found = located(path.parent, line) or located(folder, line)
    if found is None:
        raise DataError(f"{path}: there is no photo {line}; expected its path under {folder}")
    return found


def _in_folders(folder: Path) -> dict[str, list[Path]]:
    """The photos of images/train, train/images, ..., or of images/ where there are no splits."""
    images = folder / "images"
    places = [(path.name, path) for path in sorted(images.glob("*/"))]
    places += [(path.name, path / "images") for path in sorted(folder.glob("*/"))]
    parts = {
        split: pictures(path)
        for name, path in places
        if path.is_dir() and (split := split_of(name))
    }
    return parts or {"": pictures(images) if images.is_dir() else []}


def _labels_of(photo: Path) -> Path:
    """The text file of a photo: "labels" in place of the last "images" of its path."""
    parts = list(photo.parts)
    for place in reversed(range(len(parts) - 1)):
        if parts[place].casefold() == "images":
            parts[place] = "labels"
            return Path(*parts).with_suffix(".txt")
    return photo.with_suffix(".txt")


def _indices(parts: Mapping[str, Sequence[Path]], pairs: Sequence[Pair]) -> dict[str, list[int]]:
    index = {pair.photo: number for number, pair in enumerate(pairs)}
    return {
        split: sorted({index[photo] for photo in photos})
        for split, photos in parts.items()
        if split
    }


def _drawing(pair: Pair, labels: Mapping[int, int], where: str) -> Drawing:
    lines = text_of(pair.mask).splitlines() if pair.mask.is_file() else []

    def layers(size: Size) -> list[Layer]:
        return [
            _layer(line.split(), f"{pair.mask}: line {number}", labels, where, size)
            for number, line in enumerate(lines, 1)
            if line.strip()
        ]

    return Drawing(pair.photo, str(pair.mask), None, layers)


def _layer(
    fields: Sequence[str], place: str, labels: Mapping[int, int], where: str, size: Size
) -> Layer:
    try:
        number, values = int(fields[0]), np.array(fields[1:], np.float64)
    except ValueError as error:
        raise DataError(f"{place}: not a class and numbers ({error}); export it again") from error
    if len(values) == 4:
        raise DataError(
            f"{place}: four numbers after the class are a box, not an outline; expected "
            "x1 y1 x2 y2 x3 y3 ...: export the labels for segmentation, not for detection"
        )
    if number not in labels:
        raise DataError(f"{place}: the class {number} is not among the names of {where}; add it")
    with blamed(place, "expected class x1 y1 x2 y2 x3 y3 ...: draw it anew or delete the line"):
        if len(values) % 2:
            raise DataError(f"{len(values)} numbers after the class, which are no pairs")
        points = points_of(values.reshape(-1, 2), least=3)
        if np.abs(points).max() > _BEYOND:
            raise DataError(f"the number {points.max():g}, where 1 is the far side of the photo")
        return Layer(polygon([points[:, ::-1] * size], size), labels[number])


formats.register("yolo")(
    Format(
        summary="YOLO-seg: images/, labels/ with one .txt a photo, data.yaml",
        open=open_yolo,
        recognises=recognises,
    )
)

"""YOLO-seg (Ultralytics): one text file a photo, "class x1 y1 x2 y2 ..." a line, 0 to 1.

Our class 0 is the background, YOLO's class k is our class k + 1. A photo without a text file, or
with an empty one, is all background, as it is there.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.layout import place_of
from fullconv.data.discovery.lists import list_lines
from fullconv.data.discovery.pairing import located, name_of, named, pictures, unique
from fullconv.data.discovery.splits import of_split, split_of
from fullconv.data.formats import Format, formats
from fullconv.data.formats._annotations import (
    Drawing,
    blamed,
    drawn_data,
    drawn_stock,
    label_of,
    with_ground,
)
from fullconv.data.labels.classes import TEXT_FILES, YAML_FILES, declared_classes
from fullconv.data.labels.rasterize import Layer, Size, points_of, polygon
from fullconv.data.sample import Data, Pair, default_palette
from fullconv.errors import DataError
from fullconv.io.palettes import VOID
from fullconv.io.text import read_yaml, text_of

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
    classes, load = _classes(folder)
    parts = photo_parts(folder)
    for name, part in parts.items():
        if split is None or name == (split_of(split) or split):
            part.check()
    pairs = named(_found(folder, parts), folder)
    chosen = of_split(folder, split, pairs, _indices(parts, pairs))
    return drawn_data(source, split, chosen, classes, default_palette(classes), load)


def inventory(source: str) -> Inventory:
    """The photos of a YOLO-seg data set, and the faults of its lists.

    Raises:
        DataError: there are no class names, no photos or no labels.
    """
    folder = Path(source)
    classes, load = _classes(folder)
    parts = photo_parts(folder)
    stock = drawn_stock("yolo", folder, classes, default_palette(classes), load)
    every = [Pair(name_of(photo, folder), photo, mask) for photo, mask in _found(folder, parts)]
    pairs, stock.duplicates = unique(sorted(every, key=lambda pair: pair.name))
    stock.unmatched_masks = [*lonely_labels(every)]
    stock.bad_lines = [line for part in parts.values() for line in part.lines]
    stock.broken_splits = {name: part.refusal for name, part in parts.items() if part.refusal}
    stock.add(pairs, _indices(parts, pairs))
    return stock


def recognises(folder: Path) -> bool:
    """Whether there are text files in a folder called labels."""
    if not folder.is_dir():
        return False
    places = [folder / "labels", *(path / "labels" for path in folder.iterdir() if path.is_dir())]
    return any(next(place.rglob("*.txt"), None) for place in places if place.is_dir())


def _classes(folder: Path) -> tuple[tuple[str, ...], Callable[[Pair], Drawing]]:
    """The classes, and what draws the labels of a photo."""
    declared = declared_classes(folder)
    if declared is None:
        raise DataError(
            f"{folder} does not name its classes",
            expected="data.yaml with the line names: [road, car]",
        )
    classes = with_ground(declared.classes, declared.where)
    labels = {
        value: label_of(declared.classes[label], classes, declared.where, "")
        for value, label in declared.mapping.items()
        if label != VOID
    }
    return classes, partial(_drawing, labels=labels, where=declared.where)


@dataclass
class Part:
    """The photos of one split.

    Attributes:
        photos: in their order.
        lines: (list, what is wrong with a line of it).
        refusal: why the split cannot be opened although data.yaml names it.
    """

    photos: list[Path] = field(default_factory=list)
    lines: list[tuple[Path, str]] = field(default_factory=list)
    refusal: DataError | None = None

    def check(self) -> None:
        """Raise a DataError for the first fault."""
        if self.refusal:
            raise self.refusal
        for path, sentence in self.lines:
            raise DataError(
                sentence,
                remedy="correct the line or take it out",
                where=path,
            )


def _found(folder: Path, parts: Mapping[str, Part]) -> list[tuple[Path, Path]]:
    """Each photo with its text file, be it there or not."""
    photos = dict.fromkeys(photo for part in parts.values() for photo in part.photos)
    if not photos:
        for part in parts.values():
            part.check()
        raise DataError(
            f"{folder} holds no photos",
            expected="images/ with photos in it",
        )
    found = [(photo, labels_of(photo)) for photo in photos]
    if not any(os.path.lexists(labels) for _, labels in found):
        raise DataError(
            f"none of the {len(found)} photos under {folder} has a label file, e.g. {found[0][1]}",
            expected="labels/ beside images/",
        )
    return found


def _indices(parts: Mapping[str, Part], pairs: Sequence[Pair]) -> dict[str, list[int]]:
    index = {pair.photo: number for number, pair in enumerate(pairs)}
    return {
        split: sorted({index[photo] for photo in part.photos if photo in index})
        for split, part in parts.items()
        if split and part.photos
    }


def _drawing(pair: Pair, labels: Mapping[int, int], where: str) -> Drawing:
    lines = text_of(pair.mask).splitlines() if os.path.lexists(pair.mask) else []

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
        raise DataError(
            f"not a class and numbers ({error})",
            remedy="export it again",
            where=place,
        ) from error
    if len(values) == 4:
        raise DataError(
            "four numbers after the class are a box, not an outline",
            expected="x1 y1 x2 y2 x3 y3 ...",
            remedy="export the labels for segmentation, not for detection",
            where=place,
        )
    if number not in labels:
        raise DataError(
            f"the class {number} is not among the names of {where}",
            remedy="add it",
            where=place,
        )
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
        inventory=inventory,
    )
)


def photo_parts(folder: Path) -> dict[str, Part]:
    """The photos of each split, as data.yaml or the folders say; under "" where nothing says it.

    Raises:
        DataError: data.yaml cannot be read.
    """
    return _described(folder) or _in_folders(folder)


def labels_of(photo: Path) -> Path:
    """The text file of a photo: "labels" in place of the last "images" of its path."""
    parts = list(photo.parts)
    for place in reversed(range(len(parts) - 1)):
        if parts[place].casefold() == "images":
            parts[place] = "labels"
            return Path(*parts).with_suffix(".txt")
    return photo.with_suffix(".txt")


def lonely_labels(pairs: Sequence[Pair]) -> Iterator[Path]:
    """The text files beside those of `pairs` to which there is no photo."""
    places = {pair.mask.parent: pair.photo.parent for pair in pairs}
    for labels, photos in sorted(places.items()):
        stems = {path.stem for path in photos.iterdir()}
        for path in sorted(labels.glob("*.txt")):
            if path.stem not in stems and path.name not in (*TEXT_FILES, "train.txt", "val.txt"):
                yield path


def _described(folder: Path) -> dict[str, Part]:
    path = next((folder / name for name in YAML_FILES if (folder / name).is_file()), None)
    content = read_yaml(path) if path else {}
    parts = {}
    for split in ("train", "val", "test"):
        value = content.get(split)
        part = Part()
        for place in value if isinstance(value, list) else [value] if value else []:
            _add(part, folder, content, place)
            if part.refusal and split == "test":  # often named and not there
                part.refusal = None
            elif part.refusal:
                part.refusal = part.refusal.at(f"{path}: {split}")
                break
        if part.photos or part.lines or part.refusal:
            parts[split] = part
    return parts


def _add(part: Part, folder: Path, content: dict[str, Any], place: object) -> None:
    found = place_of(folder, content, place)
    if found is None:
        part.refusal = DataError(f"{place} is no folder and no list of photos under {folder}")
    elif found.is_dir():
        part.photos += pictures(found)
    else:
        for line in list_lines(found):
            photo = located(found.parent, line) or located(folder, line)
            if photo:
                part.photos.append(photo)
            else:
                part.lines.append((found, f"there is no photo {line} under {folder}"))


def _in_folders(folder: Path) -> dict[str, Part]:
    """The photos of images/train, train/images, ..., or of images/ where there are no splits."""
    images = folder / "images"
    places = [(path.name, path) for path in sorted(images.glob("*/"))]
    places += [(path.name, path / "images") for path in sorted(folder.glob("*/"))]
    parts = {
        split: Part(pictures(path))
        for name, path in places
        if path.is_dir() and (split := split_of(name))
    }
    return parts or {"": Part(pictures(images) if images.is_dir() else [])}

"""YOLO-seg (Ultralytics): one text file per photo, with lines "class x1 y1 x2 y2 ..." in [0, 1].

Class 0 is the background, and YOLO's class k is class k + 1. A photo without a text file, or with
an empty one, is all background, as in Ultralytics.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from fullconv.data.discovery.files import find_images, locate_in, quoted, sample_name
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.layout import as_places, outside_hint, resolve_place
from fullconv.data.discovery.list_files import split_from_name
from fullconv.data.discovery.lists import SplitList
from fullconv.data.discovery.pairing import unique
from fullconv.data.formats import Format, formats
from fullconv.data.formats._annotations import (
    Drawing,
    drawn_inventory,
    label_of,
    locate_errors,
    refuse_unlabelled,
    with_ground,
)
from fullconv.data.labels.classes import TEXT_FILES, YAML_FILES, declared_classes
from fullconv.data.labels.patches import Size
from fullconv.data.labels.rasterize import Layer, parse_points, polygon
from fullconv.data.sample import Pair, default_palette
from fullconv.errors import DataError
from fullconv.io.palettes import VOID
from fullconv.io.text import read_utf8, read_yaml
from fullconv.io.visible import visible

_LARGEST = 1.5  # a polygon may exceed the photo a little; larger numbers are pixels


def scan(source: str) -> Inventory:
    """List a YOLO-seg data set: a folder with data.yaml (or classes.txt), images/ and labels/.

    The splits are those of data.yaml or of the folders, or follow from the hash of the names.

    Raises:
        DataError: there are no class names, no photos or no labels.
    """
    folder = Path(source)
    classes, load = _classes(folder)
    parts = photo_parts(folder)
    inventory = drawn_inventory("yolo", folder, classes, default_palette(classes), load)
    for split, part in parts.items():
        if part.broken:
            inventory.broken(split, part.broken)
        inventory.bad_entries(part.problems, split)
    photos = [*dict.fromkeys(photo for part in parts.values() for photo in part.photos)]
    labels = _label_files(folder, photos, inventory)
    labelled = {photo for photo, path in labels.items() if os.path.lexists(path)}
    if "" not in parts:
        for split, part in parts.items():
            if not part.broken:
                what = "a text file in labels/"
                refuse_unlabelled(inventory, split, part.photos, labelled, what, folder)
    found = [Pair(sample_name(photo, folder), photo, labels[photo]) for photo in photos]
    pairs, duplicates = unique(found)
    inventory.same_stems(duplicates)
    inventory.orphans(orphaned_labels(found), None, "images/", fatal=False)
    if "" in parts:
        inventory.divide(pairs)
    else:
        inventory.add_parts(pairs, _indices(parts, pairs))
        inventory.candidates = [*pairs, *_in_no_split(folder, photos)]
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether there are text files in a folder called labels."""
    if not folder.is_dir():
        return False
    places = [folder / "labels", *(path / "labels" for path in visible(folder, "*/"))]
    return any(next(visible(place, "**/*.txt"), None) for place in places)


def _classes(folder: Path) -> tuple[tuple[str, ...], Callable[[Pair], Drawing]]:
    """Return the classes, and the function that loads the drawing of a photo."""
    declared = declared_classes(folder, numbered=True)
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
class SplitPhotos:
    """The photos of one split.

    Attributes:
        photos: in their order.
        problems: lines that do not name a photo.
        broken: why the split cannot be opened although data.yaml names it.
    """

    photos: list[Path] = field(default_factory=list)
    problems: list[DataError] = field(default_factory=list)
    broken: DataError | None = None


def _label_files(folder: Path, photos: Sequence[Path], inventory: Inventory) -> dict[Path, Path]:
    """Return the text file of each photo, which may be missing."""
    if not photos and inventory.problems:
        raise inventory.problems[0].error
    if not photos:
        raise DataError(f"{folder} holds no photos", expected="images/ with photos in it")
    labels = {photo: labels_of(photo) for photo in photos}
    if not any(os.path.lexists(path) for path in labels.values()):
        raise DataError(
            f"none of the {len(photos)} photos under {folder} has a label file, e.g. "
            f"{labels[photos[0]]}",
            expected="labels/ beside images/",
        )
    return labels


def _indices(parts: Mapping[str, SplitPhotos], pairs: Sequence[Pair]) -> dict[str, list[int]]:
    index = {pair.photo: number for number, pair in enumerate(pairs)}
    return {
        split: sorted({index[photo] for photo in part.photos if photo in index})
        for split, part in parts.items()
        if not part.broken
    }


def _drawing(pair: Pair, labels: Mapping[int, int], where: str) -> Drawing:
    lines = read_utf8(pair.mask).splitlines() if os.path.lexists(pair.mask) else []

    def layers(size: Size) -> list[Layer]:
        return [
            _layer(line.split(), f"{pair.mask}: line {number}", labels, where, size)
            for number, line in enumerate(lines, 1)
            if line.strip()
        ]

    return Drawing(pair.photo, str(pair.mask), None, layers, relative=True)


def _layer(
    fields: Sequence[str], place: str, labels: Mapping[int, int], where: str, size: Size
) -> Layer:
    try:
        if any("_" in field for field in fields):  # which Python takes for a separator
            raise ValueError(f"{max(fields, key=len)[:40]!r}")
        number, values = int(fields[0]), np.array(fields[1:], np.float64)
    except (ValueError, OverflowError) as error:
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
    with locate_errors(place, "write class x1 y1 x2 y2 x3 y3 ..., or delete the line"):
        if len(values) % 2:
            raise DataError(f"{len(values)} numbers after the class, which are not pairs")
        points = parse_points(values.reshape(-1, 2), least=3)
        if np.abs(points).max() > _LARGEST:
            raise DataError(f"the number {points.max():g}, but 1 is the far side of the photo")
        patch = polygon([points[:, ::-1] * size], size)
        return Layer(patch, labels[number], where=place)


formats.register("yolo")(
    Format(
        summary="YOLO-seg: images/, labels/ with one .txt per photo, data.yaml",
        scan=scan,
        recognises=recognises,
    )
)


def photo_parts(folder: Path) -> dict[str, SplitPhotos]:
    """Return the photos of each split by data.yaml or the folders; all under "" without splits.

    Raises:
        DataError: data.yaml cannot be read.
    """
    return _described(folder) or _in_folders(folder)


def labels_of(photo: Path) -> Path:
    """Return the text file of a photo: "labels" in place of the last "images" of its path."""
    parts = list(photo.parts)
    for place in reversed(range(len(parts) - 1)):
        if parts[place].casefold() == "images":
            parts[place] = "labels"
            return Path(*parts).with_suffix(".txt")
    return photo.with_suffix(".txt")


def orphaned_labels(pairs: Sequence[Pair]) -> Iterator[Path]:
    """Yield the text files without a photo, beside those of `pairs`."""
    places = {pair.mask.parent: pair.photo.parent for pair in pairs}
    for labels, photos in sorted(places.items()):
        stems = {path.stem for path in visible(photos)}
        for path in sorted(visible(labels, "*.txt")):
            if path.stem not in stems and path.name not in (*TEXT_FILES, "train.txt", "val.txt"):
                yield path


def _described(folder: Path) -> dict[str, SplitPhotos]:
    path = next((folder / name for name in YAML_FILES if os.path.lexists(folder / name)), None)
    content = read_yaml(path) if path else {}
    parts = {}
    for split in ("train", "val", "test"):
        part, exists = SplitPhotos(), False
        for place in as_places(content.get(split)):
            found = resolve_place(folder, content, place)
            if found is not None:
                _add(part, folder, found)
                exists = True
            elif split != "test":  # test is often named and missing
                part.broken = DataError(
                    f"{split}: {place} is not a folder or a list of photos under {folder}",
                    remedy=outside_hint(folder, place),
                    where=path or folder,
                )
        if exists or part.broken:
            parts[split] = part
    return parts


def _add(part: SplitPhotos, folder: Path, found: Path) -> None:
    """Add the photos of a folder or a list."""
    if found.is_dir():
        part.photos += find_images(found)
        return
    try:
        lines = SplitList.read(found)
    except DataError as error:
        part.broken = error
        return
    if empty := lines.empty():
        part.problems.append(empty)
    for line in lines.lines:
        photo = locate_in((found.parent, folder), line)
        if photo:
            part.photos.append(photo)
        else:
            missing = f"there is no photo {quoted(line)} under {folder}"
            part.problems.append(lines.problem(missing, "the path of one photo per line"))


def _in_folders(folder: Path) -> dict[str, SplitPhotos]:
    """Return the photos of images/train, train/images, ..., or of images/ without splits."""
    images = folder / "images"
    places = [(path.name, path) for path in sorted(visible(images, "*/"))]
    places += [(path.name, path / "images") for path in sorted(visible(folder, "*/"))]
    parts: dict[str, SplitPhotos] = {}
    for name, path in places:
        if path.is_dir() and (split := split_from_name(name)):
            parts.setdefault(split, SplitPhotos()).photos += find_images(path)
    return parts or {"": SplitPhotos(find_images(images) if images.is_dir() else [])}


def _in_no_split(folder: Path, photos: Sequence[Path]) -> list[Pair]:
    """Return the samples in images/ that are not among these photos, and have a text file."""
    used, images = {*photos}, folder / "images"
    found = find_images(images) if images.is_dir() else []
    rest = [(path, labels_of(path)) for path in found if path not in used]
    return [Pair(sample_name(p, folder), p, mask) for p, mask in rest if os.path.lexists(mask)]

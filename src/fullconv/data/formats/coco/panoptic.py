"""COCO's pictures of labels: panoptic segments, and COCO-Stuff's pixel maps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.discovery.pairing import check_names, line_of, located, match
from fullconv.data.discovery.splits import of_split, split_of
from fullconv.data.formats.coco.annotations import (
    Annotations,
    Chosen,
    Image,
    numbered,
    palette_of,
    read_categories,
)
from fullconv.data.labels.classes import ClassList, declared_classes
from fullconv.data.labels.masks import as_data
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Data, Pair
from fullconv.errors import DataError, LabelError
from fullconv.io.palettes import VOID
from fullconv.io.text import entry

_UNLABELLED = ("unlabeled", "unlabelled")


def panoptic(chosen: Chosen, parts: Sequence[Annotations]) -> Data:
    """Segments of PNG files, whose pixels are R + 256 G + 65536 B; unlabelled and crowds are void.

    Raises:
        DataError: a photo has no PNG.
    """
    classes, labels = numbered(chosen.categories, parts[0].path)
    pairs = [*_with_segments(chosen)]
    images = {str(pair.mask): chosen.images[pair.photo] for pair in pairs}
    palette = palette_of(classes, [category.color for category in chosen.categories])
    table = SegmentTable(images, labels)
    return as_data(chosen.source, chosen.split, pairs, classes, palette, table)


def map_folders(folder: Path) -> list[Path]:
    """The folders of COCO-Stuff's pixel maps, one a split."""
    return [
        path
        for path in sorted(folder.glob("stuffthingmaps*/*"))
        if path.is_dir() and split_of(path.name)
    ]


def maps(source: str, folder: Path, files: Sequence[Path], split: str | None) -> Data:
    """COCO-Stuff's pixel maps: a category's number less one, and 255 where there is none.

    Args:
        source: what the user called the data set.
        folder: where it lies.
        files: JSON files, whose categories are the classes where there is no labels.txt.
        split: "train", ...; None is all.

    Raises:
        DataError: no classes are declared, or photos and maps do not match.
    """
    found = _map_classes(folder, files)
    parts: dict[str, list[Pair]] = {}
    for place in map_folders(folder):
        photos = next(
            (
                path
                for path in (folder / "images" / place.name, folder / place.name)
                if path.is_dir()
            ),
            None,
        )
        if photos is None:
            raise DataError(
                f"{place} has no photos",
                expected=f"them in {folder / place.name}",
            )
        parts.setdefault(str(split_of(place.name)), []).extend(match(photos, place, folder))
    pairs = [pair for part in parts.values() for pair in part]
    check_names(pairs)
    starts = np.cumsum([0, *(len(part) for part in parts.values())]).tolist()
    indices = {
        name: range(start, start + len(part))
        for (name, part), start in zip(parts.items(), starts, strict=False)
    }
    table = LabelTable(found.classes, found.mapping, "add the value to labels.txt")
    chosen = of_split(folder, split, pairs, indices)
    return as_data(source, split, chosen, found.classes, found.palette, table)


@dataclass(frozen=True)
class SegmentTable:
    """The labels of panoptic PNG files; each has numbers of its own.

    Attributes:
        images: file -> the photo whose segments it holds.
        labels: number of a category -> label.
    """

    images: Mapping[str, Image]
    labels: Mapping[int, int]

    def __call__(
        self, raw: Integer[np.ndarray, "H W *channels"], where: str
    ) -> UInt8[np.ndarray, "H W"]:
        """The labels of the file `where`.

        Raises:
            LabelError: a segment that the JSON file does not name.
        """
        wide = raw.astype(np.int64)
        numbers = wide @ np.array([1, 256, 65536]) if raw.ndim == 3 else wide
        found, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
        known = _segments(self.images[where], self.labels)
        for number, count in zip(found.tolist(), counts.tolist(), strict=True):
            if number not in known:
                raise LabelError(
                    f"the segment {number} ({count:,} pixels) is not in the segments_info of its "
                    "annotation",
                    remedy="add it, or give these pixels the number 0",
                    where=where,
                )
        labels = np.array([known[number] for number in found.tolist()], np.uint8)
        return labels[places].reshape(numbers.shape)


def _with_segments(chosen: Chosen) -> Iterator[Pair]:
    for pair in chosen.pairs:
        image = chosen.images[pair.photo]
        try:
            yield Pair(pair.name, pair.photo, _segments_file(chosen.folder, image))
        except DataError as error:
            if chosen.faulty is None:
                raise
            chosen.faulty.append(line_of(image.path, error))


def _segments_file(folder: Path, image: Image) -> Path:
    where = f"{image.path}: {image.photo.name}"
    if len(image.places) != 1:
        raise DataError(
            f"{len(image.places)} annotations",
            expected="one a photo",
            where=where,
        )
    name = entry(image.annotations[0], "file_name", str, where)
    stem = image.path.stem
    for place in (image.path.parent / stem, folder / stem, image.path.parent, folder):
        if found := located(place, name):
            return found
    raise DataError(
        f"its segments {name} are not under {folder}",
        expected=f"them in {image.path.parent / stem}",
        remedy="unpack panoptic_annotations there",
        where=where,
    )


def _segments(image: Image, labels: Mapping[int, int]) -> dict[int, int]:
    known = {0: VOID}
    where = f"{image.path}: {image.photo.name}"
    for segment in entry(image.annotations[0], "segments_info", list, where):
        label = labels[entry(segment, "category_id", int, where)]
        known[entry(segment, "id", int, where)] = VOID if segment.get("iscrowd") else label
    return known


def _map_classes(folder: Path, files: Sequence[Path]) -> ClassList:
    declared = declared_classes(folder)
    if declared is None:
        categories = {one.number: one for path in files for one in read_categories(path)}
        ordered = [categories[number] for number in sorted(categories)]
        if not ordered:
            raise DataError(
                f"{folder} does not name the classes of its pixel maps",
                expected=(
                    "labels.txt, or instances_*.json and stuff_*.json, whose categories have them"
                ),
            )
        names, _ = numbered(ordered, folder)
        values = {one.number - 1: label for label, one in enumerate(ordered)}
        return ClassList(str(folder), names, values | {VOID: VOID}, {})
    if declared.classes[0] not in _UNLABELLED:
        return declared
    # COCO-Stuff's own labels.txt counts from "0: unlabeled", its maps from "0 is person".
    shifted = {
        value - 1: label - 1 for value, label in declared.mapping.items() if 0 < value < VOID
    }
    return ClassList(declared.where, declared.classes[1:], shifted | {VOID: VOID}, {})

"""COCO's labels as image files: panoptic segments, and COCO-Stuff's pixel maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from fullconv.data.discovery.files import locate_in
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.list_files import split_from_name
from fullconv.data.discovery.pairing import pair_folders
from fullconv.data.formats.coco.annotations import (
    Annotations,
    Image,
    numbered,
    palette_of,
    read_categories,
)
from fullconv.data.labels.classes import ClassList, declared_classes
from fullconv.data.labels.masks import MaskTable, read_pair, read_raw
from fullconv.data.labels.tables import LabelTable
from fullconv.errors import DataError, LabelError
from fullconv.io.palettes import VOID
from fullconv.io.text import get_entry
from fullconv.io.visible import visible

SegmentFiles = Mapping[tuple[Path, Path], Path | DataError]

_UNLABELLED = ("unlabeled", "unlabelled")


def panoptic(folder: Path, parts: Sequence[Annotations], files: SegmentFiles) -> Inventory:
    """Return an inventory of segments in PNG files; unlabelled pixels and crowds are void.

    A pixel holds the number R + 256 G + 65536 B of its segment.
    """
    categories = parts[0].categories
    classes, labels = numbered(categories, parts[0].path)
    palette = palette_of(classes, [category.color for category in categories])
    images: dict[str, Image] = {}
    for part in parts:
        for image in part.images.values():
            images.setdefault(str(files[image.photo, image.path]), image)
    table = SegmentTable(images, labels)
    inventory = Inventory(folder, "coco", lambda masks, read: (classes, palette, None))
    inventory.declared = len(classes)
    inventory.read = partial(read_pair, table=table, raw=read_raw)
    return inventory


def segment_files(folder: Path, parts: Sequence[Annotations]) -> SegmentFiles:
    """Return (photo, JSON file) -> the PNG file of its segments, or why there is none."""
    return {
        (image.photo, image.path): _segments_file(folder, image)
        for part in parts
        for image in part.images.values()
    }


def map_folders(folder: Path) -> list[Path]:
    """Return the folders of COCO-Stuff's pixel maps, one per split."""
    return [
        path for path in sorted(visible(folder, "stuffthingmaps*/*/")) if split_from_name(path.name)
    ]


def scan_maps(folder: Path, files: Sequence[Path]) -> Inventory:
    """List COCO-Stuff's pixel maps, which hold a category's number less one, or 255.

    Args:
        folder: the data set.
        files: JSON files, whose categories are the classes if there is no labels.txt.

    Raises:
        DataError: no classes are declared, or a folder of maps has no folder of photos.
    """
    found = _map_classes(folder, files)
    table = MaskTable(LabelTable(found.classes, found.mapping, "add the value to labels.txt"))
    classes, palette = found.classes, found.palette
    inventory = Inventory(folder, "coco", lambda masks, read: (classes, palette, table))
    inventory.declared = len(classes)
    for masks in map_folders(folder):
        split = str(split_from_name(masks.name))
        places = (folder / "images" / masks.name, folder / masks.name)
        images = next((path for path in places if path.is_dir()), None)
        if images is None:
            expected = f"them in {folder / masks.name}"
            inventory.broken(split, DataError("these maps have no photos", expected, where=masks))
            continue
        pairing = pair_folders(images, masks, folder)
        inventory.unmatched(pairing.unmatched_images, split, masks)
        inventory.orphans(pairing.unmatched_masks, split, images, fatal=True)
        inventory.same_stems(pairing.duplicates, split)
        inventory.splits.setdefault(split, []).extend(pairing.pairs)
    return inventory


@dataclass(frozen=True)
class SegmentTable:
    """Map the numbers in panoptic PNG files to labels; each file has its own numbers.

    Attributes:
        images: file -> the photo whose segments it holds.
        labels: number of a category -> label.
    """

    images: Mapping[str, Image]
    labels: Mapping[int, int]

    def __call__(
        self, raw: Integer[np.ndarray, "H W *channels"], where: str
    ) -> UInt8[np.ndarray, "H W"]:
        """Return the labels of the file `where`.

        Raises:
            LabelError: a segment that the JSON file does not name.
        """
        wide = raw.astype(np.int64)
        numbers = wide @ np.array([1, 256, 65536]) if raw.ndim == 3 else wide
        found, positions, counts = np.unique(numbers, return_inverse=True, return_counts=True)
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
        return labels[positions].reshape(numbers.shape)


def _segments_file(folder: Path, image: Image) -> Path | DataError:
    """Return the PNG file of a photo, or why there is none."""
    name_of_photo = image.photo.name
    if len(image.positions) != 1:
        found = f"{name_of_photo}: {len(image.positions)} annotations"
        return DataError(found, expected="one per photo", where=image.path, code="list-line")
    name = get_entry(image.annotations[0], "file_name", str, f"{image.path}: {name_of_photo}")
    stem = image.path.stem
    places = (image.path.parent / stem, folder / stem, image.path.parent, folder)
    if path := locate_in(places, name):
        return path
    return DataError(
        f"{name_of_photo}: its segments {name} are not under {folder}",
        expected=f"them in {image.path.parent / stem}",
        remedy="unpack panoptic_annotations there",
        where=image.path,
        code="list-line",
    )


def _segments(image: Image, labels: Mapping[int, int]) -> dict[int, int]:
    known = {0: VOID}
    where = f"{image.path}: {image.photo.name}"
    for segment in get_entry(image.annotations[0], "segments_info", list, where):
        label = labels[get_entry(segment, "category_id", int, where)]
        known[get_entry(segment, "id", int, where)] = VOID if segment.get("iscrowd") else label
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

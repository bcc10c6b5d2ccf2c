"""COCO's instances and stuff: regions as polygons or run lengths."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.formats._annotations import (
    Drawing,
    drawn_inventory,
    label_of,
    locate_errors,
    with_ground,
)
from fullconv.data.formats.coco.annotations import Annotations, Image, numbered, palette_of
from fullconv.data.labels.patches import Patch, Size, union
from fullconv.data.labels.rasterize import (
    Layer,
    bitmap,
    parse_points,
    polygon,
    rectangle,
)
from fullconv.data.labels.run_lengths import decode_run_lengths
from fullconv.data.sample import Pair
from fullconv.errors import DataError
from fullconv.io.palettes import VOID
from fullconv.io.text import get_entry

Record = Mapping[str, object]


def instances(folder: Path, parts: Sequence[Annotations]) -> Inventory:
    """Return an inventory of objects over a background, which is class 0; crowds are void.

    Raises:
        DataError: no object has an outline.
    """
    _need_outlines(parts)
    where, categories = parts[0].path, parts[0].categories
    classes = with_ground([category.name for category in categories], where)
    labels = {one.number: label_of(one.name, classes, str(where), "") for one in categories}
    colors = {one.name: one.color for one in categories}
    palette = palette_of(classes, [colors.get(name) for name in classes])
    load = partial(_drawing, images=images_by_file(parts), labels=labels, crowds=True)
    return drawn_inventory("coco", folder, classes, palette, load)


def stuff(folder: Path, parts: Sequence[Annotations]) -> Inventory:
    """Return an inventory of regions of stuff; all other pixels are void.

    In these files iscrowd only says that a region is stored as run lengths.
    """
    categories = parts[0].categories
    classes, labels = numbered(categories, parts[0].path)
    palette = palette_of(classes, [category.color for category in categories])
    load = partial(_drawing, images=images_by_file(parts), labels=labels, crowds=False)
    return drawn_inventory("coco", folder, classes, palette, load, VOID)


def images_by_file(parts: Sequence[Annotations]) -> dict[tuple[Path, Path], Image]:
    """Return (photo, JSON file) -> record; a photo may be in several files."""
    return {(image.photo, image.path): image for part in parts for image in part.images.values()}


def _need_outlines(parts: Sequence[Annotations]) -> None:
    records = sum(len(part.index.image_ids) for part in parts)
    if not records or any(part.index.objects for part in parts):
        return
    if any(part.index.outlined for part in parts):
        raise DataError(
            f"each of the {records} annotations is marked as a crowd, which is void",
            remedy="set iscrowd to 0 where a mask is one object",
            where=parts[0].path,
        )
    raise DataError(
        f"none of the {records} annotations has an outline, only boxes",
        expected="segmentation",
        remedy="export the labels for segmentation, not for detection",
        where=parts[0].path,
    )


def _outline(record: Record) -> bool:
    return bool(record.get("segmentation"))


def _drawing(
    pair: Pair,
    images: Mapping[tuple[Path, Path], Image],
    labels: Mapping[int, int],
    crowds: bool,
) -> Drawing:
    image = images[pair.photo, pair.mask]
    where = f"{image.path}: image {image.photo.name}"

    def layers(size: Size) -> list[Layer]:
        return [_layer(record, image, labels, crowds, size) for record in image.annotations]

    return Drawing(image.photo, where, image.size, layers)


def _layer(
    record: Record, image: Image, labels: Mapping[int, int], crowds: bool, size: Size
) -> Layer:
    where = f"{image.path}: annotation {record.get('id')} of {image.photo.name}"
    with locate_errors(where, "correct or delete it"):
        if not _outline(record):
            return Layer(_box(record, where, size), VOID, where=where)
        patch = _patch(record["segmentation"], where, size)
    if crowds and record.get("iscrowd"):
        return Layer(patch, VOID, where=where)
    return Layer(patch, labels[get_entry(record, "category_id", int, where)], 1, where)


def _box(record: Record, where: str, size: Size) -> Patch:
    values = get_entry(record, "bbox", list, where)
    if len(values) != 4:
        raise DataError(
            f"a bbox of {len(values)} numbers",
            expected="x, y, width, height",
        )
    (left, top), (width, height) = parse_points([values[:2], values[2:]]).tolist()
    return rectangle((top, left), (top + height, left + width), size)


def _patch(segmentation: object, where: str, size: Size) -> Patch:
    if isinstance(segmentation, dict):
        return _runs(segmentation, where, size)
    if not isinstance(segmentation, list) or not all(isinstance(one, list) for one in segmentation):
        raise DataError("a segmentation that is not a list of polygons [[x1, y1, x2, y2, ...]]")
    rings = []
    for numbers in segmentation:
        if len(numbers) % 2:
            raise DataError(f"a polygon of {len(numbers)} numbers, which are not pairs")
        rings.append(parse_points([*zip(numbers[1::2], numbers[::2], strict=True)], least=3))
    return union(polygon([ring], size) for ring in rings)


def _runs(segmentation: Record, where: str, size: Size) -> Patch:
    own = get_entry(segmentation, "size", list, where)
    if own != list(size):
        raise DataError(
            f"run lengths for {own} pixels (height, width)",
            expected=f"{list(size)}",
        )
    counts = segmentation.get("counts")
    runs = run_counts(counts) if isinstance(counts, str) else counts
    return bitmap(decode_run_lengths(runs, size, by_columns=True), (0, 0), size)


def run_counts(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed RLE, in which a character holds five bits.

    Each number from the fourth on is a difference to the second number before it.

    Raises:
        DataError: an invalid character, or a number that is cut off.
    """
    counts: list[int] = []
    value, bits = 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or bits > 60:
            raise DataError(f"compressed run lengths with the invalid character {character!r}")
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

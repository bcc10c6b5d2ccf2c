"""LabelMe: one JSON file per photo, with every kind of shape that its tool can draw.

A photo without a JSON file is not annotated yet and does not belong to the data set; such photos
are counted. The classes are those of labels.txt or, without it, the sorted names of the shapes in
all files.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from jaxtyping import Float64

from fullconv.data.discovery.files import find_files, sample_name
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.json_keys import top_keys
from fullconv.data.discovery.list_files import find_lists
from fullconv.data.discovery.pairing import unique
from fullconv.data.discovery.problems import Problem
from fullconv.data.formats import Format, formats
from fullconv.data.formats._annotations import (
    LINE_WIDTH,
    POINT_RADIUS,
    Drawing,
    drawn_inventory,
    label_of,
    locate_errors,
    with_ground,
)
from fullconv.data.formats._labelme_photos import (
    decode_base64,
    not_annotated,
    photo_of,
    shared_photos,
)
from fullconv.data.labels import rasterize
from fullconv.data.labels.classes import ClassList, declared_classes
from fullconv.data.labels.patches import Patch, Size
from fullconv.data.labels.rasterize import Layer, Point, Points, parse_points
from fullconv.data.labels.special_names import GROUND
from fullconv.data.sample import Pair, default_palette
from fullconv.errors import DataError
from fullconv.io.images import decode_mask
from fullconv.io.palettes import Palette
from fullconv.io.text import get_entry, read_json

_KEYS = frozenset(("shapes", "imageData"))
_MOST_LOOKED_AT = 2000  # files that are looked at to recognise a folder


def scan(source: str) -> Inventory:
    """List a folder of LabelMe files, with its sub-folders.

    The splits are lists such as splits/train.txt, or follow from the hash of the names. Without
    labels.txt, the classes are those of the files that can be read.

    Raises:
        DataError: there is no such file, or none that can be read.
    """
    folder = Path(source)
    files = _annotations(folder)
    declared = declared_classes(folder)
    errors = [] if declared else [error for path in files if (error := _unreadable(path))]
    if len(errors) == len(files):
        raise errors[0]
    classes, palette = _classes_and_palette(folder, declared, files)
    load = partial(_drawing, folder=folder, classes=classes)
    inventory = drawn_inventory("labelme", folder, classes, palette, load)
    inventory.files = False
    # A broken file may hold a class that no other file has.
    inventory.bad_entries([*errors, *shared_photos(folder, files)], None)
    pairs, duplicates = unique(Pair(sample_name(path, folder), path, path) for path in files)
    inventory.pairs = pairs
    inventory.same_stems(duplicates)
    if error := not_annotated(folder, files):
        inventory.problems.append(Problem(error, folder, None, fatal=False))
    inventory.add_lists(pairs, find_lists(folder))
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether a JSON file has LabelMe's keys; a folder of masks takes precedence."""
    if not folder.is_dir() or (folder / "masks").is_dir():
        return False
    files = islice(find_files(folder, ".json"), _MOST_LOOKED_AT)
    return any(_KEYS & top_keys(path).keys() for path in files)


def _annotations(folder: Path) -> list[Path]:
    found = sorted(find_files(folder, ".json"))
    if not found:
        raise DataError(
            f"{folder} holds no .json file",
            expected="those that LabelMe saves",
        )
    return found


def _unreadable(path: Path) -> DataError | None:
    """Return why the names of the shapes in a file cannot be read; None if they can."""
    try:
        for shape, where in shapes_of(path):
            name_of_shape(shape, where)
    except DataError as error:
        return DataError(
            error.problem.removeprefix(f"{path}: "),
            error.expected,
            error.remedy,
            where=path,
            code="labels-refused",
        )
    return None


def _classes_and_palette(
    folder: Path, declared: ClassList | None, files: Sequence[Path]
) -> tuple[tuple[str, ...], Palette]:
    if declared:
        classes = with_ground(declared.classes, declared.where, GROUND[0])
        same = declared.classes == classes
        return classes, declared.palette if same else default_palette(classes)
    names = {
        name_of_shape(shape, where)
        for path in files
        if not _unreadable(path)
        for shape, where in shapes_of(path)
    }
    classes = with_ground(sorted(names), folder, GROUND[0])
    return classes, default_palette(classes)


def _drawing(pair: Pair, folder: Path, classes: tuple[str, ...]) -> Drawing:
    path = pair.mask
    content = read_json(path)
    shapes = list(shapes_of(path, content))

    def layers(size: Size) -> list[Layer]:
        return [layer_of(shape, where, classes, size) for shape, where in shapes]

    height, width = content.get("imageHeight"), content.get("imageWidth")
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    return Drawing(photo_of(path, content, folder), str(path), size, layers)


formats.register("labelme")(
    Format(
        summary="LabelMe's .json files, one per photo",
        scan=scan,
        recognises=recognises,
    )
)


def shapes_of(path: Path, content: dict[str, Any] | None = None) -> Iterator[tuple[object, str]]:
    """Yield the records of the shapes in a file, and the position of each for messages.

    Args:
        path: the file.
        content: its JSON; None: it is read.

    Raises:
        DataError: it cannot be read, or has no shapes.
    """
    content = read_json(path) if content is None else content
    if "shapes" not in content:
        raise DataError(
            "no 'shapes', so not a LabelMe file",
            expected="only such files in a LabelMe folder",
            remedy="move it elsewhere",
            where=path,
        )
    for number, shape in enumerate(get_entry(content, "shapes", list, str(path))):
        yield shape, f"{path}: shape {number}"


def name_of_shape(shape: object, where: str) -> str:
    """Return the class of a shape.

    Raises:
        DataError: it has no class.
    """
    return normalize("NFC", get_entry(shape, "label", str, where))


def layer_of(shape: object, where: str, classes: tuple[str, ...], size: Size) -> Layer:
    """Return one shape, painted on `size` (height, width) pixels.

    Raises:
        DataError: it cannot be drawn, or its class is not declared.
    """
    name = name_of_shape(shape, where)
    remedy = "add it to labels.txt, or correct the shape in LabelMe"
    label = label_of(name, classes, where, remedy)
    kind = (isinstance(shape, dict) and shape.get("shape_type")) or "polygon"
    values = get_entry(shape, "points", list, where)
    place = f"{where} ({name!r}, {kind})"
    with locate_errors(place):
        if kind == "mask":
            encoded = get_entry(shape, "mask", str, where)
            return Layer(_mask(encoded, parse_points(values), where, size), label, where=place)
        if kind not in _DRAW:
            raise DataError(f"a shape type that is not one of {', '.join(_DRAW)}, mask")
        least, most, draw = _DRAW[kind]
        points = parse_points(values, least)[:, ::-1]  # LabelMe's order is (column, row)
        if len(points) > most:
            raise DataError(
                f"{len(points)} points",
                expected=f"{most}",
            )
        return Layer(draw(points, size), label, where=place)


def _pair(point: Float64[np.ndarray, "2"]) -> Point:
    return float(point[0]), float(point[1])


def _rectangle(points: Points, size: Size) -> Patch:
    if len(points) == 2:
        return rasterize.rectangle(_pair(points[0]), _pair(points[1]), size)
    return rasterize.polygon([points], size)  # X-AnyLabeling writes all corners


def _circle(points: Points, size: Size) -> Patch:
    radius = float(np.hypot(*(points[1] - points[0])))
    return rasterize.ellipse(_pair(points[0]), (radius, radius), size)


_MANY = 10**6
_DRAW: dict[str, tuple[int, int, Callable[[Points, Size], Patch]]] = {
    "polygon": (3, _MANY, lambda points, size: rasterize.polygon([points], size)),
    "rectangle": (2, 4, _rectangle),
    "oriented_rectangle": (4, 4, _rectangle),
    "rotation": (4, 4, _rectangle),
    "circle": (2, 2, _circle),
    "line": (2, 2, lambda points, size: rasterize.line(points, LINE_WIDTH, size)),
    "linestrip": (2, _MANY, lambda points, size: rasterize.line(points, LINE_WIDTH, size)),
    "point": (1, 1, lambda points, size: rasterize.dots(points, POINT_RADIUS, size)),
    "points": (1, _MANY, lambda points, size: rasterize.dots(points, POINT_RADIUS, size)),
}
"""Shape type -> minimum and maximum number of points, and the function that draws it."""


def _mask(encoded: str, points: Points, where: str, size: Size) -> Patch:
    mask = decode_mask(decode_base64(encoded), where) > 0
    column, row = np.round(points[0]).astype(int).tolist()
    return rasterize.bitmap(mask, (row, column), size)

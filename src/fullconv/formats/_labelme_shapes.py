"""The shapes of LabelMe: record -> what is painted."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from jaxtyping import Float64

from fullconv.errors import DataError
from fullconv.formats._drawn import LINE_WIDTH, POINT_RADIUS, blamed, label_of
from fullconv.formats._texts import entry, read_json
from fullconv.images import decode_mask
from fullconv.shapes import (
    Layer,
    Patch,
    Point,
    Points,
    Size,
    bitmap,
    dots,
    ellipse,
    line,
    points_of,
    polygon,
    rectangle,
)


def shapes_of(path: Path, content: dict[str, Any] | None = None) -> Iterator[tuple[object, str]]:
    """The records of the shapes in a file, and where each stands, for messages.

    Args:
        path: the file.
        content: what it holds; None: it is read.

    Raises:
        DataError: it cannot be read, or has no shapes.
    """
    content = read_json(path) if content is None else content
    if "shapes" not in content:
        raise DataError(
            f"{path}: no 'shapes', so no LabelMe file; expected only such files in a LabelMe "
            "folder: move it elsewhere"
        )
    for number, shape in enumerate(entry(content, "shapes", list, str(path))):
        yield shape, f"{path}: shape {number}"


def name_of_shape(shape: object, where: str) -> str:
    """The class of a shape.

    Raises:
        DataError: it has none.
    """
    return normalize("NFC", entry(shape, "label", str, where))


def layer_of(shape: object, where: str, classes: tuple[str, ...], size: Size) -> Layer:
    """One shape, painted on `size` pixels.

    Raises:
        DataError: it is none that can be drawn, or of no class.
    """
    name = name_of_shape(shape, where)
    remedy = "add it to labels.txt, or correct the shape in LabelMe"
    label = label_of(name, classes, where, remedy)
    kind = (isinstance(shape, dict) and shape.get("shape_type")) or "polygon"
    values = entry(shape, "points", list, where)
    with blamed(f"{where} ({name!r}, {kind})"):
        if kind == "mask":
            return Layer(
                _mask(entry(shape, "mask", str, where), points_of(values), where, size), label
            )
        if kind not in _DRAW:
            raise DataError(f"a shape type that is none of {', '.join(_DRAW)}, mask")
        least, most, draw = _DRAW[kind]
        points = points_of(values, least)[:, ::-1]  # LabelMe says (column, row)
        if len(points) > most:
            raise DataError(f"{len(points)} points; expected {most}")
        return Layer(draw(points, size), label)


def _pair(point: Float64[np.ndarray, "2"]) -> Point:
    return float(point[0]), float(point[1])


def _rectangle(points: Points, size: Size) -> Patch:
    if len(points) == 2:
        return rectangle(_pair(points[0]), _pair(points[1]), size)
    return polygon([points], size)  # X-AnyLabeling writes all corners


def _circle(points: Points, size: Size) -> Patch:
    radius = float(np.hypot(*(points[1] - points[0])))
    return ellipse(_pair(points[0]), (radius, radius), size)


_MANY = 10**6
_DRAW: dict[str, tuple[int, int, Callable[[Points, Size], Patch]]] = {
    "polygon": (3, _MANY, lambda points, size: polygon([points], size)),
    "rectangle": (2, 4, _rectangle),
    "oriented_rectangle": (4, 4, _rectangle),
    "rotation": (4, 4, _rectangle),
    "circle": (2, 2, _circle),
    "line": (2, 2, lambda points, size: line(points, LINE_WIDTH, size)),
    "linestrip": (2, _MANY, lambda points, size: line(points, LINE_WIDTH, size)),
    "point": (1, 1, lambda points, size: dots(points, POINT_RADIUS, size)),
    "points": (1, _MANY, lambda points, size: dots(points, POINT_RADIUS, size)),
}
"""Shape type -> least and most points, and how it is drawn."""


def _mask(encoded: str, points: Points, where: str, size: Size) -> Patch:
    mask = decode_mask(decoded(encoded), where) > 0
    column, row = np.round(points[0]).astype(int).tolist()
    return bitmap(mask, (row, column), size)


def decoded(encoded: str) -> bytes:
    """The bytes that a file embeds.

    Raises:
        DataError: it is no base64.
    """
    try:
        return b64decode(encoded, validate=False)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"base64 that cannot be read ({error})") from error

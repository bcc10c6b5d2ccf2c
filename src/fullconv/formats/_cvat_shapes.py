"""The shapes of CVAT: element -> what is painted.

Lines are painted 10 pixels wide and points as discs with a radius of 5, as LabelMe exports them:
CVAT itself gives them no width.
"""

from collections.abc import Callable
from xml.etree.ElementTree import Element

import numpy as np

from fullconv.errors import DataError
from fullconv.formats._drawn import LINE_WIDTH, POINT_RADIUS, blamed, label_of
from fullconv.shapes import (
    Layer,
    Patch,
    Points,
    Size,
    bitmap,
    dots,
    ellipse,
    line,
    points_of,
    polygon,
    run_lengths,
)


def layer_of(shape: Element, where: str, classes: tuple[str, ...], size: Size) -> Layer:
    """One shape of an image, painted on `size` pixels.

    Raises:
        DataError: it is none that can be drawn, or of no class.
    """
    remedy = "correct it in CVAT and export again"
    label = label_of(shape.get("label", ""), classes, where, remedy)
    with blamed(where, remedy):
        if shape.tag not in _DRAW:
            raise DataError(f"a shape that is none of {', '.join(_DRAW)}")
        order = int(numbers_of(shape, "z_order")[0]) if "z_order" in shape.attrib else 0
        return Layer(_DRAW[shape.tag](shape, size), label, order)


def numbers_of(element: Element, *names: str) -> list[float]:
    """Attributes that must be finite numbers."""
    try:
        values = [float(element.attrib[name]) for name in names]
    except KeyError as error:
        raise DataError(f"no {error.args[0]!r}") from error
    except ValueError as error:
        raise DataError(f"{', '.join(names)} should be numbers ({error})") from error
    if not np.isfinite(values).all():
        raise DataError(f"{', '.join(names)} should be finite numbers")
    return values


def _points(shape: Element, least: int) -> Points:
    text = shape.get("points", "")
    pairs = [pair.split(",") for pair in text.split(";") if pair.strip()]
    return points_of(pairs, least)[:, ::-1]  # CVAT says (column, row)


def _box(shape: Element, size: Size) -> Patch:
    left, top, right, bottom = numbers_of(shape, "xtl", "ytl", "xbr", "ybr")
    corners = points_of([(top, left), (top, right), (bottom, right), (bottom, left)])
    middle = np.array([(top + bottom) / 2, (left + right) / 2])
    down, across = (corners - middle).T
    sine, cosine = _turn(shape)
    turned = np.stack([down * cosine + across * sine, across * cosine - down * sine], 1)
    return polygon([middle + turned], size)


def _turn(shape: Element) -> tuple[float, float]:
    """Sine and cosine of a clockwise rotation; exact where there is none."""
    angle = numbers_of(shape, "rotation")[0] if "rotation" in shape.attrib else 0.0
    return float(np.sin(np.deg2rad(angle))), float(np.cos(np.deg2rad(angle)))


def _ellipse(shape: Element, size: Size) -> Patch:
    column, row, across, down = numbers_of(shape, "cx", "cy", "rx", "ry")
    angle = numbers_of(shape, "rotation")[0] if "rotation" in shape.attrib else 0.0
    return ellipse((row, column), (down, across), size, angle)


def _mask(shape: Element, size: Size) -> Patch:
    left, top, width, height = (int(n) for n in numbers_of(shape, "left", "top", "width", "height"))
    counts = shape.get("rle", "").split(",")
    if min(width, height) < 1 or width * height > size[0] * size[1]:
        raise DataError(f"a mask of {height} x {width} pixels (height x width)")
    return bitmap(run_lengths(counts, (height, width), by_columns=False), (top, left), size)


_DRAW: dict[str, Callable[[Element, Size], Patch]] = {
    "polygon": lambda shape, size: polygon([_points(shape, 3)], size),
    "polyline": lambda shape, size: line(_points(shape, 2), LINE_WIDTH, size),
    "points": lambda shape, size: dots(_points(shape, 1), POINT_RADIUS, size),
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}

"""Paint regions of Label Studio; points and sizes are percent of the photo's width and height."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fullconv.data.discovery.files import quoted
from fullconv.data.formats._annotations import label_of, locate_errors
from fullconv.data.formats.labelstudio.tasks import Region
from fullconv.data.labels import rasterize
from fullconv.data.labels.brush_rle import decode_brush
from fullconv.data.labels.patches import Patch, Size
from fullconv.data.labels.rasterize import Layer, parse_points
from fullconv.errors import DataError

REMEDY = "correct it in Label Studio and export again"


def layer_of(region: Region, order: int, classes: Sequence[str], size: Size) -> Layer:
    """Return a region, painted on `size` (height, width) pixels.

    Args:
        region: of an annotation.
        order: its place among the regions: later ones are on top, as annotators see them.
        classes: class names.
        size: of the photo.

    Raises:
        DataError: it cannot be painted, has no label, or one that is not declared.
    """
    if not region.label:
        raise DataError(
            "a region without a label", remedy="give it one in Label Studio", where=region.where
        )
    label = label_of(region.label, classes, region.where, "declare it, or " + REMEDY)
    place = f"{region.where} ({region.label!r})"
    with locate_errors(place, REMEDY):
        if region.turned:
            raise DataError(
                "drawn on a rotated photo", expected="photos as they are, without rotation"
            )
        return Layer(_patch(region.value, size), label, order, place)


def _patch(value: Mapping[str, Any], size: Size) -> Patch:
    if "rle" in value:
        return Patch(0, 0, decode_brush(value["rle"], size))
    if "points" in value:
        points = parse_points(value["points"], least=3)[:, ::-1]
        return rasterize.polygon([points * size / 100], size)
    if "radiusX" in value:
        column, row, across, down = _numbers(value, "x", "y", "radiusX", "radiusY")
        height, width = size
        return rasterize.ellipse(
            (row * height / 100, column * width / 100),
            (down * height / 100, across * width / 100),
            size,
            _turn(value),
        )
    if "width" in value and "height" in value:
        return _rectangle(value, size)
    raise DataError(
        f"a region with the fields {', '.join(sorted(value))[:100]}",
        expected="a brush mask, a polygon, a rectangle or an ellipse",
    )


def _rectangle(value: Mapping[str, Any], size: Size) -> Patch:
    """Paint a rectangle, which is rotated around its upper left corner."""
    left, top, width, height = _numbers(value, "x", "y", "width", "height")
    scale = np.array(size) / 100
    corner, extent = np.array([top, left]) * scale, np.array([height, width]) * scale
    corners = np.array([(0, 0), (0, 1), (1, 1), (1, 0)]) * extent
    down, across = corners.T
    sine, cosine = np.sin(np.deg2rad(_turn(value))), np.cos(np.deg2rad(_turn(value)))
    turned = np.stack([down * cosine + across * sine, across * cosine - down * sine], 1)
    return rasterize.polygon([corner + turned], size)


def _turn(value: Mapping[str, Any]) -> float:
    """Return the clockwise rotation of a region, in degrees."""
    return _numbers(value, "rotation")[0] if value.get("rotation") is not None else 0.0


def _numbers(value: Mapping[str, Any], *names: str) -> list[float]:
    numbers = [value.get(name) for name in names]
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise DataError(f"{', '.join(map(repr, names))} should be numbers, not {quoted(numbers)}")
    found = [float(number) for number in numbers if number is not None]
    if not np.isfinite(found).all():
        raise DataError(f"{', '.join(names)} should be finite numbers")
    return found

"""Rasterize polygons, ellipses, lines and bitmaps to labels, in a fixed order.

Coordinates are (row, column) in pixels from the top left corner; pixel (i, j) is the square from
(i, j) to (i + 1, j + 1), and belongs to the shape that contains its center. A center on an edge
belongs to the shape whose upper or left edge it is, so adjacent shapes neither overlap nor leave
gaps. Shapes are clipped to the raster; `Patch.extent` tells where they were drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from fullconv.data.labels.patches import Patch, Size, cropped, drawn_at, fill_outlines, union
from fullconv.errors import DataError

Point = tuple[float, float]
Points = Float64[np.ndarray, "N 2"]

MAX_COORDINATE = 1e7  # pixels; larger coordinates are errors, and inexact
_CHUNK = 2**20  # pixels of discs that are computed at a time


@dataclass(frozen=True)
class Layer:
    """A shape with its class.

    Attributes:
        patch: the pixels of the shape.
        label: class of the pixels, or 255.
        order: shapes of higher order are drawn on top.
        where: the shape in its annotation, for messages.
    """

    patch: Patch
    label: int
    order: int = 0
    where: str = ""


@dataclass(frozen=True)
class Rasterized:
    """Rasterized labels.

    Attributes:
        labels: class of the topmost shape at each pixel.
        hidden: (class below, class above) -> pixels where one class hides the other.
    """

    labels: UInt8[np.ndarray, "H W"]
    hidden: Mapping[tuple[int, int], int]


def paint(layers: Sequence[Layer], size: Size, ground: int = 0) -> Rasterized:
    """Draw shapes over one another: by `order`, then large before small, then in file order.

    Small objects stay visible on large ones, regardless of the order in which they were annotated.

    Args:
        layers: the shapes, in the order of the file.
        size: (height, width) of the raster.
        ground: label of pixels outside all shapes.
    """
    labels = np.full(size, ground, np.uint8)
    taken = np.zeros(size, np.bool_)
    hidden: dict[tuple[int, int], int] = {}
    for layer in sorted(layers, key=lambda layer: (layer.order, -layer.patch.area)):
        mask, below = layer.patch.mask, layer.patch.of(labels)
        covered = below[mask & layer.patch.of(taken)]
        counts = np.bincount(covered[covered != layer.label])
        for label in np.flatnonzero(counts).tolist():
            pair = (label, layer.label)
            hidden[pair] = hidden.get(pair, 0) + int(counts[label])
        np.copyto(below, layer.label, where=mask)
        layer.patch.of(taken)[...] |= mask
    return Rasterized(labels, hidden)


def parse_points(values: object, least: int = 1) -> Points:
    """Return a list of (row, column) points as an array.

    Args:
        values: nested sequence of numbers.
        least: minimum number of points.

    Raises:
        DataError: too few points, a point without two numbers, or a number that is not finite.
    """
    try:
        points = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError("points that are not pairs of numbers") from error
    if points.size and (points.ndim != 2 or points.shape[1] != 2):
        raise DataError("points that are not pairs of numbers")
    if len(points) < least:
        noun = "point" if len(points) == 1 else "points"
        raise DataError(f"{len(points)} {noun} where {least} or more are needed")
    if not (np.abs(points) <= MAX_COORDINATE).all():  # False for nan, too
        worst = points[~(np.abs(points) <= MAX_COORDINATE)][0]
        raise DataError(f"the coordinate {worst}, which is far outside any image")
    return points


def polygon(rings: Sequence[Points], size: Size) -> Patch:
    """Rasterize a polygon with holes by the even-odd rule.

    Args:
        rings: closed lines of at least three corners, without repeating the first.
        size: (height, width) of the raster.

    Raises:
        DataError: a ring is invalid.
    """
    corners = [parse_points(ring, least=3) for ring in rings]
    edges = np.concatenate([np.stack([ring, np.roll(ring, -1, 0)], 1) for ring in corners])
    return drawn_at(fill_outlines(edges, size), np.concatenate(corners))


def rectangle(one: Point, other: Point, size: Size) -> Patch:
    """Rasterize an axis-aligned rectangle, given two opposite corners."""
    (top, left), (bottom, right) = one, other
    corners = parse_points([(top, left), (top, right), (bottom, right), (bottom, left)])
    return polygon([corners], size)


def ellipse(centre: Point, radii: Point, size: Size, turn: float = 0.0) -> Patch:
    """Rasterize an ellipse.

    Args:
        centre: (row, column) of its center.
        radii: along rows and along columns before rotation, in pixels.
        size: (height, width) of the raster.
        turn: clockwise rotation, in degrees.

    Raises:
        DataError: a radius is not positive.
    """
    parse_points([centre, radii])
    if min(radii) <= 0 or not np.isfinite(turn):
        raise DataError(
            f"radii of {radii[1]:g} and {radii[0]:g} pixels",
            expected="more than 0",
        )
    (top, bottom), (left, right) = (
        np.array([middle - max(radii), middle + max(radii) + 1]).clip(0, most).astype(int).tolist()
        for middle, most in zip(centre, size, strict=True)
    )
    down = np.arange(top, bottom)[:, None] + 0.5 - centre[0]
    across = np.arange(left, right)[None] + 0.5 - centre[1]
    sine, cosine = np.sin(np.deg2rad(turn)), np.cos(np.deg2rad(turn))
    along_rows = (down * cosine - across * sine) / radii[0]
    along_columns = (across * cosine + down * sine) / radii[1]
    patch = Patch(top, left, along_rows**2 + along_columns**2 <= 1)
    inside = all(0 <= middle <= most for middle, most in zip(centre, size, strict=True))
    # Half of an ellipse around a point of the raster may lie outside.
    reach = 0.0 if inside else max(radii)
    return drawn_at(patch, np.add([centre, centre], [[-reach], [reach]]))


def line(points: Points, width: float, size: Size) -> Patch:
    """Rasterize a polyline with flat ends and round joints; a single point becomes a disc."""
    points = parse_points(points)
    steps = np.diff(points, axis=0)
    length = np.hypot(steps[:, 0], steps[:, 1])
    starts, ends, steps = (part[length > 0] for part in (points[:-1], points[1:], steps))
    aside = steps[:, ::-1] * [1, -1] * (width / 2 / length[length > 0, None])
    bars = np.stack([starts - aside, starts + aside, ends + aside, ends - aside], 1)
    joints = ends[:-1] if len(bars) else points[:1]
    edges = np.stack([bars, np.roll(bars, -1, 1)], 2).reshape(-1, 2, 2)
    parts = [fill_outlines(edges, size, even_odd=False), dots(joints, width / 2, size)]
    return drawn_at(union(parts), points)


def dots(points: Points, radius: float, size: Size) -> Patch:
    """Rasterize a disc at each point."""
    drawn = parse_points(points, least=0)
    near = np.logical_and(drawn > -radius - 1, drawn < np.array(size) + radius + 1).all(axis=1)
    points = drawn[np.flatnonzero(near)]
    side = int(np.ceil(2 * radius)) + 2
    mask = np.zeros(size, np.bool_)
    step = max(1, _CHUNK // side**2)
    for first in range(0, len(points), step):
        centers = points[first : first + step]
        corners = np.floor(centers - radius).astype(np.int64)
        rows, columns = (corners[:, axis, None] + np.arange(side) for axis in (0, 1))
        down = ((rows + 0.5 - centers[:, :1]) / radius) ** 2
        across = ((columns + 0.5 - centers[:, 1:]) / radius) ** 2
        covered = down[:, :, None] + across[:, None] <= 1
        covered &= ((rows >= 0) & (rows < size[0]))[:, :, None]
        covered &= ((columns >= 0) & (columns < size[1]))[:, None]
        disc, row, column = np.nonzero(covered)
        mask[rows[disc, row], columns[disc, column]] = True
    return drawn_at(cropped(mask), drawn)


def bitmap(mask: Bool[np.ndarray, "h w"], corner: tuple[int, int], size: Size) -> Patch:
    """Place a mask with its upper left pixel at `corner` of the raster."""
    top, left = (min(max(start, 0), side) for start, side in zip(corner, size, strict=True))
    rows, columns = (
        slice(top - corner[0], size[0] - corner[0]),
        slice(left - corner[1], size[1] - corner[1]),
    )
    ends = np.array([corner, (corner[0] + mask.shape[0], corner[1] + mask.shape[1])], np.float64)
    return drawn_at(Patch(top, left, mask[rows, columns]), ends)

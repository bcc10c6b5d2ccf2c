"""Shapes -> labels: polygons, ellipses, lines, bitmaps and run lengths, painted in a fixed order.

The pixel rule: coordinates are (row, column) in pixels from the top left corner, pixel (i, j) is
the square from (i, j) to (i + 1, j + 1), and it belongs to the shape that holds its centre. A
centre on an edge belongs to the shape whose upper or left edge that is: shapes side by side share
no pixel and leave none out. What lies outside the raster is cut off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from fullconv.errors import DataError

Point = tuple[float, float]
Size = tuple[int, int]
Points = Float64[np.ndarray, "N 2"]

FARTHEST = 1e7  # pixels; beyond it a coordinate is a mistake and its arithmetic inexact


@dataclass(frozen=True)
class Patch:
    """The pixels of one shape: a box of the raster, and which of its pixels belong to the shape.

    Attributes:
        top: first row of the box.
        left: first column of the box.
        mask: the pixels of the box.
    """

    top: int
    left: int
    mask: Bool[np.ndarray, "h w"]

    @property
    def area(self) -> int:
        """Pixels of the shape."""
        return int(np.count_nonzero(self.mask))

    def of(self, raster: np.ndarray) -> np.ndarray:
        """The box of a raster, as a view."""
        height, width = self.mask.shape
        return raster[self.top : self.top + height, self.left : self.left + width]


@dataclass(frozen=True)
class Layer:
    """One shape of a picture.

    Attributes:
        patch: its pixels.
        label: the class that they get, or 255.
        order: what is painted later, and so on top, has the higher number.
    """

    patch: Patch
    label: int
    order: int = 0


@dataclass(frozen=True)
class Painted:
    """Labels, and what is under them.

    Attributes:
        labels: the class that was painted last at each pixel.
        hidden: (class below, class above) -> pixels where the one was painted over by the other.
    """

    labels: UInt8[np.ndarray, "H W"]
    hidden: Mapping[tuple[int, int], int]


def paint(layers: Sequence[Layer], size: Size, ground: int = 0) -> Painted:
    """Paint shapes over one another: by `order`, then large before small, then as they come.

    A small thing stays visible on a large one, whatever the order in which they were drawn.

    Args:
        layers: the shapes, as they come in the file.
        size: height and width of the raster.
        ground: the label of pixels in no shape.
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
    return Painted(labels, hidden)


def points_of(values: object, least: int = 1) -> Points:
    """A list of (row, column) points as an array.

    Args:
        values: any nested sequence of numbers.
        least: how many points the shape needs.

    Raises:
        DataError: fewer points, a point without two numbers, or a number that is not finite.
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
    if not (np.abs(points) <= FARTHEST).all():  # False for nan, too
        worst = points[~(np.abs(points) <= FARTHEST)][0]
        raise DataError(f"the coordinate {worst}, which is no place near a picture")
    return points


def polygon(rings: Sequence[Points], size: Size) -> Patch:
    """A polygon; where rings overlap an even number of times there is a hole (even-odd rule).

    Args:
        rings: each a closed line of three corners or more, without the first one repeated.
        size: height and width of the raster.

    Raises:
        DataError: a ring that is none.
    """
    corners = [points_of(ring, least=3) for ring in rings]
    edges = np.concatenate([np.stack([ring, np.roll(ring, -1, 0)], 1) for ring in corners])
    # Always from above to below, so that two polygons cut a common edge at the same numbers.
    upward = edges[:, 0, 0] > edges[:, 1, 0]
    edges[upward] = edges[upward][:, ::-1]
    rows = np.ceil(edges[:, :, 0] - 0.5).clip(0, size[0]).astype(np.int64)
    crossing = rows[:, 0] < rows[:, 1]
    return _filled(*_crossings(edges[crossing], rows[crossing], size[1]))


def rectangle(one: Point, other: Point, size: Size) -> Patch:
    """An upright rectangle, by two opposite corners."""
    (top, left), (bottom, right) = one, other
    corners = points_of([(top, left), (top, right), (bottom, right), (bottom, left)])
    return polygon([corners], size)


def ellipse(centre: Point, radii: Point, size: Size, turn: float = 0.0) -> Patch:
    """An ellipse, or a disc.

    Args:
        centre: its middle.
        radii: along the rows and along the columns before it is turned, in pixels.
        size: height and width of the raster.
        turn: clockwise, in degrees.

    Raises:
        DataError: a radius that is not above 0.
    """
    points_of([centre, radii])
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
    return Patch(top, left, along_rows**2 + along_columns**2 <= 1)


def line(points: Points, width: float, size: Size) -> Patch:
    """A bent line `width` pixels wide, with flat ends and round joints; one point is a dot."""
    points = points_of(points)
    steps = np.diff(points, axis=0)
    length = np.hypot(steps[:, 0], steps[:, 1])
    starts, ends, steps = (part[length > 0] for part in (points[:-1], points[1:], steps))
    aside = steps[:, ::-1] * [1, -1] * (width / 2 / length[length > 0, None])
    bars = np.stack([starts - aside, starts + aside, ends + aside, ends - aside], 1)
    joints = ends[:-1] if len(bars) else points[:1]
    return union([*(polygon([bar], size) for bar in bars), dots(joints, width / 2, size)])


def dots(points: Points, radius: float, size: Size) -> Patch:
    """A disc at each of the points."""
    radii = (radius, radius)
    return union([ellipse((row, column), radii, size) for row, column in points.tolist()])


def bitmap(mask: Bool[np.ndarray, "h w"], corner: tuple[int, int], size: Size) -> Patch:
    """A mask whose upper left pixel lies at `corner` of the raster."""
    top, left = (min(max(place, 0), most) for place, most in zip(corner, size, strict=True))
    rows, columns = (
        slice(top - corner[0], size[0] - corner[0]),
        slice(left - corner[1], size[1] - corner[1]),
    )
    return Patch(top, left, mask[rows, columns])


def run_lengths(counts: object, size: Size, by_columns: bool) -> Bool[np.ndarray, "H W"]:
    """The mask of alternating runs of pixels: outside, inside, outside, ...

    Args:
        counts: lengths of the runs, in pixels.
        size: height and width of the mask.
        by_columns: whether the runs go down the columns (COCO) or along the rows (CVAT).

    Raises:
        DataError: lengths that are no whole numbers, or do not fill the mask.
    """
    try:
        runs = np.asarray(counts, np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError("run lengths that are not whole numbers") from error
    total, pixels = (int(runs.sum()) if runs.ndim == 1 else -1), size[0] * size[1]
    if total != pixels or (runs < 0).any():
        raise DataError(
            f"run lengths that add up to {total:,} pixels where {size[0]} x {size[1]} (height x "
            f"width) are {pixels:,}"
        )
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(size, order="F" if by_columns else "C")


def union(patches: Sequence[Patch]) -> Patch:
    """All pixels of several patches."""
    full = [patch for patch in patches if patch.mask.size]
    if not full:
        return Patch(0, 0, np.zeros((0, 0), np.bool_))
    top, left = min(patch.top for patch in full), min(patch.left for patch in full)
    bottom = max(patch.top + patch.mask.shape[0] for patch in full)
    right = max(patch.left + patch.mask.shape[1] for patch in full)
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for patch in full:
        Patch(patch.top - top, patch.left - left, patch.mask).of(mask)[...] |= patch.mask
    return Patch(top, left, mask)


def _crossings(
    edges: Float64[np.ndarray, "E 2 2"], rows: Int64[np.ndarray, "E 2"], width: int
) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
    """Where edges cross the middles of pixel rows: the row, and the first pixel to the right."""
    counts = rows[:, 1] - rows[:, 0]
    edge = np.repeat(np.arange(len(edges)), counts)
    row = np.arange(len(edge)) - np.repeat(counts.cumsum() - counts, counts) + rows[edge, 0]
    (top, left), (bottom, right) = edges[edge].transpose(1, 2, 0)
    column = left + (row + 0.5 - top) / (bottom - top) * (right - left)
    return row, np.ceil(column - 0.5).clip(0, width).astype(np.int64)


def _filled(row: Int64[np.ndarray, " N"], column: Int64[np.ndarray, " N"]) -> Patch:
    """The pixels that have an odd number of crossings on their left."""
    if not len(row) or column.min() == column.max():
        return Patch(0, 0, np.zeros((0, 0), np.bool_))
    top, left = int(row.min()), int(column.min())
    height, width = int(row.max()) - top + 1, int(column.max()) - left
    places = np.sort((row - top) * width + column - left)
    runs = np.diff(places, prepend=0, append=height * width)
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return Patch(top, left, inside.reshape(height, width))

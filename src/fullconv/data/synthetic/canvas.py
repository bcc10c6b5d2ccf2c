"""Antialiased drawing of shapes on a canvas, with labels.

Coordinates are (row, column) in pixels from the top left corner: pixel (i, j) is the square from
(i, j) to (i + 1, j + 1). Arrays are computed with + - * / and square roots only, which all
processors round alike, so images are identical on every machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, UInt8

Point = tuple[float, float]
Size = tuple[int, int]
Box = tuple[slice, slice]
Grid = tuple[Float32[np.ndarray, "h 1"], Float32[np.ndarray, "1 w"]]
Paint = tuple[float, float, float] | Float32[np.ndarray, "h w 3"]

HALF, ZERO, ONE = np.float32(0.5), np.float32(0), np.float32(1)
NOWHERE = (0.0, 0.0, -1.0)  # side of a polygon that is a single point


@dataclass(frozen=True)
class Stroke:
    """The pixels that a shape covers.

    Attributes:
        rows: rows of the bounding box.
        columns: columns of the bounding box.
        cover: covered share of each pixel of the box, in [0, 1].
    """

    rows: slice
    columns: slice
    cover: Float32[np.ndarray, "h w"]

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """The pixels of the box that are covered by more than half."""
        return self.cover > HALF


@dataclass(frozen=True)
class Canvas:
    """An image with its labels.

    Attributes:
        image: RGB in [0, 1].
        labels: class that was painted last at each pixel.
    """

    image: Float32[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "H W"]

    @property
    def size(self) -> Size:
        """Height and width, in pixels."""
        return self.labels.shape[0], self.labels.shape[1]

    def paint(self, stroke: Stroke, color: Paint, label: int) -> None:
        """Paint a shape in an opaque colour, and set its class."""
        if not stroke.cover.size:
            return
        self._blend(stroke, stroke.cover, color)
        np.copyto(self.labels[stroke.rows, stroke.columns], label, where=stroke.mask)

    def tint(self, stroke: Stroke, color: Paint, strength: float, only: int | None = None) -> None:
        """Paint a shape in a transparent colour, such as a shadow; classes do not change.

        Args:
            stroke: the shape.
            color: RGB in [0, 1].
            strength: opacity, in [0, 1].
            only: class to which painting is limited; None for all.
        """
        cover = np.float32(strength) * stroke.cover
        if only is not None:
            cover = cover * (self.labels[stroke.rows, stroke.columns] == only)
        self._blend(stroke, cover, color)

    def _blend(self, stroke: Stroke, cover: Float32[np.ndarray, "h w"], color: Paint) -> None:
        under = self.image[stroke.rows, stroke.columns]
        under += cover[..., None] * (np.asarray(color, np.float32) - under)


def blank_canvas(size: Size) -> Canvas:
    """Return a black canvas of class 0."""
    return Canvas(np.zeros((*size, 3), np.float32), np.zeros(size, np.uint8))


def pixel_centers(stroke: Stroke) -> Grid:
    """Return rows and columns of the pixel centers of the bounding box."""
    return _grid((stroke.rows, stroke.columns))


def band(size: Size, top: int, bottom: int) -> Stroke:
    """Cover the rows from `top` up to, but not including, `bottom`."""
    cover = np.ones((bottom - top, size[1]), np.float32)
    return Stroke(slice(top, bottom), slice(0, size[1]), cover)


def rectangle(size: Size, corner: Point, opposite: Point) -> Stroke:
    """Cover an axis-aligned rectangle between two corners."""
    (top, bottom), (left, right) = (sorted(pair) for pair in zip(corner, opposite, strict=True))
    box = _box(size, (top, bottom), (left, right))
    rows, columns = _grid(box)
    inside = np.minimum(rows - top, bottom - rows), np.minimum(columns - left, right - columns)
    return _covered(box, np.minimum(*inside))


def polygon(size: Size, corners: Sequence[Point]) -> Stroke:
    """Cover a convex polygon, with its corners in either direction."""
    ends = [*corners[1:], corners[0]]
    twice = sum([a[0] * b[1] - a[1] * b[0] for a, b in zip(corners, ends, strict=True)])
    turn = 1 if twice < 0 else -1
    sides = [_side(a, b, turn) for a, b in zip(corners, ends, strict=True) if a != b]
    box = _box(size, [corner[0] for corner in corners], [corner[1] for corner in corners])
    rows, columns = _grid(box)
    across, down, offset = np.array(sides or [NOWHERE], np.float32).T[..., None, None]
    return _covered(box, (across * rows + (down * columns + offset)).min(0))


def line(size: Size, start: Point, end: Point, thickness: float) -> Stroke:
    """Cover a straight line of `thickness` pixels."""
    rise, run = end[0] - start[0], end[1] - start[1]
    half = thickness / (2 * max(math.sqrt(rise * rise + run * run), 1e-9))
    row, column = run * half, -rise * half
    ends = ((start, 1), (end, 1), (end, -1), (start, -1))
    return polygon(size, [(p[0] + side * row, p[1] + side * column) for p, side in ends])


def ellipse(size: Size, centre: Point, radii: Point) -> Stroke:
    """Cover an axis-aligned ellipse; `radii` along rows and along columns, in pixels."""
    box, away = _relative_distance(size, centre, radii)
    return _covered(box, (1 - away) * min(radii))


def glow(size: Size, centre: Point, radii: Point) -> Stroke:
    """Cover an ellipse that fades from its center to its edge."""
    box, away = _relative_distance(size, centre, radii)
    return Stroke(*box, np.maximum(1 - away, 0))


def cloud(size: Size, discs: Sequence[tuple[float, float, float]]) -> Stroke:
    """Cover the union of discs (row, column, radius)."""
    bounds = [(row + r, row - r, column + r, column - r) for row, column, r in discs]
    lower, upper, right, left = zip(*bounds, strict=True)
    box = _box(size, lower + upper, left + right)
    rows, columns = _grid(box)
    row, column, radius = np.array(discs, np.float32).T[..., None, None]
    rows, columns = rows - row, columns - column
    return _covered(box, (radius - np.sqrt(rows * rows + columns * columns)).max(0))


def noise(rng: np.random.Generator, size: Size, cell: float) -> Float32[np.ndarray, "H W"]:
    """Return smooth noise in [0, 1] with features of about `cell` pixels."""
    height, width = size
    grid = rng.random((int(height / cell) + 2, int(width / cell) + 2), dtype=np.float32)
    row, down = _steps(height, cell)
    column, across = _steps(width, cell)
    grid = grid[row] + down[:, None] * (grid[row + 1] - grid[row])
    values: Float32[np.ndarray, "H W"]
    values = grid[:, column] + across * (grid[:, column + 1] - grid[:, column])
    return values


def blur(image: Float32[np.ndarray, "H W 3"], strength: float) -> Float32[np.ndarray, "H W 3"]:
    """Mix each pixel with its eight neighbours; `strength` from 0 to 0.25."""
    middle, side = np.float32(1 - 2 * strength), np.float32(strength)
    tall = np.pad(image, ((1, 1), (0, 0), (0, 0)), "edge")
    wide = np.pad(middle * image + side * (tall[:-2] + tall[2:]), ((0, 0), (1, 1), (0, 0)), "edge")
    soft: Float32[np.ndarray, "H W 3"]
    soft = middle * wide[:, 1:-1] + side * (wide[:, :-2] + wide[:, 2:])
    return soft


def _steps(length: int, cell: float) -> tuple[np.ndarray, Float32[np.ndarray, " L"]]:
    position = np.arange(length, dtype=np.float32) / np.float32(cell)
    cells = position.astype(np.intp)
    rest = position - cells
    return cells, (rest * rest * (3 - 2 * rest)).astype(np.float32)


def _side(start: Point, end: Point, turn: int) -> tuple[float, float, float]:
    """Return (a, b, c) of the signed distance a * row + b * column + c from a line."""
    rise, run = end[0] - start[0], end[1] - start[1]
    length = turn * (math.sqrt(rise * rise + run * run) or 1)
    return run / length, -rise / length, (rise * start[1] - run * start[0]) / length


def _relative_distance(
    size: Size, centre: Point, radii: Point
) -> tuple[Box, Float32[np.ndarray, "h w"]]:
    """Return the distance of pixels from the center of an ellipse; 1 at its edge."""
    (row, column), (high, wide) = centre, radii
    box = _box(size, (row - high, row + high), (column - wide, column + wide))
    rows, columns = _grid(box)
    rows, columns = (rows - row) / high, (columns - column) / wide
    return box, np.sqrt(rows * rows + columns * columns)


def _box(size: Size, rows: Sequence[float], columns: Sequence[float]) -> Box:
    """Return the box of pixels that a shape within these rows and columns can touch."""
    height, width = size
    top, bottom = int(min(rows)) - 1, int(max(rows)) + 2
    left, right = int(min(columns)) - 1, int(max(columns)) + 2
    return (
        slice(min(max(top, 0), height), min(max(bottom, 0), height)),
        slice(min(max(left, 0), width), min(max(right, 0), width)),
    )


def _grid(box: Box) -> Grid:
    rows, columns = box
    return _halves(rows.stop)[rows.start :, None], _halves(columns.stop)[None, columns.start :]


@lru_cache(maxsize=8192)
def _halves(length: int) -> Float32[np.ndarray, " L"]:
    """Return the centers of a row of pixels: 0.5, 1.5, 2.5, ..."""
    centers = np.arange(length, dtype=np.float32) + HALF
    centers.flags.writeable = False
    return centers


def _covered(box: Box, depth: Float32[np.ndarray, "h w"]) -> Stroke:
    """Return the shape whose edge is where `depth`, in pixels, is 0."""
    return Stroke(*box, np.minimum(np.maximum(depth + HALF, ZERO), ONE))

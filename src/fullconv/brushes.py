"""Brushes: shapes laid over a canvas, each with the share of every pixel that it covers.

Coordinates are (row, column) in pixels from the top left corner: pixel (i, j) is the square from
(i, j) to (i + 1, j + 1). The arithmetic on arrays is + - * / and square roots, which every
processor rounds alike, so that a picture does not depend on the machine that draws it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

Point = tuple[float, float]
Size = tuple[int, int]
Paint = tuple[float, float, float] | Float32[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class Stroke:
    """What one brush covers: a box of the canvas, and how much of each of its pixels.

    Attributes:
        rows: rows of the box.
        columns: columns of the box.
        cover: share of each pixel of the box, in [0, 1].
    """

    rows: slice
    columns: slice
    cover: Float32[np.ndarray, "h w"]

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """The pixels of the box that belong to the shape: those covered by more than half."""
        return self.cover > 0.5


@dataclass(frozen=True)
class Canvas:
    """A picture in the making, and to what each of its pixels belongs.

    Attributes:
        image: RGB in [0, 1].
        labels: the class that was painted last at each pixel.
    """

    image: Float32[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "H W"]

    @property
    def size(self) -> Size:
        """Height and width, in pixels."""
        return self.labels.shape[0], self.labels.shape[1]

    def paint(self, stroke: Stroke, color: Paint, label: int) -> None:
        """Lay an opaque colour over the stroke; its pixels belong to `label` from now on."""
        self._blend(stroke, stroke.cover, color)
        self.labels[stroke.rows, stroke.columns][stroke.mask] = label

    def tint(self, stroke: Stroke, color: Paint, strength: float, only: int | None = None) -> None:
        """Lay a transparent colour over the stroke: shadow, glow. No pixel changes its class.

        Args:
            stroke: where.
            color: RGB in [0, 1].
            strength: 0 (nothing) to 1 (opaque).
            only: the one class that takes the colour; None is all of them.
        """
        cover = strength * stroke.cover
        if only is not None:
            cover = cover * (self.labels[stroke.rows, stroke.columns] == only)
        self._blend(stroke, cover, color)

    def _blend(self, stroke: Stroke, cover: Float32[np.ndarray, "h w"], color: Paint) -> None:
        under = self.image[stroke.rows, stroke.columns]
        under += cover[..., None] * (np.asarray(color, np.float32) - under)


def blank(size: Size) -> Canvas:
    """A black canvas of class 0."""
    return Canvas(np.zeros((*size, 3), np.float32), np.zeros(size, np.uint8))


def centres(stroke: Stroke) -> tuple[Float32[np.ndarray, "h 1"], Float32[np.ndarray, "1 w"]]:
    """Row and column of the pixel centres of the stroke's box."""
    rows = np.arange(stroke.rows.start, stroke.rows.stop, dtype=np.float32) + np.float32(0.5)
    columns = np.arange(stroke.columns.start, stroke.columns.stop, dtype=np.float32)
    return rows[:, None], columns[None] + np.float32(0.5)


def everything(size: Size) -> Stroke:
    """The whole canvas."""
    return Stroke(slice(0, size[0]), slice(0, size[1]), np.ones(size, np.float32))


def polygon(size: Size, corners: Sequence[Point]) -> Stroke:
    """A convex polygon.

    Args:
        size: height and width of the canvas.
        corners: in order, either way round.
    """
    points = np.array(corners, np.float64)
    along = np.roll(points, -1, 0) - points
    length = np.sqrt((along * along).sum(1))
    down, across = along[length > 0].T / length[length > 0]  # unit vectors of the sides
    start, middle = points[length > 0], points.mean(0)
    offset = across * start[:, 0] - down * start[:, 1]
    inward = np.where(across * middle[0] - down * middle[1] < offset, -1, 1)
    stroke = _box(size, *points.min(0), *points.max(0))
    rows, columns = centres(stroke)
    across, down, offset = ((inward * v).astype(np.float32) for v in (across, down, offset))
    depth = across[:, None, None] * rows - down[:, None, None] * columns - offset[:, None, None]
    return _covered(stroke, depth.min(0, initial=np.inf))


def line(size: Size, start: Point, end: Point, thickness: float) -> Stroke:
    """A straight bar of `thickness` pixels from one point to another."""
    rise, run = end[0] - start[0], end[1] - start[1]
    half = thickness / (2 * max(math.sqrt(rise * rise + run * run), 1e-9))
    row, column = run * half, -rise * half
    ends = ((start, 1), (end, 1), (end, -1), (start, -1))
    return polygon(size, [(p[0] + side * row, p[1] + side * column) for p, side in ends])


def ellipse(size: Size, centre: Point, radii: Point) -> Stroke:
    """An upright ellipse; `radii` along rows and along columns, in pixels."""
    stroke = _box(
        size, centre[0] - radii[0], centre[1] - radii[1], centre[0] + radii[0], centre[1] + radii[1]
    )
    rows, columns = centres(stroke)
    rows, columns = (rows - centre[0]) / radii[0], (columns - centre[1]) / radii[1]
    return _covered(stroke, (1 - np.sqrt(rows * rows + columns * columns)) * min(radii))


def cloud(size: Size, discs: Sequence[tuple[float, float, float]]) -> Stroke:
    """The union of discs, each a row, a column and a radius."""
    shape = np.array(discs, np.float32)
    row, column, radius = shape[:, :1, None], shape[:, 1:2, None], shape[:, 2:, None]
    low, high = (shape[:, :2] - shape[:, 2:]).min(0), (shape[:, :2] + shape[:, 2:]).max(0)
    stroke = _box(size, *low, *high)
    rows, columns = centres(stroke)
    rows, columns = rows - row, columns - column
    return _covered(stroke, (radius - np.sqrt(rows * rows + columns * columns)).max(0))


def noise(rng: np.random.Generator, size: Size, cell: float) -> Float32[np.ndarray, "H W"]:
    """Smooth random values in [0, 1], with bumps about `cell` pixels wide."""
    height, width = size
    grid = rng.random((int(height / cell) + 2, int(width / cell) + 2), dtype=np.float32)
    row, down = _steps(height, cell)
    column, across = _steps(width, cell)
    grid = grid[row] + down[:, None] * (grid[row + 1] - grid[row])
    values: Float32[np.ndarray, "H W"]
    values = grid[:, column] + across * (grid[:, column + 1] - grid[:, column])
    return values


def soften(image: Float32[np.ndarray, "H W 3"], strength: float) -> Float32[np.ndarray, "H W 3"]:
    """The image mixed with its eight neighbours, as by a lens: `strength` from 0 to 0.25."""
    middle = np.float32(1 - 2 * strength)
    edge = np.pad(image, ((1, 1), (0, 0), (0, 0)), "edge")
    image = middle * image + np.float32(strength) * (edge[:-2] + edge[2:])
    edge = np.pad(image, ((0, 0), (1, 1), (0, 0)), "edge")
    return middle * image + np.float32(strength) * (edge[:, :-2] + edge[:, 2:])


def _steps(length: int, cell: float) -> tuple[np.ndarray, Float32[np.ndarray, " L"]]:
    place = np.arange(length, dtype=np.float32) / np.float32(cell)
    whole = place.astype(np.intp)
    rest = place - whole
    return whole, (rest * rest * (3 - 2 * rest)).astype(np.float32)


def _box(size: Size, top: float, left: float, bottom: float, right: float) -> Stroke:
    """The pixels that these bounds can touch, not yet covered."""
    rows = slice(*(min(max(v, 0), size[0]) for v in (int(top) - 1, int(bottom) + 2)))
    columns = slice(*(min(max(v, 0), size[1]) for v in (int(left) - 1, int(right) + 2)))
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    return Stroke(rows, columns, np.zeros(shape, np.float32))


def _covered(stroke: Stroke, depth: np.ndarray) -> Stroke:
    """The stroke whose edge lies where `depth`, in pixels, is 0."""
    cover = np.minimum(np.maximum(depth + np.float32(0.5), 0), 1).astype(np.float32)
    return Stroke(stroke.rows, stroke.columns, cover)

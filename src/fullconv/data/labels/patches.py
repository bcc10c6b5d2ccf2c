"""The pixels of a shape: fill outlines row by row, in bounded memory, and unite shapes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from fullconv.errors import DataError

Size = tuple[int, int]

MAX_CROSSINGS = 50_000_000  # of the outline of one shape with the rows of its image
_CHUNK = 2**20  # crossings that are computed at a time


class Extent(NamedTuple):
    """Where a shape was drawn, in pixels, also outside of the raster that it is clipped to."""

    top: float
    left: float
    bottom: float
    right: float

    def around(self, other: "Extent") -> "Extent":
        """Return the smallest extent that contains both."""
        least = (min(self.top, other.top), min(self.left, other.left))
        return Extent(*least, max(self.bottom, other.bottom), max(self.right, other.right))


@dataclass(frozen=True)
class Patch:
    """The pixels of a shape, as a mask within its bounding box.

    Attributes:
        top: first row of the box.
        left: first column of the box.
        mask: which pixels of the box belong to the shape.
        extent: where the shape was drawn; None if it is a mask of the whole raster.
    """

    top: int
    left: int
    mask: Bool[np.ndarray, "h w"]
    extent: Extent | None = None

    @property
    def area(self) -> int:
        """Number of pixels of the shape."""
        return int(np.count_nonzero(self.mask))

    def of(self, raster: np.ndarray) -> np.ndarray:
        """Return the view of a raster within the box."""
        height, width = self.mask.shape
        return raster[self.top : self.top + height, self.left : self.left + width]


def union(patches: Iterable[Patch]) -> Patch:
    """Return the union of several patches; of an iterator, only one is in memory at a time."""
    top, left, mask = 0, 0, np.zeros((0, 0), np.bool_)
    extent: Extent | None = None
    for patch in patches:
        if patch.extent:
            extent = extent.around(patch.extent) if extent else patch.extent
        if not patch.mask.size:
            continue
        if not mask.size:
            top, left, mask = patch.top, patch.left, patch.mask.copy()
            continue
        up, aside = min(top, patch.top), min(left, patch.left)
        bottom = max(top + mask.shape[0], patch.top + patch.mask.shape[0])
        right = max(left + mask.shape[1], patch.left + patch.mask.shape[1])
        if (bottom - up, right - aside) != mask.shape:
            larger = np.zeros((bottom - up, right - aside), np.bool_)
            Patch(top - up, left - aside, mask).of(larger)[...] = mask
            top, left, mask = up, aside, larger
        Patch(patch.top - top, patch.left - left, patch.mask).of(mask)[...] |= patch.mask
    return Patch(top, left, mask, extent)


def drawn_at(patch: Patch, points: Float64[np.ndarray, "N 2"]) -> Patch:
    """Return a patch whose extent is the bounding box of points (row, column)."""
    if not len(points):
        return patch
    return replace(patch, extent=Extent(*points.min(0).tolist(), *points.max(0).tolist()))


def fill_outlines(edges: Float64[np.ndarray, "E 2 2"], size: Size, even_odd: bool = True) -> Patch:
    """Return the pixels within outlines that are given as directed edges.

    Args:
        edges: first and last point of each edge.
        size: (height, width) of the raster.
        even_odd: whether a pixel is inside if it is within an odd number of outlines; else if it
            is within any of them, all of which turn the same way.

    Raises:
        DataError: the outlines cross the rows more than `MAX_CROSSINGS` times.
    """
    # Edges run downwards, so two polygons compute the same numbers for a common edge.
    upward = edges[:, 0, 0] > edges[:, 1, 0]
    edges = np.where(upward[:, None, None], edges[:, ::-1], edges)
    rows = np.ceil(edges[:, :, 0] - 0.5).clip(0, size[0]).astype(np.int64)
    crossing = rows[:, 0] < rows[:, 1]
    edges, rows, upward = edges[crossing], rows[crossing], upward[crossing]
    ends = (rows[:, 1] - rows[:, 0]).cumsum()
    if not len(ends):
        return Patch(0, 0, np.zeros((0, 0), np.bool_))
    if ends[-1] > MAX_CROSSINGS:
        raise DataError(
            f"an outline that crosses the rows of its image {ends[-1]:,} times",
            expected=f"at most {MAX_CROSSINGS:,}",
            remedy="simplify it",
        )
    if ends[-1] <= _CHUNK and even_odd:
        return _fill_crossings(*_crossings(edges, rows, size[1]))
    top, height = int(rows.min()), int(rows.max() - rows.min())
    # Counted by row and column; a parity survives the overflow of 8 bits.
    crossed = np.zeros((height, size[1] + 1), np.uint8 if even_odd else np.int32)
    starts = np.searchsorted(ends, np.arange(0, ends[-1], _CHUNK), "left")
    for first, last in pairwise([*dict.fromkeys(starts.tolist()), len(ends)]):
        row, column = _crossings(edges[first:last], rows[first:last], size[1])
        signs = np.repeat(np.where(upward[first:last], -1, 1), np.diff(rows[first:last])[:, 0])
        ones = np.uint8(1) if even_odd else signs.astype(np.int32)
        np.add.at(crossed, (row - top, column), ones)
    if even_odd:
        inside = np.bitwise_xor.accumulate(crossed & 1, axis=1, out=crossed) != 0
    else:
        inside = np.cumsum(crossed, axis=1, out=crossed) != 0
    return cropped(inside[:, : size[1]], top)


def cropped(mask: Bool[np.ndarray, "h w"], top: int = 0) -> Patch:
    """Return the patch of a mask whose first row is `top`, without its empty margins."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return Patch(0, 0, np.zeros((0, 0), np.bool_))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Patch(top + int(rows[0]), int(columns[0]), part)


def _crossings(
    edges: Float64[np.ndarray, "E 2 2"], rows: Int64[np.ndarray, "E 2"], width: int
) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
    """Return where edges cross the centers of rows: row, and first pixel to the right."""
    counts = rows[:, 1] - rows[:, 0]
    edge = np.repeat(np.arange(len(edges)), counts)
    row = np.arange(len(edge)) - np.repeat(counts.cumsum() - counts, counts) + rows[edge, 0]
    (top, left), (bottom, right) = edges[edge].transpose(1, 2, 0)
    column = left + (row + 0.5 - top) / (bottom - top) * (right - left)
    return row, np.ceil(column - 0.5).clip(0, width).astype(np.int64)


def _fill_crossings(row: Int64[np.ndarray, " N"], column: Int64[np.ndarray, " N"]) -> Patch:
    """Return the pixels with an odd number of crossings to their left."""
    if not len(row) or column.min() == column.max():
        return Patch(0, 0, np.zeros((0, 0), np.bool_))
    top, left = int(row.min()), int(column.min())
    height, width = int(row.max()) - top + 1, int(column.max()) - left
    positions = np.sort((row - top) * width + column - left)
    runs = np.diff(positions, prepend=0, append=height * width)
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return Patch(top, left, inside.reshape(height, width))

"""The region of the image that each pixel of a feature map depends on, per axis."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, Field, SlidingWindow


@dataclass(frozen=True)
class AxisExtent:
    """Along one axis, pixel `i` depends on `first + stride * i` to `last + stride * i`."""

    stride: Fraction = Fraction(1)
    first: Fraction = Fraction(0)
    last: Fraction = Fraction(0)

    def through(self, window: SlidingWindow) -> "AxisExtent":
        """Return the extent after a sliding window."""
        first, end = window.reads((0, 1))
        return AxisExtent(
            self.stride * window.stride,
            self.first + first * self.stride,
            self.last + (end - 1) * self.stride,
        )

    def contains(self, other: "AxisExtent") -> bool:
        """Return whether every pixel depends on all that it depends on in `other`."""
        return self.first <= other.first and other.last <= self.last


@dataclass(frozen=True)
class PixelExtent:
    """The region of the image that the pixels of one tensor depend on.

    Attributes:
        rows: None if the tensor has no rows and columns any more, as after global pooling.
        columns: likewise.
        bounded: False if the whole image has an influence too.
        problem: why rows and columns cannot be trusted, or "".
    """

    rows: AxisExtent | None = AxisExtent()
    columns: AxisExtent | None = AxisExtent()
    bounded: bool = True
    problem: str = ""

    def field(self) -> Field:
        """Return the extent as a receptive field.

        Raises:
            GeometryError: the extent is unknown, or differs along rows and columns.
        """
        if self.problem or self.rows is None or self.rows != self.columns:
            axes = f"rows {self.rows}, columns {self.columns}"
            raise GeometryError(self.problem or f"the field differs along rows and columns: {axes}")
        extent = self.rows
        centre = (extent.first + extent.last) / 2
        size = int(extent.last - extent.first) + 1
        return Field(size, CoordMap(extent.stride, centre), self.bounded)


NO_POSITIONS = PixelExtent(None, None, bounded=False)
"""The extent of a tensor without rows and columns."""


def union(extents: Iterable[PixelExtent]) -> PixelExtent:
    """Return what the sum of several tensors depends on: the largest extent contains the others."""
    extents = list(extents)
    mapped = [extent for extent in extents if extent.rows and extent.columns]
    if not mapped:
        return next((extent for extent in extents if extent.problem), NO_POSITIONS)
    rows = _largest([extent.rows for extent in mapped if extent.rows])
    columns = _largest([extent.columns for extent in mapped if extent.columns])
    problem = next((extent.problem for extent in extents if extent.problem), "")
    if rows is None or columns is None:
        branches = "; ".join(f"{extent.rows}" for extent in mapped)
        problem = problem or f"parallel branches are not aligned: {branches}"
        rows, columns = mapped[0].rows, mapped[0].columns
    return PixelExtent(rows, columns, all(extent.bounded for extent in extents), problem)


def _largest(extents: list[AxisExtent]) -> AxisExtent | None:
    """Return the extent that contains all others, or None if there is no such one."""
    largest = max(extents, key=lambda extent: extent.last - extent.first)
    aligned = all(
        extent.stride == largest.stride and largest.contains(extent) for extent in extents
    )
    return largest if aligned else None

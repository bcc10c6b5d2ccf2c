"""A rectangle of whole pixels in an image."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A rectangle of an image, in pixels.

    Attributes:
        top: its first row.
        left: its first column.
        height: rows.
        width: columns.
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """The row behind its last one."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The column behind its last one."""
        return self.left + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """To cut it out of an array of (rows, columns, ...)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

"""A rectangle of whole pixels in an image."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A rectangle of an image, in pixels: its first row and column, and its size."""

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """The row after the last one."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The column after the last one."""
        return self.left + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Indices of the rectangle in an array (rows, columns, ...)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def ranges(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The rows and the columns, each as (first, end), as rasterio takes them."""
        return (self.top, self.bottom), (self.left, self.right)

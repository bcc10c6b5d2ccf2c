"""Windows of an image: where tiles that overlap begin, and how much each one counts."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Float


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


@dataclass(frozen=True)
class Spans:
    """How one side of an image is covered: spans of equal length, each overlapping its neighbours.

    Attributes:
        size: of the side, in pixels.
        step: from the start of a span to the next one's.
        overlap: pixels that two neighbours share; 0 where one span is all.
    """

    size: int
    step: int
    overlap: int

    @classmethod
    def covering(cls, size: int, longest: int, overlap: int, align: int = 1) -> "Spans":
        """As few spans as can be, about equally long.

        Args:
            size: of the side.
            longest: a span may be, more than twice the overlap.
            overlap: of neighbours.
            align: all starts are multiples of it; it divides `longest - overlap`.
        """
        if size <= longest:
            return cls(size, size, 0)
        count = ceil((size - overlap) / (longest - overlap))
        step = ceil((size - overlap) / count / align) * align
        return cls(size, step, overlap)

    @property
    def starts(self) -> range:
        """The first pixel of each span."""
        return range(0, max(1, self.size - self.overlap), self.step)

    def end(self, start: int) -> int:
        """The pixel behind the last one of the span that begins at `start`."""
        return min(self.size, start + self.step + self.overlap)

    def settled(self, start: int) -> int:
        """The pixel up to which no later span has a say."""
        return self.size if self.end(start) == self.size else start + self.step

    def weights(self, start: int) -> Float[np.ndarray, " pixels"]:
        """How much each pixel of a span counts, in (0, 1]: with its neighbours', one everywhere."""
        end = self.end(start)
        found = np.ones(end - start, np.float32)
        ramp = (np.arange(self.overlap, dtype=np.float32) + 0.5) / max(1, self.overlap)
        if start:
            found[: self.overlap] = ramp
        if end < self.size:
            found[-self.overlap :] = ramp[::-1]
        return found

"""What the pixels of a feature see of the image: along each side, from where to where."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, Field


@dataclass(frozen=True)
class AxisExtent:
    """Along one side of the image, pixel `i` sees `first + stride * i` to `last + stride * i`."""

    stride: Fraction = Fraction(1)
    first: Fraction = Fraction(0)
    last: Fraction = Fraction(0)

    def window(self, kernel: int, stride: int, before: int, dilation: int) -> "AxisExtent":
        """What a window of `kernel` pixels sees, the first of which lies `before` the edge."""
        return AxisExtent(
            self.stride * stride,
            self.first - before * self.stride,
            self.last + (dilation * (kernel - 1) - before) * self.stride,
        )

    def holds(self, other: "AxisExtent") -> bool:
        """Whether it sees all that `other` does."""
        return self.first <= other.first and other.last <= self.last


@dataclass(frozen=True)
class PixelExtent:
    """What the pixels of one tensor see of the image, along rows and along columns.

    Attributes:
        rows: None where the tensor has no places any more, as behind global pooling.
        columns: likewise.
        bounded: False where the whole image has an influence too.
        problem: why the rest cannot be believed; "" where it can.
    """

    rows: AxisExtent | None = AxisExtent()
    columns: AxisExtent | None = AxisExtent()
    bounded: bool = True
    problem: str = ""

    def field(self) -> Field:
        """As a receptive field.

        Raises:
            GeometryError: it has none that is the same along rows and columns.
        """
        if self.problem or self.rows is None or self.rows != self.columns:
            found = f"rows {self.rows}, columns {self.columns}"
            raise GeometryError(self.problem or f"no field alike along both sides: {found}")
        span = self.rows
        centre = (span.first + span.last) / 2
        return Field(int(span.last - span.first) + 1, CoordMap(span.stride, centre), self.bounded)


NOWHERE = PixelExtent(None, None, bounded=False)


def join(sights: Iterable[PixelExtent]) -> PixelExtent:
    """What the sum of several tensors sees; of branches, the one that sees most has the map."""
    every = list(sights)
    placed = [sight for sight in every if sight.rows and sight.columns]
    if not placed:
        return next((sight for sight in every if sight.problem), NOWHERE)
    rows = _widest([sight.rows for sight in placed if sight.rows])
    columns = _widest([sight.columns for sight in placed if sight.columns])
    problem = next((sight.problem for sight in every if sight.problem), "")
    if rows is None or columns is None:
        apart = "; ".join(f"{s.rows}" for s in placed)
        problem = problem or f"parallel branches whose pixels lie apart meet: {apart}"
        rows, columns = placed[0].rows, placed[0].columns
    return PixelExtent(rows, columns, all(sight.bounded for sight in every), problem)


def _widest(spans: list[AxisExtent]) -> AxisExtent | None:
    widest = max(spans, key=lambda span: span.last - span.first)
    alike = all(span.stride == widest.stride and widest.holds(span) for span in spans)
    return widest if alike else None

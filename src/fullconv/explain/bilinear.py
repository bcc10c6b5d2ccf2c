"""Explain bilinear interpolation: every weight and every value as an exact fraction.

Interpolation is separable, so a table is R x C^T: x is the input, and row i of R (of C) has the two
weights of new row (column) i.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from fullconv.explain.matrices import Matrix, as_matrix, multiply, size_of, texts, transpose
from fullconv.explain.operations import exact_positions
from fullconv.explain.svg import Drawing, Tone

RULES = {True: "align_corners=True", False: "align_corners=False"}


@dataclass(frozen=True)
class InterpolationAxis:
    """How the pixels along one axis are interpolated.

    Attributes:
        length: pixels of the input.
        positions: of each new pixel, in pixels of the input, before they are clamped to the
            outermost centres.
        weights: a row per new pixel, a column per pixel of the input; each row sums to 1.
    """

    length: int
    positions: tuple[Fraction, ...]
    weights: Matrix

    @property
    def step(self) -> Fraction | None:
        """The distance of new pixels, in pixels of the input; None if there is only one."""
        return next((after - before for before, after in pairwise(self.positions)), None)


@dataclass(frozen=True)
class BilinearTable:
    """The interpolation of one input by one corner rule."""

    input: Matrix
    align_corners: bool
    rows: InterpolationAxis
    columns: InterpolationAxis
    values: Matrix


def bilinear_table(x: Matrix, size: tuple[int, int], align_corners: bool) -> BilinearTable:
    """Interpolate `x` to `size` (height, width)."""
    rows, columns = (
        interpolation_axis(length, new, align_corners)
        for length, new in zip(size_of(x), size, strict=True)
    )
    values = multiply(multiply(rows.weights, x), transpose(columns.weights))
    return BilinearTable(x, align_corners, rows, columns, values)


def interpolation_axis(length: int, size: int, align_corners: bool) -> InterpolationAxis:
    """Return positions and weights of `size` new pixels in a row of `length`."""
    positions = exact_positions(length, size, align_corners, clamped=False)
    weights = []
    for position in exact_positions(length, size, align_corners):
        row = [Fraction(0)] * length
        low = int(position)
        share = position - low
        row[low] = 1 - share
        if share:
            row[low + 1] = share
        weights.append(row)
    return InterpolationAxis(length, tuple(positions), as_matrix(weights))


def bilinear_tent(factor: int) -> tuple[Fraction, ...]:
    """Return the kernel along one axis that upsamples by `factor`: 1/4 3/4 3/4 1/4 for 2.

    It has 2 * factor - factor % 2 weights, as Caffe's filler (paper, section 3.3).
    """
    size = 2 * factor - factor % 2
    return tuple(1 - abs(i - Fraction(size - 1, 2)) / ((size + 1) // 2) for i in range(size))


def bilinear_kernel_matrix(factor: int) -> Matrix:
    """Return the kernel of the transposed convolution that upsamples by `factor`."""
    tent = bilinear_tent(factor)
    return as_matrix([a * b for b in tent] for a in tent)


def draw_tables(tables: list[BilinearTable], kernel: Matrix | None, stride: int) -> str:
    """Draw where the new pixels are, the tables and the kernel of `stride` as an SVG picture."""
    sizes = [size_of(table.values) for table in tables]
    cell = max(18.0, min(40.0, 420 / max(max(size) for size in sizes)))
    span = max(180.0, min(320.0, cell * max(max(size) for size in sizes)))
    block = max(span, cell * max(height for height, _ in sizes)) + 64
    side = len(kernel) if kernel else 0
    small = max(18.0, min(40.0, 420 / max(side, 1)))
    width = 24 + span + 60 + max(cell * max(w for _, w in sizes), small * side, 260) + 24
    height = 16 + block * len(tables) + (small * side + 56 if kernel else 0)
    picture = Drawing(width, height, "Bilinear interpolation by both corner rules")
    top = 16.0
    for table in tables:
        picture.text(24, top + 16, RULES[table.align_corners], 15, style="strong")
        _draw_positions(picture, table, 24, top + 32, span)
        left = 24 + span + 60
        picture.text(left, top + 16, "interpolated values", 13, style="muted")
        picture.grid(left, top + 32, texts(table.values), cell, _originals(table))
        top += block
    if kernel:
        picture.text(24, top + 16, f"the same as a transposed convolution of stride {stride}", 15,
                     style="strong")  # fmt: skip
        tent = " ".join(map(str, bilinear_tent(stride)))
        picture.text(24, top + 42, f"along each axis: {tent}"[:60], 13, style="muted")
        picture.text(24, top + 62, "the kernel is the outer product", 13, style="muted")
        picture.grid(24 + span + 60, top + 32, texts(kernel), small, lambda i, j: "orange")
    return picture.render()


def _draw_positions(
    picture: Drawing, table: BilinearTable, x: float, y: float, span: float
) -> None:
    """Draw the input's pixels as cells, with the positions of the new pixels on them."""
    height, width = size_of(table.input)
    cell = span / max(height, width)
    picture.grid(x, y, [[""] * width] * height, cell, lambda i, j: "soft")
    for i, row in enumerate(table.input):
        for j, value in enumerate(row):
            at = x + cell * (j + 0.5), y + cell * (i + 0.5)
            picture.dot(*at, 4, "blue-edge", "blue-edge")
            picture.text(at[0] + 7, at[1] - 7, str(value), 13, style="blue-edge")
    for row_position in table.rows.positions:
        for column_position in table.columns.positions:
            at = x + cell * (float(column_position) + 0.5), y + cell * (float(row_position) + 0.5)
            picture.dot(*at, 2.5, "orange-edge", "orange-edge")


def _originals(table: BilinearTable) -> "_Tones":
    rows, columns = (
        {i for i, row in enumerate(axis.weights) if 1 in row}
        for axis in (table.rows, table.columns)
    )
    return _Tones(rows, columns)


@dataclass(frozen=True)
class _Tones:
    """Return blue for new pixels that have the value of one pixel of the input."""

    rows: set[int]
    columns: set[int]

    def __call__(self, i: int, j: int) -> Tone:
        return "blue" if i in self.rows and j in self.columns else "plain"

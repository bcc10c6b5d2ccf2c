"""Explain the transposed convolution: three views of the same numbers, as exact fractions.

Zeros are inserted and a rotated kernel is convolved; or each pixel adds a scaled kernel to the
output; or the transposed matrix of a convolution is multiplied.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fullconv.errors import ConfigError
from fullconv.explain import operations
from fullconv.explain.matrices import Matrix, exactly, integers, size_of, texts, transpose
from fullconv.explain.svg import Drawing

MAX_OUTPUT = 64  # rows and columns of the output
MAX_STAMPS = 4  # stamps that the picture shows
MAX_MATRIX = 40  # rows of a matrix that the picture shows with numbers


@dataclass(frozen=True)
class TransposedViews:
    """One transposed convolution of one channel, in three views.

    Attributes:
        input: what is upsampled.
        kernel: its weights, as PyTorch stores them.
        stride: output pixels per input pixel.
        dilated: first view: the input with inserted zeros.
        rotated: first view: the kernel rotated by 180 degrees, which is convolved with it.
        stamps: second view: what each input pixel adds, row by row; the output is their sum.
        overlaps: second view: how many stamps reach each output pixel.
        matrix: third view: of the convolution from the output's size to the input's, whose
            transpose is multiplied by the flattened input.
        outputs: the result of each view.
    """

    input: Matrix
    kernel: Matrix
    stride: int
    dilated: Matrix
    rotated: Matrix
    stamps: tuple[Matrix, ...]
    overlaps: tuple[tuple[int, ...], ...]
    matrix: Matrix
    outputs: dict[str, Matrix]

    @property
    def output(self) -> Matrix:
        """The result, which is the same in every view."""
        return self.outputs["insertion"]

    @property
    def agree(self) -> bool:
        """Whether all views give exactly the same numbers."""
        return len(set(self.outputs.values())) == 1

    @property
    def even(self) -> bool:
        """Whether inner output pixels get equally many stamps; otherwise there is a checkerboard.

        They do if the kernel's sides are multiples of the stride.
        """
        return all(side % self.stride == 0 for side in size_of(self.kernel))


def transposed_views(x: Matrix, kernel: Matrix, stride: int) -> TransposedViews:
    """Compute a transposed convolution in three views.

    Raises:
        ConfigError: the output is larger than 64 x 64, or the numbers too long to be exact.
    """
    size = [
        stride * (side - 1) + window
        for side, window in zip(size_of(x), size_of(kernel), strict=True)
    ]
    if max(size) > MAX_OUTPUT:
        raise ConfigError(
            f"the output has {size[0]} x {size[1]} pixels; expected at most {MAX_OUTPUT} x "
            f"{MAX_OUTPUT}: give a smaller input, kernel or stride"
        )
    (pixels, x_divisor), (weights, divisor) = integers(x), integers(kernel)
    image, weight = pixels[None], weights[None, None]  # (C, h, w), (C, K, p, q)
    both = x_divisor * divisor

    def scatter(values: Tensor) -> Tensor:
        return operations.transposed_by_scattering(values, weight, stride)[0]

    single = torch.eye(pixels.numel(), dtype=pixels.dtype).reshape(-1, 1, *pixels.shape)
    window = size_of(kernel)
    return TransposedViews(
        x,
        kernel,
        stride,
        exactly(operations.dilate(image, window, stride)[0], x_divisor),
        exactly(weights.flip(0, 1), divisor),
        tuple(exactly(scatter(image * one), both) for one in single),
        tuple(
            tuple(map(int, row))
            for row in operations.transposed_by_scattering(
                torch.ones_like(image), torch.ones_like(weight), stride
            )[0].tolist()
        ),
        exactly(operations.convolution_matrix(weight, (size[0], size[1]), stride), divisor),
        {
            "insertion": exactly(
                operations.transposed_by_insertion(image, weight, stride)[0], both
            ),
            "scattering": exactly(scatter(image), both),
            "matrix": exactly(operations.transposed_by_matrix(image, weight, stride)[0], both),
        },
    )


def draw_views(views: TransposedViews) -> str:
    """Draw the three views below each other as an SVG picture."""
    cell = max(16.0, min(34.0, 300 / max(*size_of(views.output), *size_of(views.dilated))))
    parts: list[_View] = [
        _Insertion(views, cell),
        _Scattering(views, cell),
        _Multiplication(views, cell),
    ]
    width = max(part.width for part in parts) + 48
    height = sum(part.height + 56 for part in parts) + 16
    picture = Drawing(width, height, "A transposed convolution in three views")
    top = 16.0
    for number, part in enumerate(parts, 1):
        picture.text(24, top + 16, f"{number}. {part.title}", 15, style="strong")
        part.draw(picture, 24, top + 32)
        top += part.height + 56
    return picture.render()


class _View(Protocol):
    """A part of the picture; `height` and `width` are those of its drawing."""

    title: str
    width: float
    height: float

    def draw(self, picture: Drawing, x: float, y: float) -> None: ...


class _Insertion:
    """The first view: zeros between the pixels, convolved with the rotated kernel."""

    title = "insert zeros, convolve with the kernel rotated by 180°"

    def __init__(self, views: TransposedViews, cell: float) -> None:
        self.views, self.cell = views, cell
        rows = [size_of(m) for m in (views.dilated, views.rotated, views.output)]
        self.width = cell * sum(columns for _, columns in rows) + 88
        self.height = cell * max(height for height, _ in rows)

    def draw(self, picture: Drawing, x: float, y: float) -> None:
        views, cell = self.views, self.cell
        high, wide = size_of(views.kernel)
        rows, columns = size_of(views.input)
        pixels = {
            (high - 1 + views.stride * i, wide - 1 + views.stride * j)
            for i in range(rows)
            for j in range(columns)
        }
        picture.grid(
            x, y, texts(views.dilated), cell, lambda i, j: "blue" if (i, j) in pixels else "soft"
        )
        picture.box(x, y, wide * cell, high * cell, "none", "orange-edge", 2.5)
        x += cell * len(views.dilated[0])
        picture.text(x + 22, y + cell, "*", 20, "middle")
        x += 44
        picture.grid(x, y, texts(views.rotated), cell, lambda i, j: "orange")
        x += cell * wide
        picture.text(x + 22, y + cell, "=", 20, "middle")
        picture.grid(x + 44, y, texts(views.output), cell, lambda i, j: "green")


class _Scattering:
    """The second view: every pixel adds a scaled kernel."""

    title = "each pixel adds its multiple of the kernel"

    def __init__(self, views: TransposedViews, cell: float) -> None:
        self.views, self.cell = views, cell * 0.8
        self.shown = views.stamps[:MAX_STAMPS]
        rows, columns = size_of(views.output)
        self.width = (self.cell * columns + 30) * (len(self.shown) + 1)
        self.height = self.cell * rows

    def draw(self, picture: Drawing, x: float, y: float) -> None:
        views, cell = self.views, self.cell
        rows, columns = size_of(views.output)
        high, wide = size_of(views.kernel)
        for number, stamp in enumerate(self.shown):
            i, j = divmod(number, len(views.input[0]))
            top, left = views.stride * i, views.stride * j
            inside = {(top + a, left + b) for a in range(high) for b in range(wide)}
            rest = [
                [str(value) if (a, b) in inside else "" for b, value in enumerate(row)]
                for a, row in enumerate(stamp)
            ]
            picture.grid(
                x, y, rest, cell,
                lambda a, b, at=inside: "orange" if (a, b) in at else "plain",  # type: ignore[misc]
            )  # fmt: skip
            x += cell * columns + 30
            more = len(views.stamps) > MAX_STAMPS and number == len(self.shown) - 1
            sign = "=" if number == len(self.shown) - 1 and not more else "+"
            picture.text(x - 15, y + cell * rows / 2 + 6, "…=" if more else sign, 18, "middle")
        several = views.overlaps
        picture.grid(
            x, y, texts(views.output), cell,
            lambda a, b: "green" if several[a][b] > 1 else "plain",
        )  # fmt: skip


class _Multiplication:
    """The third view: the transposed matrix of the convolution."""

    title = "the transposed matrix of the convolution, times the flattened input"

    def __init__(self, views: TransposedViews, cell: float) -> None:
        self.views = views
        rows, columns = size_of(transpose(views.matrix))
        self.legible = max(rows, columns) <= MAX_MATRIX
        self.cell = min(20.0, cell) if self.legible else max(4.0, 480 / max(rows, columns))
        self.width = self.cell * columns + 2 * max(self.cell, 24.0) + 88
        self.width += 48 + self.cell * rows if self.legible else 0
        self.height = self.cell * rows

    def draw(self, picture: Drawing, x: float, y: float) -> None:
        views, cell = self.views, self.cell
        matrix = transpose(views.matrix)
        shown = texts(matrix) if self.legible else [[""] * len(row) for row in matrix]
        picture.grid(x, y, shown, cell, lambda i, j: "orange" if matrix[i][j] else "plain")
        x += cell * len(matrix[0])
        picture.text(x + 22, y + 18, "x", 20, "middle")
        side = max(cell, 24.0) if self.legible else cell
        column = [[str(value)] for row in views.input for value in row]
        picture.grid(x + 44, y, column if self.legible else [[""]] * len(column), cell,
                     lambda i, j: "blue")  # fmt: skip
        x += 44 + side
        picture.text(x + 22, y + 18, "=", 20, "middle")
        result = [[str(value)] for row in views.output for value in row]
        picture.grid(x + 44, y, result if self.legible else [[""]] * len(result), cell,
                     lambda i, j: "green")  # fmt: skip
        if self.legible:
            x += 44 + cell + 48
            picture.text(x, y + 14, "the matrix of the convolution", 13, style="muted")
            picture.grid(x, y + 24, texts(views.matrix), cell,
                         lambda i, j: "orange" if matrix[j][i] else "plain")  # fmt: skip

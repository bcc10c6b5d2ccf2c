"""Explain un-pooling: max pooling remembers where each maximum was, and un-pooling puts it back."""

from dataclasses import dataclass

from fullconv.explain.matrices import Matrix, exactly, integers, size_of, texts
from fullconv.explain.operations import max_pool, unpool
from fullconv.explain.svg import Drawing, Tone


@dataclass(frozen=True)
class UnpoolingTable:
    """A max pooling and its un-pooling.

    Attributes:
        input: what is pooled.
        window: size and stride of the pooling's windows.
        pooled: the maximum of each window.
        indices: where it was, in the flattened input.
        output: the maxima at their positions, zeros elsewhere.
    """

    input: Matrix
    window: int
    pooled: Matrix
    indices: tuple[tuple[int, ...], ...]
    output: Matrix

    @property
    def kept(self) -> int:
        """The number of input pixels that keep their value."""
        return sum(len(row) for row in self.indices)


def unpooling_table(x: Matrix, window: int) -> UnpoolingTable:
    """Pool with windows of `window` x `window`, incomplete ones included, and un-pool."""
    tensor, divisor = integers(x)
    values, indices = max_pool(tensor[None], window, ceil_mode=True)
    return UnpoolingTable(
        x,
        window,
        exactly(values[0], divisor),
        tuple(tuple(map(int, row)) for row in indices[0].tolist()),
        exactly(unpool(values, indices, size_of(x))[0], divisor),
    )


def draw_unpooling(table: UnpoolingTable) -> str:
    """Draw input, maxima with their indices, and output as an SVG picture."""
    (rows, columns), (high, wide) = size_of(table.input), size_of(table.pooled)
    cell = max(20.0, min(44.0, 260 / max(rows, columns)))
    width = 48 + cell * (2 * columns + 2 * wide) + 3 * 48
    picture = Drawing(max(width, 560), cell * rows + 84, "Max pooling and un-pooling with indices")
    x, y = 24.0, 52.0
    where = {index for row in table.indices for index in row}

    def original(i: int, j: int) -> Tone:
        return "orange" if i * columns + j in where else "plain"

    picture.text(x, 28, "input", 14, style="strong")
    picture.grid(x, y, texts(table.input), cell, original)
    for top in range(0, rows, table.window):
        for left in range(0, columns, table.window):
            sides = (min(table.window, rows - top), min(table.window, columns - left))
            picture.box(x + cell * left, y + cell * top, cell * sides[1], cell * sides[0], "none",
                        "muted", 2)  # fmt: skip
    x += cell * columns
    picture.arrow(x + 8, y + cell * high / 2, x + 40, y + cell * high / 2)
    x += 48
    picture.text(x, 28, "maxima", 14, style="strong")
    picture.grid(x, y, texts(table.pooled), cell, lambda i, j: "orange")
    x += cell * wide + 24
    picture.text(x, 28, "indices", 14, style="strong")
    picture.grid(x, y, [[str(i) for i in row] for row in table.indices], cell, lambda i, j: "blue")
    x += cell * wide
    picture.arrow(x + 8, y + cell * high / 2, x + 40, y + cell * high / 2)
    x += 48
    picture.text(x, 28, "un-pooled", 14, style="strong")
    picture.grid(x, y, texts(table.output), cell, original)
    note = "an index counts the input's pixels row by row from 0"
    picture.text(24, y + cell * rows + 22, note, 12, style="muted")
    return picture.render()

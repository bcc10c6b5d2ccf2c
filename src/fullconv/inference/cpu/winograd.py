"""3 x 3 convolutions with a quarter of the multiplications (Winograd, 1980; Lavin & Gray, 2016).

A tile of m x m outputs needs m + 2 rows and columns of the input. As polynomials, kernel and tile
can be multiplied point by point where both have been evaluated at m + 1 points and infinity: for
m = 4, 36 multiplications give 16 outputs that directly need 144. The sums before and behind cost
little where there are many channels. In single precision the result is about as exact as the points
allow: with those below, its error is some three times that of the direct convolution.
"""

from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

TAPS = 3  # rows and columns of the kernel
TILE = 4  # rows and columns of outputs that are computed together
# With 1/2 and -2 instead of 2 and -2 the error is a third: numbers and their inverses balance.
POINTS = (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2))

# Bytes of the tiles that are computed together: they stay in the caches, and larger memory would be
# asked of the system anew each time. Smaller strips read the weights more often than it saves.
STRIP = 16 * 2**20

Matrix = list[list[Fraction]]


class Winograd(nn.Module):
    """A 3 x 3 convolution of stride 1, of channels_last maps, with or without ReLU.

    Args:
        weight: (out, in, 3, 3).
        bias: (out,).
        relu: whether negative outputs become zero.
    """

    def __init__(self, weight: Tensor, bias: Tensor, relu: bool) -> None:
        super().__init__()
        outputs, kernel, inputs = (
            torch.tensor(_floats(m), dtype=torch.float64) for m in matrices()
        )
        points = torch.einsum("pi,qj,oaij->pqao", kernel, kernel, weight.double())
        self.weight = points.flatten(0, 1).to(weight).contiguous()  # (36, in, out)
        self.bias, self.relu = bias, relu
        self.before = torch.kron(inputs, inputs).to(weight)  # (36, 36)
        self.behind = torch.kron(outputs, outputs).to(weight)  # (16, 36)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K h w"]:
        """The outputs whose windows lie on the map, channels_last."""
        batch, channels, *sides = x.shape
        height, width = (side - TAPS + 1 for side in sides)
        down, across = -(height // -TILE), -(width // -TILE)
        x = F.pad(x, (0, across * TILE - width, 0, down * TILE - height))  # whole tiles
        rows, wide = x.permute(0, 2, 3, 1), self.weight.shape[2]
        y = x.new_empty(batch, down * TILE, across * TILE, wide)
        row_bytes = self.weight.shape[0] * batch * across * max(channels, wide) * x.element_size()
        at_once = max(1, STRIP // row_bytes)
        for strip in (range(row, min(row + at_once, down)) for row in range(0, down, at_once)):
            first, last = strip.start * TILE, strip.stop * TILE
            z = self._of_tiles(rows[:, first : last + TAPS - 1])
            z = z.view(TILE, TILE, batch, len(strip), across, wide)
            out = y[:, first:last].view(batch, len(strip), TILE, across, TILE, wide)
            out.copy_(z.permute(2, 3, 0, 4, 1, 5))
        return y[:, :height, :width].permute(0, 3, 1, 2)

    def _of_tiles(self, rows: Tensor) -> Tensor:
        """Outputs of all tiles, (16, tiles * out), of a map (B, height, width, in)."""
        size = TILE + TAPS - 1
        tiles = rows.unfold(1, size, TILE).unfold(2, size, TILE)
        tiles = tiles.permute(4, 5, 0, 1, 2, 3).reshape(size * size, -1)
        points = (self.before @ tiles).view(size * size, -1, rows.shape[3])
        products = torch.bmm(points, self.weight)  # (36, tiles, out)
        bias = self.bias.repeat(products.shape[1])
        y = torch.addmm(bias, self.behind, products.flatten(1))
        return y.relu_() if self.relu else y


def matrices(
    points: Sequence[Fraction] = POINTS, taps: int = TAPS
) -> tuple[Matrix, Matrix, Matrix]:
    """What turns products into outputs, a kernel into its values at the points, and inputs too.

    Outputs are `A ((G kernel) * (B inputs))`, along rows and along columns (Toom and Cook).

    Args:
        points: all but infinity, which is the last; one less than a tile has inputs.
        taps: of the kernel.

    Returns:
        A (tile, points + 1), G (points + 1, taps) and B (points + 1, points + 1).
    """
    size = len(points) + 1
    tile = size - taps + 1
    outputs = [[p**i for p in points] + [Fraction(i == tile - 1)] for i in range(tile)]
    kernel, inputs = [], []
    for p in points:
        others = [q for q in points if q != p]
        vanishing = _product(others)  # zero at all the others
        there = sum((c * p**i for i, c in enumerate(vanishing)), Fraction(0))
        kernel.append([p**i / there for i in range(taps)])
        inputs.append([*vanishing, Fraction(0)])
    kernel.append([Fraction(i == taps - 1) for i in range(taps)])
    inputs.append(_product(points))
    return outputs, kernel, inputs


def _product(roots: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of the polynomial with these roots, the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        scaled = [*(root * c for c in coefficients), Fraction(0)]
        coefficients = [a - b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients


def _floats(matrix: Matrix) -> list[list[float]]:
    return [[float(value) for value in row] for row in matrix]

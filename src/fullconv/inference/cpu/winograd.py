"""3 x 3 convolutions with a quarter of the multiplications (Winograd, 1980; Lavin & Gray, 2016).

A tile of m x m outputs needs m + 2 rows and columns of the input. As polynomials, kernel and tile
are multiplied pointwise after evaluation at m + 1 points and infinity: for m = 4, 36
multiplications give 16 outputs, which need 144 directly. The transforms before and after cost
little if there are many channels. The accuracy in single precision depends on the points: with
those below, the error is about three times that of the direct convolution.
"""

from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

TAPS = 3  # rows and columns of the kernel
TILE = 4  # rows and columns of outputs per tile
# 1/2 and -2 instead of 2 and -2 give a third of the error: numbers and their inverses balance.
POINTS = (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2))

# Bytes of the tiles of a strip: these fit the caches, and larger buffers would be allocated anew
# each time. Smaller strips read the weights too often.
STRIP = 16 * 2**20

Matrix = list[list[Fraction]]


class Winograd(nn.Module):
    """A 3 x 3 convolution of stride 1 on channels_last maps, with or without ReLU.

    Args:
        weight: (out, in, 3, 3).
        bias: (out,).
        relu: apply ReLU to the output.
    """

    def __init__(self, weight: Tensor, bias: Tensor, relu: bool) -> None:
        super().__init__()
        outputs, kernel, inputs = (
            torch.tensor(_floats(m), dtype=torch.float64) for m in toom_cook_matrices()
        )
        points = torch.einsum("pi,qj,oaij->pqao", kernel, kernel, weight.double())
        self.weight = points.flatten(0, 1).to(weight).contiguous()  # (36, in, out)
        self.bias, self.relu = bias, relu
        self.before = torch.kron(inputs, inputs).to(weight)  # (36, 36)
        self.after = torch.kron(outputs, outputs).to(weight)  # (16, 36)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K h w"]:
        """Return the outputs whose windows are inside the map, channels_last."""
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
        """Return the outputs of all tiles, (16, tiles * out), of a map (B, height, width, in)."""
        size = TILE + TAPS - 1
        tiles = rows.unfold(1, size, TILE).unfold(2, size, TILE)
        tiles = tiles.permute(4, 5, 0, 1, 2, 3).reshape(size * size, -1)
        points = (self.before @ tiles).view(size * size, -1, rows.shape[3])
        products = torch.bmm(points, self.weight)  # (36, tiles, out)
        bias = self.bias.repeat(products.shape[1])
        y = torch.addmm(bias, self.after, products.flatten(1))
        return y.relu_() if self.relu else y


def toom_cook_matrices(
    points: Sequence[Fraction] = POINTS, taps: int = TAPS
) -> tuple[Matrix, Matrix, Matrix]:
    """Return the matrices of the Toom-Cook algorithm.

    Outputs are `A ((G kernel) * (B inputs))`, along rows and along columns.

    Args:
        points: all but infinity, which is the last; one fewer than the inputs of a tile.
        taps: size of the kernel.

    Returns:
        A (tile, points + 1), G (points + 1, taps) and B (points + 1, points + 1).
    """
    size = len(points) + 1
    tile = size - taps + 1
    outputs = [[p**i for p in points] + [Fraction(i == tile - 1)] for i in range(tile)]
    kernel, inputs = [], []
    for p in points:
        others = [q for q in points if q != p]
        vanishing = _product(others)  # zero at all other points
        value = sum((c * p**i for i, c in enumerate(vanishing)), Fraction(0))
        kernel.append([p**i / value for i in range(taps)])
        inputs.append([*vanishing, Fraction(0)])
    kernel.append([Fraction(i == taps - 1) for i in range(taps)])
    inputs.append(_product(points))
    return outputs, kernel, inputs


def _product(roots: Sequence[Fraction]) -> list[Fraction]:
    """Return the coefficients of the polynomial with these roots, the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        scaled = [*(root * c for c in coefficients), Fraction(0)]
        coefficients = [a - b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients


def _floats(matrix: Matrix) -> list[list[float]]:
    return [[float(value) for value in row] for row in matrix]

"""Reference implementations of the operations that change a map's size: to read, and for tests.

The networks use PyTorch's operators, which give the same results much faster. Weights have the
layout of PyTorch, Paddle and Caffe.
"""

from fractions import Fraction

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fullconv.errors import GeometryError


def exact_positions(
    length: int, size: int, align_corners: bool, clamped: bool = True
) -> list[Fraction]:
    """Return the source position of each of `size` new pixels in a row of `length` old ones.

    With aligned corners, the centres of the first and of the last pixels coincide, so the step is
    (length - 1) / (size - 1). Otherwise a pixel is a cell, pixel 0 covers [-0.5, 0.5], and the
    outer edges coincide, so the step is length / size. Only this convention does not shift a map,
    whatever its size. Positions outside of the outermost centres are clamped to them.
    """
    if align_corners:
        return [Fraction(i * (length - 1), max(size - 1, 1)) for i in range(size)]
    cells = [Fraction((2 * i + 1) * length, 2 * size) - Fraction(1, 2) for i in range(size)]
    if not clamped:
        return cells
    return [min(max(position, Fraction(0)), Fraction(length - 1)) for position in cells]


def positions(length: int, size: int, align_corners: bool) -> Float[Tensor, " size"]:
    """Return `exact_positions` as float64."""
    exact = exact_positions(length, size, align_corners)
    return torch.tensor([float(position) for position in exact], dtype=torch.float64)


def bilinear(
    x: Float[Tensor, "*B h w"], size: tuple[int, int], align_corners: bool
) -> Float[Tensor, "*B H W"]:
    """Interpolate bilinearly to `size` (height, width).

    First between two rows, then between two columns; the nearer one has the larger weight.
    """
    row = positions(x.shape[-2], size[0], align_corners)
    column = positions(x.shape[-1], size[1], align_corners)
    top, left = row.long(), column.long()
    bottom = (top + 1).clamp(max=x.shape[-2] - 1)
    right = (left + 1).clamp(max=x.shape[-1] - 1)
    down = (row - top).to(x.dtype)[:, None]
    across = (column - left).to(x.dtype)
    between = x[..., top, :] * (1 - down) + x[..., bottom, :] * down
    return between[..., left] * (1 - across) + between[..., right] * across


def convolution(
    x: Float[Tensor, "C h w"], weight: Float[Tensor, "K C p q"], stride: int = 1
) -> Float[Tensor, "K H W"]:
    """Convolve, as deep learning defines it: multiply each window by the kernel, and sum."""
    high, wide = weight.shape[-2:]
    rows = range(0, x.shape[-2] - high + 1, stride)
    columns = range(0, x.shape[-1] - wide + 1, stride)
    windows = [[x[:, i : i + high, j : j + wide] for j in columns] for i in rows]
    sums = [[(weight * window).sum((1, 2, 3)) for window in row] for row in windows]
    return torch.stack([torch.stack(row, -1) for row in sums], -2)


def transposed_by_scattering(
    x: Float[Tensor, "C h w"], weight: Float[Tensor, "C K p q"], stride: int = 1
) -> Float[Tensor, "K H W"]:
    """Transposed convolution, first view: each pixel adds a scaled kernel to the output."""
    (height, width), (high, wide) = x.shape[-2:], weight.shape[-2:]
    y = x.new_zeros(weight.shape[1], stride * (height - 1) + high, stride * (width - 1) + wide)
    for i in range(height):
        for j in range(width):
            stamp = (x[:, i, j, None, None, None] * weight).sum(0)  # (K, p, q)
            y[:, stride * i : stride * i + high, stride * j : stride * j + wide] += stamp
    return y


def transposed_by_insertion(
    x: Float[Tensor, "C h w"], weight: Float[Tensor, "C K p q"], stride: int = 1
) -> Float[Tensor, "K H W"]:
    """Transposed convolution, second view: a convolution of the dilated input.

    stride - 1 zeros are inserted between pixels and kernel - 1 zeros around them; the kernel is
    rotated by 180 degrees.
    """
    dilated = dilate(x, (weight.shape[-2], weight.shape[-1]), stride)
    return convolution(dilated, weight.flip(-2, -1).transpose(0, 1))


def dilate(
    x: Float[Tensor, "C h w"], kernel: tuple[int, int], stride: int = 1
) -> Float[Tensor, "C H W"]:
    """Insert stride - 1 zeros between pixels, and kernel - 1 zeros around them."""
    (height, width), (high, wide) = x.shape[-2:], kernel
    inner = stride * (height - 1) + 1, stride * (width - 1) + 1
    dilated = x.new_zeros(len(x), inner[0] + 2 * (high - 1), inner[1] + 2 * (wide - 1))
    rows = slice(high - 1, high - 1 + inner[0], stride)
    columns = slice(wide - 1, wide - 1 + inner[1], stride)
    dilated[:, rows, columns] = x
    return dilated


def convolution_matrix(
    weight: Float[Tensor, "K C p q"], size: tuple[int, int], stride: int = 1
) -> Float[Tensor, "outputs inputs"]:
    """Return the matrix of a convolution on flattened inputs of `size` (height, width).

    Each row has the kernel at the window of one output, and zeros elsewhere.
    """
    (classes, channels, high, wide), (height, width) = weight.shape, size
    rows, columns = (height - high) // stride + 1, (width - wide) // stride + 1
    matrix = weight.new_zeros(classes, rows, columns, channels, height, width)
    for i in range(rows):
        for j in range(columns):
            top, left = stride * i, stride * j
            matrix[:, i, j, :, top : top + high, left : left + wide] = weight
    return matrix.reshape(classes * rows * columns, channels * height * width)


def transposed_by_matrix(
    x: Float[Tensor, "C h w"], weight: Float[Tensor, "C K p q"], stride: int = 1
) -> Float[Tensor, "K H W"]:
    """Transposed convolution, third view: the transposed matrix of a convolution.

    That convolution maps the large map to the small one. The transpose inverts its shape, not its
    values; it is also its gradient.
    """
    (height, width), (high, wide) = x.shape[-2:], weight.shape[-2:]
    size = stride * (height - 1) + high, stride * (width - 1) + wide
    matrix = convolution_matrix(weight, size, stride)
    return (matrix.T @ x.flatten()).reshape(weight.shape[1], *size)


def max_pool(
    x: Float[Tensor, "C h w"], window: int = 2, ceil_mode: bool = False
) -> tuple[Float[Tensor, "C H W"], Int64[Tensor, "C H W"]]:
    """Return the largest value of each window, and its index in the flattened (h, w) plane.

    Args:
        x: maps.
        window: size and stride of the windows.
        ceil_mode: include incomplete windows at the end, as Caffe does.
    """
    height, width = x.shape[-2:]
    inside = window if not ceil_mode else 1  # pixels of a window that must be inside the map
    rows = range(0, height - inside + 1, window)
    columns = range(0, width - inside + 1, window)
    plane = torch.arange(height * width).reshape(height, width)
    found = []
    for i in rows:
        for j in columns:
            part = x[:, i : i + window, j : j + window].flatten(1)
            value, position = part.max(1)
            found.append((value, plane[i : i + window, j : j + window].flatten()[position]))
    values, indices = (torch.stack(list(part), -1) for part in zip(*found, strict=True))
    shape = (len(x), len(rows), len(columns))
    return values.reshape(shape), indices.reshape(shape)


def unpool(
    values: Float[Tensor, "C h w"], indices: Int64[Tensor, "C h w"], size: tuple[int, int]
) -> Float[Tensor, "C H W"]:
    """Unpool: put each value back at its position before pooling, with zeros elsewhere.

    Args:
        values: one per window.
        indices: from the pooling, in the flattened plane of `size`.
        size: (height, width) of the pooling's input.

    Raises:
        GeometryError: an index is outside that plane.
    """
    height, width = size
    if indices.min() < 0 or indices.max() >= height * width:
        raise GeometryError(
            f"unpooling indices range from {int(indices.min())} to {int(indices.max())}; a plane "
            f"of {height} x {width} has 0 to {height * width - 1}: give the pooling's input size"
        )
    y = values.new_zeros(len(values), height, width)
    for channel, positions in enumerate(indices):
        y[channel, positions // width, positions % width] = values[channel]
    return y


def batch_norm(
    x: Float[Tensor, "B C H W"],
    mean: Float[Tensor, " C"],
    variance: Float[Tensor, " C"],
    weight: Float[Tensor, " C"],
    bias: Float[Tensor, " C"],
    epsilon: float = 1e-5,
) -> Float[Tensor, "B C H W"]:
    """Normalize each channel to mean 0 and variance 1, then apply the learned scale and shift.

    Training uses the batch's statistics (`batch_statistics`, biased), inference the running ones.
    """
    scale = weight / (variance + epsilon).sqrt()
    return (x - mean[:, None, None]) * scale[:, None, None] + bias[:, None, None]


def batch_statistics(
    x: Float[Tensor, "B C H W"], unbiased: bool = False
) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """Return mean and variance of each channel over a batch.

    All frameworks normalize a training batch by the biased variance (sum of squares over n). The
    running variance uses the same in Paddle, but the unbiased one (over n - 1) in PyTorch.
    """
    mean = x.mean((0, 2, 3))
    squares = ((x - mean[:, None, None]) ** 2).sum((0, 2, 3))
    n = x.numel() // x.shape[1]
    return mean, squares / (n - 1 if unbiased else n)

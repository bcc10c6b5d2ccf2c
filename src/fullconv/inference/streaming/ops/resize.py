"""Ops that enlarge feature maps: transposed convolution, bilinear interpolation, unpooling."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fullconv.inference.streaming.op import PartialOp, RecordedCall, Region
from fullconv.inference.streaming.ops import rules
from fullconv.inference.streaming.ops.windows import constant_weights
from fullconv.inference.streaming.ranges import TransposedWindow, UnpoolWindow, clip
from fullconv.networks.geometry import Span
from fullconv.networks.tracing.ops import OpKind, UnsupportedOpError


@rules.register(OpKind.TRANSPOSED_CONVOLUTION)
def transposed_convolution(call: RecordedCall) -> PartialOp:
    """Transpose a convolution with constant weights."""
    weight, bias = constant_weights(call)
    groups = call.argument(6, "groups", 1)
    rows, columns = (TransposedWindow(window) for window in call.windows())
    stride = rows.window.stride, columns.window.stride
    dilation = rows.window.dilation, columns.window.dilation
    size = call.inputs[0].size

    def run(parts: Sequence[Tensor], region: Region) -> Tensor:
        x = torch.conv_transpose2d(parts[0], weight, None, stride, 0, 0, groups, dilation)
        for dim, read, wanted, side in zip((2, 3), (rows, columns), region, size, strict=True):
            first, _ = clip(read.reads(wanted), side)
            x = _crop_or_pad(x, dim, wanted, read.first_output(first))
        return x if bias is None else x + bias.view(1, -1, 1, 1)

    return PartialOp(((rows, columns),), run, per_input=weight[0].numel(), weights=weight.nbytes)


@dataclass(frozen=True)
class LinearResize:
    """Linear interpolation along one axis: each output is between two inputs.

    Attributes:
        size: of the input.
        result: size of the output.
        align_corners: the centres of the outermost pixels coincide.
        factor: the scale factor, if it was given in place of a size.
    """

    size: int
    result: int
    align_corners: bool
    factor: float | None = None

    @property
    def scale(self) -> Fraction:
        """Input positions per output position; of a given factor approximately."""
        if self.align_corners and self.size > 1 and self.result > 1:
            return Fraction(self.size - 1, self.result - 1)
        return Fraction(self.size, self.result)

    def reads(self, outputs: Span) -> Span:
        """Return the inputs that these outputs read."""
        lower, upper, _ = self.neighbours((outputs[0], outputs[0] + 1))
        _, last, _ = self.neighbours((outputs[1] - 1, outputs[1]))
        return min(int(lower[0]), int(upper[0])), int(last[0]) + 1

    def neighbours(self, outputs: Span) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the inputs below and above each output, and the weight of the upper one."""
        position = np.arange(*outputs, dtype=np.float64)
        # PyTorch computes in single precision, with one rounding after product and sum.
        if self.align_corners:
            step = np.float32(self.size - 1) / np.float32(max(1, self.result - 1))
            source = (position * float(step)).astype(np.float32)
        else:
            step = np.float32(
                1 / self.factor if self.factor else np.float32(self.size) / np.float32(self.result)
            )
            source = ((position + 0.5) * float(step) - 0.5).clip(0).astype(np.float32)
        lower = np.minimum(source.astype(np.int64), self.size - 1)
        upper = np.minimum(lower + 1, self.size - 1)
        return lower, upper, np.clip(source - lower, 0, 1).astype(np.float32)


@rules.register(OpKind.INTERPOLATION)
def interpolation(call: RecordedCall) -> PartialOp:
    """Interpolate bilinearly."""
    mode, antialias = call.argument(3, "mode", "nearest"), call.argument(6, "antialias", False)
    if mode != "bilinear" or antialias:
        raise UnsupportedOpError(
            f"interpolates by {mode}{' with antialiasing' if antialias else ''}"
        )
    align_corners = bool(call.argument(4, "align_corners", False))
    factors: Any = call.argument(2, "scale_factor")
    if factors is None or call.argument(5, "recompute_scale_factor"):
        factors = (None, None)
    factors = factors if isinstance(factors, tuple | list) else (factors, factors)
    rows, columns = (
        LinearResize(side, result, align_corners, factor)
        for side, result, factor in zip(
            call.inputs[0].size, call.shapes[0][-2:], factors, strict=True
        )
    )

    def run(parts: Sequence[Tensor], region: Region) -> Tensor:
        x = parts[0]
        for dim, resize, wanted in ((3, columns, region.columns), (2, rows, region.rows)):
            first, _ = clip(resize.reads(wanted), resize.size)
            x = _resize(x, dim, resize, wanted, first)
        return x

    # One axis after the other: the result of the first, and both neighbours of each row.
    return PartialOp(((rows, columns),), run, copies=2)


@rules.register(OpKind.UNPOOLING)
def unpooling(call: RecordedCall) -> PartialOp:
    """Undo a max pooling, by whole windows."""
    window = int(call.function.window)  # type: ignore[attr-defined]
    pooled, unpooled = UnpoolWindow(window), UnpoolWindow(window, reads_all=True)
    size = call.inputs[1].size

    def run(parts: Sequence[Tensor], region: Region) -> Any:
        x = call.function(*parts)
        for dim, wanted, side in zip((2, 3), region, size, strict=True):
            first, _ = clip(unpooled.reads(wanted), side)
            x = _crop_or_pad(x, dim, wanted, first)
        return x

    return PartialOp(((pooled, pooled), (unpooled, unpooled)), run)


def _crop_or_pad(x: Tensor, dim: int, wanted: Span, first: int) -> Tensor:
    """Return the `wanted` pixels of `x`, which starts at pixel `first`; zeros where it has none."""
    end = first + x.shape[dim]
    kept = x.narrow(dim, max(0, wanted[0] - first), min(end, wanted[1]) - max(first, wanted[0]))
    missing = (max(0, first - wanted[0]), max(0, wanted[1] - end))
    if not any(missing):
        return kept
    return F.pad(kept, (0, 0, *missing) if dim == 2 else missing)


def _resize(x: Tensor, dim: int, resize: LinearResize, wanted: Span, first: int) -> Tensor:
    """Interpolate `x`, which starts at the input's pixel `first`, along one dimension."""
    if resize.size == resize.result:
        return x.narrow(dim, wanted[0] - first, wanted[1] - wanted[0])
    lower, upper, weight = resize.neighbours(wanted)
    low = x.index_select(dim, torch.from_numpy(lower - first).to(x.device))
    high = x.index_select(dim, torch.from_numpy(upper - first).to(x.device))
    shape = (-1, 1) if dim == 2 else (-1,)
    return low.lerp_(high, torch.from_numpy(weight).to(x).view(shape))

"""Parts of enlarged maps: transposed convolutions, bilinear interpolation, un-pooling."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fullconv.inference.streaming.ops import rules
from fullconv.inference.streaming.ops._op import OpCall, PartialOp, Region, Slot, UnknownOpError
from fullconv.inference.streaming.ranges import Range, TransposedWindow, UnpoolWindow, inside


@rules.register("conv_transpose2d")
def transposed_convolution(call: OpCall) -> PartialOp:
    """A transposed convolution: where the parts of the input are spread to, they add up."""
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    if isinstance(weight, Slot) or isinstance(bias, Slot):
        raise UnknownOpError("convolves with weights that are made of the image")
    stride, padding = call.pair(3, "stride", 1), call.pair(4, "padding", 0)
    groups, dilation = call.argument(6, "groups", 1), call.pair(7, "dilation", 1)
    rows, columns = (
        TransposedWindow(gap * (int(size) - 1) + 1, step, before)
        for gap, size, step, before in zip(
            dilation, weight.shape[-2:], stride, padding, strict=True
        )
    )
    sides = call.given[0].sides

    def run(slabs: Sequence[Tensor], region: Region) -> Tensor:
        x = slabs[0]
        enlarged = torch.conv_transpose2d(x, weight, None, stride, 0, 0, groups, dilation)
        for dim, reach, wanted, side in zip((2, 3), (rows, columns), region, sides, strict=True):
            first, _ = inside(reach.reads(wanted), side)
            enlarged = _cut(enlarged, dim, wanted, reach.begins(first))
        return enlarged if bias is None else enlarged + bias.view(1, -1, 1, 1)

    return PartialOp(((rows, columns),), run, per_input=weight[0].numel(), weights=weight.nbytes)


@dataclass(frozen=True)
class Blend:
    """Bilinear interpolation along one side: each output lies between two inputs.

    Attributes:
        size: of the input.
        result: of the output.
        corners: whether the outermost pixels' centres meet (align_corners).
        factor: that was asked for instead of a size.
    """

    size: int
    result: int
    corners: bool
    factor: float | None = None

    @property
    def scale(self) -> Fraction:
        """Input pixels from one output pixel to the next, about."""
        return Fraction(self.size, self.result)

    def reads(self, wanted: Range) -> Range:
        """The input's pixels that the output's `wanted` ones are made of."""
        lower, upper, _ = self.between((wanted[0], wanted[0] + 1))
        _, last, _ = self.between((wanted[1] - 1, wanted[1]))
        return min(int(lower[0]), int(upper[0])), int(last[0]) + 1

    def between(self, wanted: Range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each output the inputs below and above it, and the share of the upper one."""
        place = np.arange(*wanted, dtype=np.float64)
        # PyTorch computes in single precision, with one rounding behind product and sum.
        if self.corners:
            step = np.float32(self.size - 1) / np.float32(max(1, self.result - 1))
            source = (place * float(step)).astype(np.float32)
        else:
            step = np.float32(
                1 / self.factor if self.factor else np.float32(self.size) / np.float32(self.result)
            )
            source = ((place + 0.5) * float(step) - 0.5).clip(0).astype(np.float32)
        lower = np.minimum(source.astype(np.int64), self.size - 1)
        upper = np.minimum(lower + 1, self.size - 1)
        return lower, upper, np.clip(source - lower, 0, 1).astype(np.float32)


@rules.register("interpolate")
def interpolation(call: OpCall) -> PartialOp:
    """Bilinear interpolation."""
    mode, smooth = call.argument(3, "mode", "nearest"), call.argument(6, "antialias", False)
    if mode != "bilinear" or smooth:
        raise UnknownOpError(f"interpolates by {mode}{', antialiased' if smooth else ''}")
    corners = bool(call.argument(4, "align_corners", False))
    factors: Any = call.argument(2, "scale_factor")
    if factors is None or call.argument(5, "recompute_scale_factor"):
        factors = (None, None)
    factors = factors if isinstance(factors, tuple | list) else (factors, factors)
    sides, result = call.given[0].sides, call.shapes[0][-2:]
    rows, columns = (
        Blend(side, end, corners, factor)
        for side, end, factor in zip(sides, result, factors, strict=True)
    )

    def run(slabs: Sequence[Tensor], region: Region) -> Tensor:
        x = slabs[0]
        for dim, blend, wanted in ((3, columns, region.columns), (2, rows, region.rows)):
            first, _ = inside(blend.reads(wanted), blend.size)
            x = _blended(x, dim, blend, wanted, first)
        return x

    return PartialOp(((rows, columns),), run)


@rules.register("Unpool")
def unpooling(call: OpCall) -> PartialOp:
    """Un-pooling, by whole windows."""
    window = int(call.function.window)  # type: ignore[attr-defined]
    one, all_of_them = UnpoolWindow(window), UnpoolWindow(window, whole=True)
    size = call.given[1].sides

    def run(slabs: Sequence[Tensor], region: Region) -> Any:
        spread = call.function(*slabs)
        for dim, wanted, side in zip((2, 3), region, size, strict=True):
            first, _ = inside(all_of_them.reads(wanted), side)
            spread = _cut(spread, dim, wanted, first)
        return spread

    return PartialOp(((one, one), (all_of_them, all_of_them)), run)


def _cut(x: Tensor, dim: int, wanted: Range, first: int) -> Tensor:
    """The `wanted` pixels of `x`, which begins at pixel `first`; zeros where it has none."""
    behind = first + x.shape[dim]
    kept = x.narrow(dim, max(0, wanted[0] - first), min(behind, wanted[1]) - max(first, wanted[0]))
    lack = (max(0, first - wanted[0]), max(0, wanted[1] - behind))
    if not any(lack):
        return kept
    return F.pad(kept, (0, 0, *lack) if dim == 2 else lack)


def _blended(x: Tensor, dim: int, blend: Blend, wanted: Range, first: int) -> Tensor:
    """Interpolate `x`, which begins at the input's pixel `first`, along one dimension."""
    if blend.size == blend.result:
        return x.narrow(dim, wanted[0] - first, wanted[1] - wanted[0])
    lower, upper, share = blend.between(wanted)
    low = x.index_select(dim, torch.from_numpy(lower - first).to(x.device))
    high = x.index_select(dim, torch.from_numpy(upper - first).to(x.device))
    shape = (-1, 1) if dim == 2 else (-1,)
    return torch.lerp(low, high, torch.from_numpy(share).to(x).view(shape))

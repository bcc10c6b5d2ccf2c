"""Windows that slide over an image's part: convolutions and poolings."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fullconv.inference.streaming.ops import rules
from fullconv.inference.streaming.ops._op import OpCall, PartialOp, Region, Slot, UnknownOpError
from fullconv.inference.streaming.ranges import Range, SlidingWindow, outside

Windows = tuple[SlidingWindow, SlidingWindow]  # along rows, along columns


@rules.register("conv2d")
def convolution(call: OpCall) -> PartialOp:
    """A convolution."""
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    if isinstance(weight, Slot) or isinstance(bias, Slot):
        raise UnknownOpError("convolves with weights that are made of the image")
    stride, dilation = call.pair(3, "stride", 1), call.pair(5, "dilation", 1)
    groups = call.argument(6, "groups", 1)
    kernel = (int(weight.shape[-2]), int(weight.shape[-1]))
    before = _before(call, kernel, dilation)
    windows = _windows(kernel, stride, before, dilation)
    sides = call.given[0].sides

    def run(slabs: Sequence[Tensor], region: Region) -> Tensor:
        x, own = padded(slabs[0], windows, sides, region, 0.0)
        return torch.conv2d(x, weight, bias, stride, own, dilation, groups)

    return PartialOp((windows,), run, per_output=weight[0].numel(), weights=weight.nbytes)


@rules.register("max_pool2d")
def max_pooling(call: OpCall) -> PartialOp:
    """A max pooling; a half-filled last window (ceil mode) reaches past the image's end."""
    kernel = call.pair(1, "kernel_size")
    stride = call.pair(2, "stride") if call.argument(2, "stride") else kernel
    before, dilation = call.pair(3, "padding", 0), call.pair(4, "dilation", 1)
    windows = _windows(kernel, stride, before, dilation)
    sides = call.given[0].sides

    def run(slabs: Sequence[Tensor], region: Region) -> Tensor:
        x, own = padded(slabs[0], windows, sides, region, float("-inf"))
        return F.max_pool2d(x, kernel, stride, own, dilation)

    return PartialOp((windows,), run)


@rules.register("avg_pool2d")
def average_pooling(call: OpCall) -> PartialOp:
    """An average pooling, each window divided by as many pixels as on the whole image."""
    kernel = call.pair(1, "kernel_size")
    stride = call.pair(2, "stride") if call.argument(2, "stride") else kernel
    before = call.pair(3, "padding", 0)
    zeros_count = call.argument(5, "count_include_pad", True)
    divisor = call.argument(6, "divisor_override")
    windows = _windows(kernel, stride, before, (1, 1))
    sides = call.given[0].sides

    def counts(side: int, wanted: Range) -> Tensor:
        """How many pixels each window along one side counts."""
        window, size = windows[side], sides[side]
        start = torch.arange(*wanted) * window.stride - window.before
        end = (start + window.kernel).clamp(max=size + window.before)
        if not zeros_count:
            start, end = start.clamp(min=0), end.clamp(max=size)
        return end - start

    def run(slabs: Sequence[Tensor], region: Region) -> Tensor:
        x, own = padded(slabs[0], windows, sides, region, 0.0)
        if divisor:
            return F.avg_pool2d(x, kernel, stride, own, divisor_override=divisor)
        share = torch.outer(counts(0, region.rows), counts(1, region.columns))
        if bool((share == kernel[0] * kernel[1]).all()):
            return F.avg_pool2d(x, kernel, stride, own)
        total = F.avg_pool2d(x, kernel, stride, own, divisor_override=1)
        return total / share.to(total)

    return PartialOp((windows,), run)


def padded(
    x: Tensor, windows: Windows, sides: tuple[int, int], region: Region, value: float
) -> tuple[Tensor, tuple[int, int]]:
    """A part of a window's input with what lies beyond the whole input's ends.

    Args:
        x: exactly the pixels inside the input that `region` reads.
        windows: along rows and columns.
        sides: (height, width) of the whole input.
        region: of the output.
        value: that lies beyond the ends.

    Returns:
        the input, and the padding that is left to the function itself: what both ends share.
    """
    ends = [
        outside(window.reads(wanted), side)
        for window, wanted, side in zip(windows, region, sides, strict=True)
    ]
    # An input without pixels cannot be padded by the function.
    own = [min(pair) if side else 0 for pair, side in zip(ends, x.shape[-2:], strict=True)]
    (top, bottom), (left, right) = (
        (before - shared, behind - shared)
        for (before, behind), shared in zip(ends, own, strict=True)
    )
    if top or bottom or left or right:
        x = F.pad(x, (left, right, top, bottom), value=value)
    return x, (own[0], own[1])


def _before(call: OpCall, kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    padding: Any = call.argument(4, "padding", 0)
    if padding == "valid":
        return 0, 0
    if padding == "same":
        return (
            dilation[0] * (kernel[0] - 1) // 2,
            dilation[1] * (kernel[1] - 1) // 2,
        )
    return call.pair(4, "padding", 0)


def _windows(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    before: tuple[int, int],
    dilation: tuple[int, int],
) -> Windows:
    rows, columns = (
        SlidingWindow(*numbers) for numbers in zip(kernel, stride, before, dilation, strict=True)
    )
    return rows, columns

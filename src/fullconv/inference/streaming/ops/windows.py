"""Convolutions and poolings on parts of their input."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from fullconv.inference.streaming.op import PartialOp, RecordedCall, Region, Slot
from fullconv.inference.streaming.ops import rules
from fullconv.inference.streaming.ranges import overhang
from fullconv.networks.geometry import SlidingWindow, Span
from fullconv.networks.tracing.ops import OpKind, UnsupportedOpError

Windows = tuple[SlidingWindow, SlidingWindow]  # along rows, along columns


@rules.register(OpKind.CONVOLUTION)
def convolution(call: RecordedCall) -> PartialOp:
    """Convolve with constant weights."""
    weight, bias = constant_weights(call)
    groups = call.argument(6, "groups", 1)
    windows = call.windows()
    stride, dilation = _pair(windows, "stride"), _pair(windows, "dilation")
    size = call.inputs[0].size

    def run(parts: Sequence[Tensor], region: Region) -> Tensor:
        x, padding = pad_part(parts[0], windows, size, region, 0.0)
        return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)

    return PartialOp((windows,), run, per_output=weight[0].numel(), weights=weight.nbytes)


@rules.register(OpKind.MAX_POOLING)
def max_pooling(call: RecordedCall) -> PartialOp:
    """Pool by the maximum; in ceil mode the last window may reach past the input's end."""
    windows = call.windows()
    settings = _pair(windows, "kernel"), _pair(windows, "stride")
    dilation, size = _pair(windows, "dilation"), call.inputs[0].size

    def run(parts: Sequence[Tensor], region: Region) -> Tensor:
        x, padding = pad_part(parts[0], windows, size, region, float("-inf"))
        return F.max_pool2d(x, *settings, padding, dilation)

    return PartialOp((windows,), run)


@rules.register(OpKind.INDEXED_POOLING)
def indexed_pooling(call: RecordedCall) -> PartialOp:
    """Refuse indices, which count from the first pixel of the whole map."""
    raise UnsupportedOpError("uses the indices of maxima in the whole map")


@rules.register(OpKind.AVERAGE_POOLING)
def average_pooling(call: RecordedCall) -> PartialOp:
    """Pool by the mean, dividing by as many pixels as on the whole input."""
    windows = call.windows()
    kernel, stride = _pair(windows, "kernel"), _pair(windows, "stride")
    counts_padding = call.argument(5, "count_include_pad", True)
    divisor = call.argument(6, "divisor_override")
    size = call.inputs[0].size

    def counts(axis: int, outputs: Span) -> Tensor:
        """Return how many pixels each window counts along one axis."""
        window, side = windows[axis], size[axis]
        start = torch.arange(*outputs) * window.stride - window.padding
        end = (start + window.kernel).clamp(max=side + window.padding)
        if not counts_padding:
            start, end = start.clamp(min=0), end.clamp(max=side)
        return end - start

    def run(parts: Sequence[Tensor], region: Region) -> Tensor:
        x, padding = pad_part(parts[0], windows, size, region, 0.0)
        if divisor:
            return F.avg_pool2d(x, kernel, stride, padding, divisor_override=divisor)
        count = torch.outer(counts(0, region.rows), counts(1, region.columns))
        if bool((count == kernel[0] * kernel[1]).all()):
            return F.avg_pool2d(x, kernel, stride, padding)
        total = F.avg_pool2d(x, kernel, stride, padding, divisor_override=1)
        return total / count.to(total)

    return PartialOp((windows,), run)


def constant_weights(call: RecordedCall) -> tuple[Tensor, Tensor | None]:
    """Return weight and bias of a convolution.

    Raises:
        UnsupportedOpError: they are computed from the image.
    """
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    if isinstance(weight, Slot) or isinstance(bias, Slot):
        raise UnsupportedOpError("convolves with weights that are computed from the image")
    return weight, bias


def pad_part(
    x: Tensor, windows: Windows, size: tuple[int, int], region: Region, fill: float
) -> tuple[Tensor, tuple[int, int]]:
    """Pad a part of a window's input where the windows reach past the whole input's ends.

    Args:
        x: exactly the pixels inside the input that `region` reads.
        windows: along rows and columns.
        size: (height, width) of the whole input.
        region: of the output.
        fill: the value past the ends.

    Returns:
        the padded part, and the symmetric padding that is left to the function itself.
    """
    ends = [
        overhang(window.reads(wanted), side)
        for window, wanted, side in zip(windows, region, size, strict=True)
    ]
    # The functions cannot pad an input without pixels.
    own = [min(pair) if side else 0 for pair, side in zip(ends, x.shape[-2:], strict=True)]
    (top, bottom), (left, right) = (
        (before - shared, after - shared) for (before, after), shared in zip(ends, own, strict=True)
    )
    if top or bottom or left or right:
        x = F.pad(x, (left, right, top, bottom), value=fill)
    return x, (own[0], own[1])


def _pair(windows: Windows, name: str) -> tuple[int, int]:
    rows, columns = (int(getattr(window, name)) for window in windows)
    return rows, columns

"""How each kind of PyTorch function changes the image region that a pixel depends on."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from fullconv.networks.geometry import SlidingWindow
from fullconv.networks.tracing.ops import OpCall, OpKind, UnsupportedOpError, tensors_in
from fullconv.networks.tracing.spans import NO_POSITIONS, PixelExtent

Rule = Callable[[OpCall, PixelExtent], PixelExtent]
"""Compute the extent of one result (`call.result`) from the union of the arguments' extents."""


def extent_after(call: OpCall, extent: PixelExtent) -> PixelExtent:
    """Return the extent of one result of a call; what no rule knows becomes its `problem`."""
    if extent.rows is None or extent.columns is None:
        return extent
    try:
        if call.kind is None:
            raise UnsupportedOpError(f"calls {call.name}, whose effect on positions is unknown")
        return RULES[call.kind](call, extent)
    except UnsupportedOpError as error:
        return replace(extent, problem=extent.problem or f"it {error}")


def mixes_positions(call: OpCall) -> bool:
    """Return whether a reduction, softmax or norm combines several positions.

    Positions are the last two dimensions, or dimensions 1 and 2 in channels-last layout.
    """
    rank = _first_tensor(call).dim()
    dims = call.mixed_dims(rank)
    if call.kind is OpKind.CHANNELS:  # over channels alone, in either layout
        return len(dims) > 1
    return rank < 4 or any(dim >= rank - 2 for dim in dims)


def _first_tensor(call: OpCall) -> Tensor:
    return next(tensors_in((call.args, call.kwargs)))


def _unchanged(call: OpCall, extent: PixelExtent) -> PixelExtent:
    return extent


def _unbounded(call: OpCall, extent: PixelExtent) -> PixelExtent:
    return replace(extent, bounded=False)  # depends on statistics of the whole map


def _channels(call: OpCall, extent: PixelExtent) -> PixelExtent:
    return _unbounded(call, extent) if mixes_positions(call) else extent


def _softmax(call: OpCall, extent: PixelExtent) -> PixelExtent:
    return _unbounded(call, extent) if mixes_positions(call) else extent


def _reduction(call: OpCall, extent: PixelExtent) -> PixelExtent:
    return NO_POSITIONS if mixes_positions(call) else extent


def _window(call: OpCall, extent: PixelExtent) -> PixelExtent:
    rows, columns = call.windows()
    return _through(extent, rows, columns)


def _through(extent: PixelExtent, rows: SlidingWindow, columns: SlidingWindow) -> PixelExtent:
    assert extent.rows is not None and extent.columns is not None
    return replace(extent, rows=extent.rows.through(rows), columns=extent.columns.through(columns))


def _pad(call: OpCall, extent: PixelExtent) -> PixelExtent:
    left, top = [*call.argument(1, "pad")[::2], 0, 0][:2]
    return _through(extent, SlidingWindow(padding=top), SlidingWindow(padding=left))


def _adaptive_pooling(call: OpCall, extent: PixelExtent) -> PixelExtent:
    return extent if call.result.shape == _first_tensor(call).shape else NO_POSITIONS


def _indexing(call: OpCall, extent: PixelExtent) -> PixelExtent:
    before, after = _first_tensor(call).shape, call.result.shape
    if len(after) >= 3 and before[-2:] != after[-2:]:
        raise UnsupportedOpError("picks pixels by their index")
    return extent


def _flip(call: OpCall, extent: PixelExtent) -> PixelExtent:
    rank = _first_tensor(call).dim()
    dims = call.args[1:] if len(call.args) > 2 else call.argument(1, "dims")
    if any(dim % rank >= rank - 2 for dim in ([dims] if isinstance(dims, int) else dims)):
        raise UnsupportedOpError("flips rows or columns")
    return extent


def _matmul(call: OpCall, extent: PixelExtent) -> PixelExtent:
    raise UnsupportedOpError(f"calls {call.name}, which may combine positions")


def _enlargement(call: OpCall, extent: PixelExtent) -> PixelExtent:
    raise UnsupportedOpError(f"enlarges feature maps ({call.name})")


RULES: dict[OpKind, Rule] = {
    OpKind.POINTWISE: _unchanged,
    OpKind.DROPOUT: _unchanged,
    OpKind.CHANNELS: _channels,
    OpKind.SOFTMAX: _softmax,
    OpKind.REDUCTION: _reduction,
    OpKind.GLOBAL_NORM: _unbounded,
    OpKind.MATMUL: _matmul,
    OpKind.ATTENTION: _unbounded,
    OpKind.CONVOLUTION: _window,
    OpKind.MAX_POOLING: _window,
    OpKind.AVERAGE_POOLING: _window,
    OpKind.INDEXED_POOLING: _window,
    OpKind.ADAPTIVE_POOLING: _adaptive_pooling,
    OpKind.TRANSPOSED_CONVOLUTION: _enlargement,
    OpKind.INTERPOLATION: _enlargement,
    OpKind.UNPOOLING: _enlargement,
    OpKind.PADDING: _pad,
    OpKind.INDEXING: _indexing,
    OpKind.VIEW: _unchanged,
    OpKind.EXPAND: _unchanged,
    OpKind.REORDER: _unchanged,
    OpKind.JOIN: _unchanged,
    OpKind.FLIP: _flip,
}

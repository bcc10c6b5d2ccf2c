"""Ops that only move numbers: padding, crops, views, and dimensions in another order."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fullconv.inference.streaming.op import PartialOp, RecordedCall, Region, Value
from fullconv.inference.streaming.ops import rules
from fullconv.inference.streaming.ops.pointwise import IN_PLACE, refuse_positions, run_call
from fullconv.inference.streaming.ranges import EdgePad, ReadRule, Shift, clip, overhang
from fullconv.networks.tracing.ops import OpKind, UnsupportedOpError


@rules.register(OpKind.PADDING)
def padding(call: RecordedCall) -> PartialOp:
    """Pad by a constant, or repeat the outermost pixels."""
    value, mode = call.inputs[0], call.argument(2, "mode", "constant")
    pads = [int(pad) for pad in call.argument(1, "pad")]
    pads += [0] * (2 * len(value.shape) - len(pads))
    # PyTorch lists the last dimension first.
    pairs = [(pads[at], pads[at + 1]) for at in range(0, len(pads), 2)][::-1]
    others = [pair for dim, pair in enumerate(pairs) if dim not in (value.rows, value.columns)]
    if mode not in ("constant", "replicate") or any(pair != (0, 0) for pair in others):
        raise UnsupportedOpError(f"pads by {pads} ({mode})")
    fill = call.argument(3, "value") or 0.0
    reads: list[ReadRule] = [
        Shift(-pairs[dim][0]) if mode == "constant" else EdgePad(-pairs[dim][0], side)
        for dim, side in zip((value.rows, value.columns), value.size, strict=True)
    ]

    def run(parts: Sequence[Tensor], region: Region) -> Tensor:
        x = parts[0]
        dims = (value.rows, value.columns)
        for dim, read, wanted, side in zip(dims, reads, region, value.size, strict=True):
            if isinstance(read, EdgePad):
                first, _ = clip(read.reads(wanted), side)
                index = [read.source(pixel) - first for pixel in range(*wanted)]
                if index != list(range(x.shape[dim])):
                    x = x.index_select(dim, torch.tensor(index, device=x.device))
                continue
            missing = overhang(read.reads(wanted), side)
            if any(missing):
                later_dims = [0, 0] * (x.dim() - 1 - dim)
                x = F.pad(x, (*later_dims, *missing), value=fill)
        return x

    return PartialOp(((reads[0], reads[1]),), run)


@rules.register(OpKind.INDEXING)
def indexing(call: RecordedCall) -> PartialOp:
    """Crop by slices."""
    value = call.inputs[0]
    index = call.argument(1, "index")
    index = list(index) if isinstance(index, tuple | list) else [index]
    if any(not (item is Ellipsis or isinstance(item, slice)) for item in index):
        raise UnsupportedOpError(f"picks values by {index}")
    if Ellipsis in index:
        at = index.index(Ellipsis)
        index[at : at + 1] = [slice(None)] * (len(value.shape) - len(index) + 1)
    index += [slice(None)] * (len(value.shape) - len(index))
    starts, steps = [], []
    for item, size in zip(index, value.shape, strict=True):
        start, _, step = item.indices(size)
        starts.append(start)
        steps.append(step)
    dims = (value.rows, value.columns)
    if any(steps[dim] != 1 for dim in dims):
        raise UnsupportedOpError("takes every other row or column")
    others = tuple(slice(None) if dim in dims else item for dim, item in enumerate(index))

    def run(parts: Sequence[Tensor], region: Region) -> Tensor:
        return parts[0][others]

    return PartialOp(((Shift(starts[value.rows]), Shift(starts[value.columns])),), run)


@rules.register(OpKind.VIEW)
def view(call: RecordedCall) -> PartialOp:
    """Change the dimensions but not the order of numbers; rows and columns remain dimensions."""
    value, shape = call.inputs[0], call.shapes[0]
    _refuse_unequal_sizes(call)
    rows = _dim_in_result(call, value, value.rows, 0)
    columns = _dim_in_result(call, value, value.columns, rows + 1)

    def run(parts: Sequence[Tensor], region: Region) -> Tensor:
        return parts[0].reshape(_part_shape(shape, rows, columns, region))

    return PartialOp((IN_PLACE,) * len(call.inputs), run, (rows, columns))


@rules.register(OpKind.EXPAND)
def expand(call: RecordedCall) -> PartialOp:
    """Repeat numbers along dimensions other than rows and columns."""
    value, shape = call.inputs[0], call.shapes[0]
    _refuse_unequal_sizes(call)
    added = len(shape) - len(value.shape)
    rows, columns = value.rows + added, value.columns + added
    if (shape[rows], shape[columns]) != value.size:
        raise UnsupportedOpError("repeats one row or column over the whole image")

    def run(parts: Sequence[Tensor], region: Region) -> Tensor:
        return parts[0].expand(_part_shape(shape, rows, columns, region))

    return PartialOp((IN_PLACE,) * len(call.inputs), run, (rows, columns))


@rules.register(OpKind.REORDER)
def reorder(call: RecordedCall) -> PartialOp:
    """Put the dimensions into another order."""
    value = call.inputs[0]
    # Different sizes show where each dimension goes.
    sizes = list(range(2, 2 + len(value.shape)))
    moved = list(call.run([torch.empty(sizes, device="meta")]).shape)
    dims = moved.index(value.rows + 2), moved.index(value.columns + 2)
    return PartialOp((IN_PLACE,), run_call(call), dims)


@rules.register(OpKind.JOIN)
@rules.register(OpKind.FLIP)
def join(call: RecordedCall) -> PartialOp:
    """Concatenate, split or flip along dimensions other than rows and columns."""
    value = call.inputs[0]
    if call.name in ("stack", "unbind"):
        raise UnsupportedOpError(f"calls {call.name}, which changes the number of dimensions")
    _refuse_unequal_sizes(call)
    position = 2 if call.name in ("chunk", "split") else 1
    dims: Any = call.argument(position, "dims" if call.name == "flip" else "dim", 0)
    if call.name == "flip" and len(call.args) > 2:
        dims = call.args[1:]
    refuse_positions(call, [dims] if isinstance(dims, int) else dims, value)
    return PartialOp((IN_PLACE,) * len(call.inputs), run_call(call))


def _refuse_unequal_sizes(call: RecordedCall) -> None:
    sizes = {value.size for value in call.inputs}
    if len(sizes) > 1:
        listed = " and ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise UnsupportedOpError(f"calls {call.name} on feature maps of {listed}")


def _dim_in_result(call: RecordedCall, value: Value, dim: int, start: int) -> int:
    """Return which dimension of the result a dimension of the value becomes."""
    before, size, shape = prod(value.shape[:dim]), value.shape[dim], call.shapes[0]
    for at in range(start, len(shape)):
        if prod(shape[:at]) == before and shape[at] == size:
            return at
    raise UnsupportedOpError(f"flattens rows and columns ({call.name})")


def _part_shape(shape: Sequence[int], rows: int, columns: int, region: Region) -> list[int]:
    sizes = list(shape)
    sizes[rows], sizes[columns] = (end - first for first, end in region)
    return sizes

"""Functions that only move numbers: crops, zeros around, views, dimensions in another order."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fullconv.inference.streaming.ops import rules
from fullconv.inference.streaming.ops._op import OpCall, PartialOp, Region, UnknownOpError, Value
from fullconv.inference.streaming.ops.pointwise import SAME, _again, refuse_places
from fullconv.inference.streaming.ranges import EdgePad, ReadRule, Shift, inside, outside


@rules.register("pad")
def padding(call: OpCall) -> PartialOp:
    """Zeros, or the outermost pixels once more, around the maps."""
    value, mode = call.given[0], call.argument(2, "mode", "constant")
    ends = [int(end) for end in call.argument(1, "pad")]
    ends += [0] * (2 * len(value.shape) - len(ends))
    pairs = [(ends[at], ends[at + 1]) for at in range(0, len(ends), 2)][::-1]  # of each dimension
    others = [pair for dim, pair in enumerate(pairs) if dim not in (value.rows, value.columns)]
    if mode not in ("constant", "replicate") or any(pair != (0, 0) for pair in others):
        raise UnknownOpError(f"pads by {ends} ({mode})")
    fill = call.argument(3, "value") or 0.0
    reaches: list[ReadRule] = [
        Shift(-pairs[dim][0]) if mode == "constant" else EdgePad(-pairs[dim][0], side)
        for dim, side in zip((value.rows, value.columns), value.sides, strict=True)
    ]

    def run(slabs: Sequence[Tensor], region: Region) -> Tensor:
        x = slabs[0]
        dims = (value.rows, value.columns)
        for dim, reach, wanted, side in zip(dims, reaches, region, value.sides, strict=True):
            if isinstance(reach, EdgePad):
                first, _ = inside(reach.reads(wanted), side)
                at = [reach.at(pixel) - first for pixel in range(*wanted)]
                if at != list(range(x.shape[dim])):
                    x = x.index_select(dim, torch.tensor(at, device=x.device))
                continue
            lack = outside(reach.reads(wanted), side)
            if any(lack):
                behind = [0, 0] * (x.dim() - 1 - dim)
                x = F.pad(x, (*behind, *lack), value=fill)
        return x

    return PartialOp(((reaches[0], reaches[1]),), run)


@rules.register("__getitem__")
def indexing(call: OpCall) -> PartialOp:
    """A crop by slices."""
    value = call.given[0]
    index = call.argument(1, "index")
    index = list(index) if isinstance(index, tuple | list) else [index]
    if any(not (one is Ellipsis or isinstance(one, slice)) for one in index):
        raise UnknownOpError(f"picks values by {index}")
    if Ellipsis in index:
        at = index.index(Ellipsis)
        index[at : at + 1] = [slice(None)] * (len(value.shape) - len(index) + 1)
    index += [slice(None)] * (len(value.shape) - len(index))
    starts, steps = [], []
    for one, size in zip(index, value.shape, strict=True):
        start, _, step = one.indices(size)
        starts.append(start)
        steps.append(step)
    places = (value.rows, value.columns)
    if any(steps[dim] != 1 for dim in places):
        raise UnknownOpError("takes every other row or column")
    rest = tuple(slice(None) if d in places else one for d, one in enumerate(index))

    def run(slabs: Sequence[Tensor], region: Region) -> Tensor:
        return slabs[0][rest]

    return PartialOp(((Shift(starts[value.rows]), Shift(starts[value.columns])),), run)


@rules.register("view")
@rules.register("reshape")
@rules.register("flatten")
@rules.register("unflatten")
@rules.register("squeeze")
@rules.register("unsqueeze")
def view(call: OpCall) -> PartialOp:
    """Other dimensions in the same order: rows and columns must remain dimensions."""
    value, shape = call.given[0], call.shapes[0]
    rows = _found(call, value, value.rows, 0)
    columns = _found(call, value, value.columns, rows + 1)

    def run(slabs: Sequence[Tensor], region: Region) -> Tensor:
        sizes = list(shape)
        sizes[rows], sizes[columns] = (behind - first for first, behind in region)
        return slabs[0].reshape(sizes)

    return PartialOp((SAME,), run, (rows, columns))


@rules.register("permute")
@rules.register("transpose")
@rules.register("swapaxes")
@rules.register("movedim")
def reordering(call: OpCall) -> PartialOp:
    """Dimensions in another order."""
    value = call.given[0]
    # Sizes that are all different show where each dimension goes.
    sizes = list(range(2, 2 + len(value.shape)))
    shown = list(call.again([torch.empty(sizes, device="meta")]).shape)
    return PartialOp(
        (SAME,), _again(call), (shown.index(value.rows + 2), shown.index(value.columns + 2))
    )


@rules.register("cat")
@rules.register("stack")
@rules.register("chunk")
@rules.register("split")
@rules.register("flip")
def across(call: OpCall) -> PartialOp:
    """Maps put together, taken apart or turned round, place by place."""
    value = call.given[0]
    if call.name == "stack" or any(one.sides != value.sides for one in call.given):
        raise UnknownOpError(f"calls {call.name} of maps of unequal size")
    position = 2 if call.name in ("chunk", "split") else 1
    dims: Any = call.argument(position, "dims" if call.name == "flip" else "dim", 0)
    if call.name == "flip" and len(call.args) > 2:
        dims = call.args[1:]
    refuse_places(call, [dims] if isinstance(dims, int) else dims, value)
    return PartialOp((SAME,) * len(call.given), _again(call))


def _found(call: OpCall, value: Value, dim: int, start: int) -> int:
    """Which dimension of the result one of the value's is."""
    before, size, shape = prod(value.shape[:dim]), value.shape[dim], call.shapes[0]
    for at in range(start, len(shape)):
        if prod(shape[:at]) == before and shape[at] == size:
            return at
    raise UnknownOpError(f"puts places one after the other ({call.name})")

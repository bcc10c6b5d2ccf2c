"""Ops whose output at each position depends on the inputs at the same position only."""

from collections.abc import Callable, Iterable, Sequence
from math import prod

from torch import Tensor

from fullconv.inference.streaming.op import (
    AxisRules,
    PartialOp,
    RecordedCall,
    Region,
    Value,
)
from fullconv.inference.streaming.ops import rules
from fullconv.inference.streaming.ranges import Shift, WholeAxis
from fullconv.networks.tracing.ops import OpKind, UnsupportedOpError, tensors_in

_VERBS: dict[OpKind | None, str] = {
    OpKind.ADAPTIVE_POOLING: "pools",
    OpKind.GLOBAL_NORM: "normalizes",
    OpKind.MATMUL: "multiplies positions",
    OpKind.ATTENTION: "attends",
}
IN_PLACE = (Shift(), Shift())  # along rows and columns
_WHOLE_PIXEL = (WholeAxis(1), WholeAxis(1))


@rules.register(OpKind.POINTWISE)
@rules.register(OpKind.DROPOUT)
def pointwise(call: RecordedCall) -> PartialOp:
    """Compute a function of numbers, or of several numbers at the same position."""
    first = call.source
    rank = len(call.shapes[0])
    rows, columns = first.rows - len(first.shape), first.columns - len(first.shape)
    for value in call.inputs:
        dims = (value.rows - len(value.shape), value.columns - len(value.shape))
        if dims != (rows, columns) or (value.size != first.size and not value.is_global):
            raise UnsupportedOpError(
                f"calls {call.name} on feature maps of {first.size} and {value.size}"
            )
    for weight in tensors_in((call.args, call.kwargs)):
        sizes = [prod(weight.shape[dim:][:1]) for dim in (rows, columns) if weight.dim() >= -dim]
        if any(size != 1 for size in sizes):
            raise UnsupportedOpError(f"calls {call.name} with a weight for every position")
    reads = tuple(_WHOLE_PIXEL if value.is_global else IN_PLACE for value in call.inputs)
    return PartialOp(reads, run_call(call), (rank + rows, rank + columns))


@rules.register(OpKind.CHANNELS)
@rules.register(OpKind.SOFTMAX)
def channels(call: RecordedCall) -> PartialOp:
    """Compute a norm, softmax or linear layer over the channels of each position."""
    refuse_positions(call, call.mixed_dims(len(call.inputs[0].shape)), call.inputs[0])
    weight = call.argument(1, "weight") if call.name == "linear" else None
    cost = weight[0].numel() if isinstance(weight, Tensor) else 0
    return PartialOp((IN_PLACE,), run_call(call), per_output=cost)


@rules.register(OpKind.REDUCTION)
def reduction(call: RecordedCall) -> PartialOp:
    """Compute a mean, sum or maximum over dimensions other than rows and columns."""
    value = call.inputs[0]
    dims = {dim % len(value.shape) for dim in call.mixed_dims(len(value.shape))}
    if not (call.allow_global and dims >= {value.rows, value.columns}):
        refuse_positions(call, dims, value)
    if len(call.shapes[0]) != len(value.shape):
        raise UnsupportedOpError(f"calls {call.name} without keepdim")
    return PartialOp((_reads(value, call.shapes[0]),), run_call(call))


@rules.register(OpKind.ADAPTIVE_POOLING)
def adaptive_pooling(call: RecordedCall) -> PartialOp:
    """Pool all positions into one."""
    value, shape = call.inputs[0], call.shapes[0]
    if not call.allow_global or (shape[value.rows], shape[value.columns]) != (1, 1):
        return over_the_whole_image(call)
    return PartialOp((_reads(value, shape),), run_call(call))


def _reads(value: Value, shape: Sequence[int]) -> AxisRules:
    """Return what a function reads whose result has the dimensions of its input."""
    if (shape[value.rows], shape[value.columns]) == value.size:
        return IN_PLACE
    return WholeAxis(value.size[0]), WholeAxis(value.size[1])


@rules.register(OpKind.GLOBAL_NORM)
@rules.register(OpKind.MATMUL)
@rules.register(OpKind.ATTENTION)
def over_the_whole_image(call: RecordedCall) -> PartialOp:
    """Refuse an op whose output at one position depends on all positions."""
    raise UnsupportedOpError(f"{_VERBS[call.kind]} over the whole image ({call.name})")


def refuse_positions(call: RecordedCall, dims: Iterable[int], value: Value) -> None:
    """Refuse an op that combines several positions.

    Raises:
        UnsupportedOpError: one of the dimensions is that of rows or columns.
    """
    if {dim % len(value.shape) for dim in dims} & {value.rows, value.columns}:
        raise UnsupportedOpError(f"takes the {call.name} over the whole image")


def run_call(call: RecordedCall) -> Callable[[Sequence[Tensor], Region], object]:
    """Return a function that repeats the call on parts of its inputs."""

    def run(parts: Sequence[Tensor], region: Region) -> object:
        return call.run(parts)

    return run

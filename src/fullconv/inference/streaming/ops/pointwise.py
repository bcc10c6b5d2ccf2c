"""Functions whose every output pixel is made of the input pixels of the same place."""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from fullconv.inference.streaming.ops import rules
from fullconv.inference.streaming.ops._op import OpCall, PartialOp, Region, UnknownOpError, Value
from fullconv.inference.streaming.ranges import Shift

SAME = (Shift(), Shift())
_SUMS = "add sub rsub mul div neg pow sqrt rsqrt exp log abs clamp where maximum minimum square"
_WRITING = "add_ sub_ mul_ div_ neg_ clamp_ relu_ hardtanh_ hardswish_ hardsigmoid_ sigmoid_"
_ALSO_WRITING = "silu_ leaky_relu_ tanh_ __iadd__ __isub__ __imul__ __itruediv__"
_OPERATORS = "__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __neg__ __pow__"
_ACTIVATIONS = (
    "relu relu6 hardtanh hardswish hardsigmoid sigmoid silu gelu leaky_relu mish tanh prelu "
    "softplus elu"
)
_COPIES = "contiguous clone detach to float type type_as dropout dropout2d feature_dropout"
_ALONG = {  # what the result at a place is made of: every number along a dimension
    "batch_norm": 1,
    "local_response_norm": 1,
    "linear": -1,
}


def pointwise(call: OpCall) -> PartialOp:
    """A function of numbers, or of several at the same place."""
    first = call.given[0]
    rank = len(call.shapes[0])
    rows, columns = first.rows - len(first.shape), first.columns - len(first.shape)
    for value in call.given:
        ranks = (value.rows - len(value.shape), value.columns - len(value.shape))
        if ranks != (rows, columns) or value.sides != first.sides:
            raise UnknownOpError(f"calls {call.name} of maps of {first.sides} and of {value.sides}")
    for weight in _weights((call.args, call.kwargs)):
        reaches = [prod(weight.shape[dim:][:1]) for dim in (rows, columns) if weight.dim() >= -dim]
        if any(size != 1 for size in reaches):
            raise UnknownOpError(f"calls {call.name} with a weight for every place")
    return PartialOp((SAME,) * len(call.given), _again(call), (rank + rows, rank + columns))


def along(call: OpCall) -> PartialOp:
    """A function of all numbers along a dimension, which may not be the rows' or the columns'."""
    refuse_places(call, [_ALONG[call.name]], call.given[0])
    outputs = call.argument(1, "weight") if call.name == "linear" else None
    cost = outputs[0].numel() if isinstance(outputs, Tensor) else 0
    return PartialOp((SAME,), _again(call), per_output=cost)


@rules.register("layer_norm")
def layer_norm(call: OpCall) -> PartialOp:
    """A norm over the last dimensions."""
    refuse_places(call, range(-len(call.argument(1, "normalized_shape")), 0), call.given[0])
    return PartialOp((SAME,), _again(call))


@rules.register("mean")
@rules.register("sum")
@rules.register("amax")
@rules.register("norm")
def reduction(call: OpCall) -> PartialOp:
    """A mean, sum or maximum over dimensions other than rows and columns."""
    value = call.given[0]
    position = 2 if call.name == "norm" else 1
    dims = call.argument(position, "dim")
    dims = [dims] if isinstance(dims, int) else dims
    refuse_places(call, range(len(value.shape)) if dims is None else dims, value)
    if not call.argument(position + 1, "keepdim", False):
        raise UnknownOpError(f"calls {call.name} that takes a dimension away")
    return PartialOp((SAME,), _again(call))


@rules.register("adaptive_avg_pool2d")
@rules.register("adaptive_max_pool2d")
def global_pooling(call: OpCall) -> PartialOp:
    """A pooling to a fixed size."""
    raise UnknownOpError("pools over the whole image")


def refuse_places(call: OpCall, dims: Iterable[int], value: Value) -> None:
    """Refuse a function that lets one place see others.

    Raises:
        UnknownStepError: one of the dimensions is the rows' or the columns'.
    """
    if {dim % len(value.shape) for dim in dims} & {value.rows, value.columns}:
        raise UnknownOpError(f"takes the {call.name} over the whole image")


def _again(call: OpCall) -> Any:
    def run(slabs: Sequence[Tensor], region: Region) -> Any:
        return call.again(slabs)

    return run


def _weights(value: Any) -> Iterable[Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _weights(one)
    elif isinstance(value, dict):
        yield from _weights(tuple(value.values()))


for _name in f"{_SUMS} {_WRITING} {_ALSO_WRITING} {_OPERATORS} {_ACTIVATIONS} {_COPIES}".split():
    rules.register(_name)(pointwise)
for _name in _ALONG:
    rules.register(_name)(along)

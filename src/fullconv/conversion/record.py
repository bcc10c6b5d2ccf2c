"""Record the calls that a network makes, with arguments that hold for images of any size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fullconv.conversion.sides import MapSide, Side, term_of
from fullconv.inference.streaming.op import Slot
from fullconv.networks.tracing.copies import empty_batch
from fullconv.networks.tracing.ops import OpCall, UnsupportedOpError, tensors_in
from fullconv.networks.tracing.recorder import FunctionRecorder, name_of, run_recorded

EXAMPLES = (97, 130), (131, 227)  # (height, width); no side is a multiple of a stride


@dataclass(frozen=True)
class NetworkCall:
    """One call of a PyTorch function on feature maps.

    Attributes:
        call: with a `Slot` for every feature map, and a `Side` for every number that follows from
            their sides.
        inputs: indices of the feature maps that it reads.
        outputs: indices of those that it returns.
        module: path of the layer that made it.
    """

    call: OpCall
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    module: str


@dataclass(frozen=True)
class NetworkCalls:
    """All calls from an image to its scores.

    Attributes:
        calls: in the order in which they ran.
        shapes: of the feature maps; number 0 is the image.
        output: index of the scores.
        fixed: dimensions of the maps that are the same for all images: (index, dim) -> side.
        names: id of a weight -> its name.
    """

    calls: tuple[NetworkCall, ...]
    shapes: tuple[tuple[int, ...], ...]
    output: int
    fixed: dict[MapSide, int]
    names: dict[int, str]


@torch.no_grad()
def record_calls(network: nn.Module, size: tuple[int, int] | None = None) -> NetworkCalls:
    """Record a network on an image without numbers, so nothing is computed.

    For any size it is recorded on images of two sizes: both have to make the same calls, with
    arguments that have the same formulas. What a layer makes of the size in another way is refused.

    Args:
        network: in evaluation mode; a copy of its modules is run.
        size: (height, width) of all images; None for any size.

    Raises:
        UnsupportedOpError: what the network computes cannot be told for all sizes.
        GeometryError: it does not run on the images.
    """
    if size is not None:
        found = _record(network, size)
        fixed = dict(_sides(found.shapes))
        return NetworkCalls(found.calls, found.shapes, found.output, fixed, found.names)
    first, second = (_record(network, example) for example in EXAMPLES)
    if len(first.calls) != len(second.calls):
        raise UnsupportedOpError("makes other calls for images of other sizes")
    for one, other in zip(first.calls, second.calls, strict=True):
        _check_equal(one, other)
    others = dict(_sides(second.shapes))
    fixed = {key: side for key, side in _sides(first.shapes) if key.dim and others[key] == side}
    return NetworkCalls(first.calls, first.shapes, first.output, fixed, first.names)


class CallRecorder(FunctionRecorder[int]):
    """Record calls on feature maps; the fact about a map is its index."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.calls: list[NetworkCall] = []
        self.shapes: list[tuple[int, ...]] = [_shape(image)]
        self.remember(image, 0)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function and record it; return the sides of feature maps with their formulas."""
        name = name_of(func)
        if name in ("shape", "size") and (index := self.fact(args[0])) is not None:
            shape = [Side(side, MapSide(index, dim)) for dim, side in enumerate(args[0].shape)]
            dim = (kwargs or {}).get("dim", args[1] if len(args) > 1 else None)
            return torch.Size(shape) if dim is None else shape[dim]
        return super().__torch_function__(func, types, args, kwargs)

    def record(self, call: OpCall) -> None:
        """Add a call if it computes something of feature maps."""
        maps = [tensor for tensor in tensors_in((call.args, call.kwargs)) if self._is_map(tensor)]
        results = list(tensors_in(call.result))
        if not maps or not results:
            return
        slots = {id(tensor): Slot(self._index(tensor)) for tensor in maps}
        inputs = tuple(slot.index for slot in slots.values())
        args, kwargs = _with_slots(call.args, slots), _with_slots(call.kwargs, slots)
        outputs = []
        for tensor in results:
            outputs.append(len(self.shapes))
            self.remember(tensor, len(self.shapes))
            self.shapes.append(_shape(tensor))
        made = OpCall(call.name, call.function, args, kwargs)
        self.calls.append(NetworkCall(made, inputs, tuple(outputs), self.module))

    def _is_map(self, tensor: Tensor) -> bool:
        return self.fact(tensor) is not None

    def _index(self, tensor: Tensor) -> int:
        index = self.fact(tensor)
        assert index is not None
        return index


@dataclass(frozen=True)
class _Recorded:
    calls: tuple[NetworkCall, ...]
    shapes: tuple[tuple[int, ...], ...]
    output: int
    names: dict[int, str]


def _record(network: nn.Module, size: tuple[int, int]) -> _Recorded:
    copy = empty_batch(network)
    recorder = CallRecorder(image := copy.image(size))
    scores = run_recorded(copy, image, recorder)
    index = recorder.fact(scores) if isinstance(scores, Tensor) else None
    if index is None:
        raise UnsupportedOpError("does not return one tensor of scores")
    tensors = (*copy.network.named_parameters(), *copy.network.named_buffers())
    names = {id(tensor): name for name, tensor in tensors}
    return _Recorded(tuple(recorder.calls), tuple(recorder.shapes), index, names)


def _sides(shapes: tuple[tuple[int, ...], ...]) -> Iterator[tuple[MapSide, int]]:
    for index, shape in enumerate(shapes):
        yield from ((MapSide(index, dim), side) for dim, side in enumerate(shape))


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape for one image, of a tensor for none."""
    return tuple(side or 1 for side in tensor.shape)


def _with_slots(value: Any, slots: dict[int, Slot]) -> Any:
    if isinstance(value, Tensor):
        return slots.get(id(value), value)
    if isinstance(value, tuple | list):
        items = [_with_slots(item, slots) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict):
        return {key: _with_slots(item, slots) for key, item in value.items()}
    return value


def _check_equal(one: NetworkCall, other: NetworkCall) -> None:
    """Check that a call is the same for images of two sizes."""
    same = (one.call.name, one.inputs, one.outputs) == (
        other.call.name,
        other.inputs,
        other.outputs,
    )
    arguments = (one.call.args, one.call.kwargs), (other.call.args, other.call.kwargs)
    if not same or not _equal(*arguments):
        raise UnsupportedOpError(f"calls {one.call.name} in another way for images of other sizes")


def _equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, Side):
        return term_of(one) == term_of(other)
    if isinstance(one, slice):
        ends = (one.start, one.stop, one.step), (other.start, other.stop, other.step)
        return all(map(_equal, *ends))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, Tensor):
        # Weights made of weights are computed in each run.
        return one is other or (one.shape == other.shape and torch.equal(one, other))
    return bool(one == other)

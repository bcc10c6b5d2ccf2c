"""Record a network, on images of one size, as a graph of ops that can run on parts.

The network is recorded once, on tensors without data, at the image's true size: every padding, crop
and resize is then a plain number, whatever the layers computed it from. Ops that no rule of `ops`
supports, or that depend on the whole image, are refused by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.inference.streaming.op import (
    AxisRules,
    Op,
    PartialOp,
    RecordedCall,
    Region,
    Slot,
    Value,
)
from fullconv.inference.streaming.ops import rules
from fullconv.inference.streaming.ranges import WholeAxis, clip
from fullconv.networks.tracing.copies import RunCopy, empty_batch, meta_copy
from fullconv.networks.tracing.ops import OpCall, OpKind, UnsupportedOpError, tensors_in
from fullconv.networks.tracing.recorder import FunctionRecorder, name_of, run_recorded

__all__ = ["Op", "OpGraph", "Region", "Value", "record_ops"]

# Their arguments may hold the number of images.
_COUNT_IMAGES = {OpKind.VIEW, OpKind.EXPAND, OpKind.MATMUL, OpKind.ATTENTION, OpKind.GLOBAL_NORM}

_WARN_WITHOUT_NUMBERS = {"var", "std", "var_mean", "std_mean"}


@dataclass(frozen=True)
class OpGraph:
    """All ops from an image of one size to its scores.

    Attributes:
        values: what the ops read and compute; number 0 is the image.
        ops: in the order in which they ran.
        output: index of the value that holds the scores.
        image: on which the network was recorded, without data.
    """

    values: tuple[Value, ...]
    ops: tuple[Op, ...]
    output: int
    image: Tensor

    def blank(self, region: Region) -> Tensor:
        """Return a region of the image without data, for a run that computes sizes only."""
        rows, columns = (end - first for first, end in region)
        return self.image.new_empty(*self.image.shape[:2], rows, columns)

    def needed(self, region: Region) -> dict[int, Region]:
        """Return the part of each value that a region of the output depends on."""
        return self.needed_for({self.output: region}, range(len(self.ops)))

    def needed_for(self, wanted: Mapping[int, Region], ops: Sequence[int]) -> dict[int, Region]:
        """Return the part of each value that regions of some depend on, by some of the ops.

        Args:
            wanted: index of a value -> the region of it.
            ops: indices of ops, in an order in which they can run.
        """
        parts = dict(wanted)
        for op in (self.ops[at] for at in reversed(ops)):
            outputs = [parts[index] for index in op.outputs if index in parts]
            if not outputs:
                continue
            computed = reduce(Region.hull, outputs)  # all results of a call are computed together
            parts |= {index: computed for index in op.outputs if index in parts}
            for index, reads in zip(op.inputs, op.partial.reads, strict=True):
                part = self._read(index, reads, computed)
                parts[index] = part.hull(parts.get(index, part))
        return parts

    def _read(self, index: int, reads: AxisRules, output: Region) -> Region:
        height, width = self.values[index].size
        rows = clip(reads[0].reads(output.rows), height)
        return Region(rows, clip(reads[1].reads(output.columns), width))


def record_ops(
    network: nn.Module,
    size: tuple[int, int],
    channels: int = 3,
    weights: bool = True,
    allow_global: bool = False,
) -> OpGraph:
    """Record the ops of a network, in evaluation mode, on an image of `size` (height, width).

    Args:
        network: image -> scores.
        size: of the image.
        channels: of the image.
        weights: whether the ops hold the network's weights; without them they compute shapes only.
        allow_global: whether an op may read all of a map, as a mean over the image does. Such a
            graph states what depends on what; it cannot be streamed.

    Other threads may use the network meanwhile: a copy of its modules is recorded.

    Raises:
        GeometryError: an op cannot be computed on a part of the image.
    """
    if opaque := getattr(network, "opaque", ""):
        raise GeometryError(opaque)
    try:
        return _record(empty_batch(network), size, channels, weights, allow_global)
    except (_NeedsNumbersError, GeometryError):  # a batch of no images is not enough
        return _record(meta_copy(network), size, channels, weights, allow_global)


def _record(
    copy: RunCopy, size: tuple[int, int], channels: int, weights: bool, allow_global: bool
) -> OpGraph:
    for module in copy.network.modules():
        if hasattr(module, "sparse_padding"):  # it holds for one whole image only
            module.sparse_padding = False  # type: ignore[assignment]
        if hasattr(module, "optimized_backbone"):  # its functions have no rules
            module.optimized_backbone = None  # type: ignore[assignment]
        if hasattr(module, "engine"):
            module.engine = None  # type: ignore[assignment]
    recorder = OpRecorder(
        copy.image(size, channels),
        {key: (t, own if weights else t) for key, (t, own) in copy.weights.items()},
        allow_global,
    )
    try:
        scores = run_recorded(copy, recorder.image, recorder)
    except UnsupportedOpError as error:
        where = f" in {recorder.module}" if recorder.module else ""
        raise GeometryError(f"{error}{where}") from error
    except GeometryError as error:
        raise GeometryError(f"cannot be traced ({error})") from error
    return recorder.graph(scores)


class _NeedsNumbersError(Exception):
    """A function whose arguments or result depend on the number of images."""


class OpRecorder(FunctionRecorder[int]):
    """Record the ops between feature maps; the fact about a tensor is the index of its value.

    Args:
        image: the network's input.
        weights: id of each weight without data -> that tensor and the weight itself.
        allow_global: see `record_ops`.
    """

    def __init__(
        self, image: Tensor, weights: dict[int, tuple[Tensor, Tensor]], allow_global: bool = False
    ) -> None:
        super().__init__()
        self.image, self._allow_global = image, allow_global
        self._values = [Value(_shape(image), bytes=image.element_size())]
        self._ops: list[Op] = []
        self._weights = weights
        self.remember(image, 0)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a function and record it, unless it warns about a batch of no images."""
        name = name_of(func)
        if name in _WARN_WITHOUT_NUMBERS and not len(self.image):
            raise _NeedsNumbersError(name)
        return super().__torch_function__(func, types, args, kwargs)

    def record(self, call: OpCall) -> None:
        """Add an op to the graph, if the call computes tensors from feature maps."""
        results = list(tensors_in(call.result))
        tensors = list(tensors_in((call.args, call.kwargs)))
        if not results or not tensors:
            return
        maps = [tensor for tensor in tensors if self.fact(tensor) is not None]
        if not maps:
            self._compute_weights(call, results)
            return
        inputs = tuple(index for tensor in maps if (index := self.fact(tensor)) is not None)
        slots = {id(tensor): Slot(index) for index, tensor in enumerate(maps)}
        recorded = RecordedCall(
            call.name,
            call.function,
            self._with_weights(call.args, slots),
            self._with_weights(call.kwargs, slots),
            inputs=tuple(self._values[index] for index in inputs),
            shapes=tuple(_shape(tensor) for tensor in results),
            allow_global=self._allow_global,
        )
        if not len(self.image) and recorded.kind in _COUNT_IMAGES:
            raise _NeedsNumbersError(call.name)
        if recorded.kind is None:
            raise UnsupportedOpError(f"calls {call.name}, which has no rule for parts of an image")
        partial = rules[recorded.kind](recorded)
        in_place = any(result is tensor for result in results for tensor in maps)
        if in_place and not len(self.image) and not _may_return_its_input(call):
            raise _NeedsNumbersError(call.name)  # some functions return an empty input as it is
        self._add(call.name, inputs, results, _on_copies(partial) if in_place else partial)

    def graph(self, scores: Any) -> OpGraph:
        """Return the graph of a network that has returned `scores`."""
        index = self.fact(scores) if isinstance(scores, Tensor) else None
        if index is None:
            raise GeometryError("does not return one tensor of scores")
        return OpGraph(tuple(self._values), tuple(self._ops), index, self.image)

    def _add(
        self, name: str, inputs: tuple[int, ...], results: list[Tensor], partial: PartialOp
    ) -> None:
        values = [self._values[index] for index in inputs]
        at = next((at for at, value in enumerate(values) if not value.is_global), 0)
        source, reads = values[at], partial.reads[at]
        rows, columns = partial.dims or (source.rows, source.columns)
        stride = source.stride * reads[0].scale
        is_global = source.is_global or isinstance(reads[0], WholeAxis)
        outputs = []
        for tensor in results:
            index = len(self._values)
            outputs.append(index)
            self.remember(tensor, index)
            value = Value(_shape(tensor), rows, columns, stride, tensor.element_size(), is_global)
            self._values.append(value)
        self._ops.append(Op(name, inputs, tuple(outputs), partial))

    def _compute_weights(self, call: OpCall, results: list[Tensor]) -> None:
        """Compute weights that are made of weights, such as standardized ones, once."""
        args, kwargs = self._with_weights(call.args, {}), self._with_weights(call.kwargs, {})
        for shadow, weight in zip(results, tensors_in(call.function(*args, **kwargs)), strict=True):
            self._weights[id(shadow)] = (shadow, weight)

    def _with_weights(self, value: Any, slots: dict[int, Slot]) -> Any:
        """Return arguments with slots for feature maps, and the weights for their shadows."""
        if isinstance(value, Tensor):
            if id(value) in slots:
                return slots[id(value)]
            if id(value) in self._weights:
                return self._weights[id(value)][1]
            raise UnsupportedOpError("uses a tensor that is neither a weight nor made of the image")
        if isinstance(value, tuple | list):
            items = [self._with_weights(item, slots) for item in value]
            return tuple(items) if isinstance(value, tuple) else items
        if isinstance(value, dict):
            return {key: self._with_weights(item, slots) for key, item in value.items()}
        return value


def _may_return_its_input(call: OpCall) -> bool:
    """Whether a function returns its input also if that holds numbers."""
    return (
        call.name.endswith("_") or call.kind is OpKind.DROPOUT or bool(call.kwargs.get("inplace"))
    )


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape for one image, of a tensor for one or none."""
    return tuple(side or 1 for side in tensor.shape)


def _on_copies(partial: PartialOp) -> PartialOp:
    """Return an op that works on copies, for a function that writes into its arguments."""

    def run(parts: Any, region: Region) -> Any:
        return partial.run([part.clone() for part in parts], region)

    return replace(partial, run=run)

"""Ops of a recorded network: a call on whole feature maps, and how to compute a part of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from torch import Tensor

from fullconv.inference.streaming.ranges import ReadRule, hull
from fullconv.networks.geometry import Span
from fullconv.networks.tracing.ops import OpCall

AxisRules = tuple[ReadRule, ReadRule]  # along rows, along columns


class Region(NamedTuple):
    """A rectangle of a feature map: rows and columns, each (first, end) without the end."""

    rows: Span
    columns: Span

    def hull(self, other: "Region") -> "Region":
        """Return the smallest region that contains both."""
        return Region(hull(self.rows, other.rows), hull(self.columns, other.columns))


@dataclass(frozen=True)
class Value:
    """A feature map in the graph.

    Attributes:
        shape: of the whole map.
        rows: the dimension of its rows.
        columns: the dimension of its columns.
        stride: image rows per row of the map.
        bytes: per number.
        is_global: whether it has one row and column, computed from all of the image.
    """

    shape: tuple[int, ...]
    rows: int = 2
    columns: int = 3
    stride: Fraction = Fraction(1)
    bytes: int = 4
    is_global: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the whole map."""
        return self.shape[self.rows], self.shape[self.columns]


@dataclass(frozen=True)
class Slot:
    """Stands for the feature map number `index` in the arguments of a call."""

    index: int


@dataclass(frozen=True)
class RecordedCall(OpCall):
    """A call on whole feature maps; in its arguments, slots stand for the maps.

    Attributes:
        inputs: the feature maps, in the order of their slots.
        shapes: of the tensors that it returned.
        allow_global: whether it may read all of a map, which is refused otherwise.
    """

    inputs: tuple[Value, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
    allow_global: bool = False

    @property
    def source(self) -> Value:
        """The first feature map with positions; if there is none, the first."""
        return next((value for value in self.inputs if not value.is_global), self.inputs[0])

    def run(self, parts: Sequence[Tensor]) -> Any:
        """Repeat the call on parts of the feature maps."""
        return self.function(*_fill(self.args, parts), **_fill(self.kwargs, parts))


@dataclass(frozen=True)
class PartialOp:
    """How to compute an op on a part of its input.

    Attributes:
        reads: for each input, what the op reads of it along rows and columns.
        run: (parts of the inputs, region of the output) -> the output in that region.
        dims: dimensions of rows and columns in each result; None if as in the first input.
        per_output: multiply-adds per number of the output.
        per_input: multiply-adds per number of the first input.
        weights: bytes of weights, which oneDNN reorders at each call.
        copies: maps of the output's size that the op holds besides it.
    """

    reads: tuple[AxisRules, ...]
    run: Callable[[Sequence[Tensor], Region], Any]
    dims: tuple[int, int] | None = None
    per_output: int = 0
    per_input: int = 0
    weights: int = 0
    copies: int = 0

    def workspace(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Return the bytes of the op's own copies, and of maps and weights in oneDNN's layouts."""
        own = self.copies * sum(storage_bytes(x) for x in outputs)
        if not self.weights:
            return own
        copies = 2 if self.per_input else 1  # measured: a transposed convolution makes two
        return own + self.weights + copies * max(_blocked_bytes(x) for x in (*inputs, *outputs))


@dataclass(frozen=True)
class Op:
    """One op of the graph.

    Attributes:
        name: of the function.
        inputs: indices of the values that it reads.
        outputs: indices of the values that it computes.
        partial: how to compute it on a part.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    partial: PartialOp = field(repr=False)


def _blocked_bytes(x: Tensor) -> int:
    """Return the bytes of a map in blocks of 16 channels."""
    channels = max(1, x.shape[1])
    return storage_bytes(x) * (-(-channels // 16) * 16) // channels


def storage_bytes(x: Tensor) -> int:
    """Return the bytes that a tensor keeps in memory: all of its storage, even if it is a view.

    A batch of no images counts as one image.
    """
    if x.numel() or 0 in x.shape[1:]:
        return x.untyped_storage().nbytes()
    longest = max((step * max(1, side) for step, side in zip(x.stride(), x.shape, strict=True)))
    return longest * x.element_size()


def _fill(value: Any, parts: Sequence[Tensor]) -> Any:
    if isinstance(value, Slot):
        return parts[value.index]
    if isinstance(value, tuple | list):
        return type(value)(_fill(item, parts) for item in value)
    if isinstance(value, dict):
        return {key: _fill(item, parts) for key, item in value.items()}
    return value

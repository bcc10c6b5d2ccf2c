"""One call of one of PyTorch's functions, and how it is done on a part of its input."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from torch import Tensor

from fullconv.inference.streaming.ranges import Range, ReadRule, hull

Sides = tuple[ReadRule, ReadRule]  # along rows, along columns


class UnknownOpError(Exception):
    """A step that cannot be done on a part of its input; the message says what it does."""


class Region(NamedTuple):
    """A part of a value: rows and columns, each (first, behind the last)."""

    rows: Range
    columns: Range

    def hull(self, other: "Region") -> "Region":
        """The smallest region that holds both."""
        return Region(hull(self.rows, other.rows), hull(self.columns, other.columns))


@dataclass(frozen=True)
class Value:
    """A tensor of the network that has a place for each of its numbers.

    Attributes:
        shape: of the whole.
        rows: the dimension that is the image's rows.
        columns: likewise.
        stride: image rows from one of its rows to the next.
        bytes: of one number.
    """

    shape: tuple[int, ...]
    rows: int = 2
    columns: int = 3
    stride: Fraction = Fraction(1)
    bytes: int = 4

    @property
    def sides(self) -> tuple[int, int]:
        """(height, width) of the whole."""
        return self.shape[self.rows], self.shape[self.columns]


@dataclass(frozen=True)
class Slot:
    """Stands in a call's arguments for the tensor that it is given in this position."""

    number: int


@dataclass(frozen=True)
class OpCall:
    """One call, as it was made on the whole image.

    Attributes:
        name: of the function.
        function: itself.
        args: with slots for tensors of the network; weights stand there themselves.
        kwargs: likewise.
        given: the tensors for the slots.
        shapes: of the tensors that it returned.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    given: tuple[Value, ...]
    shapes: tuple[tuple[int, ...], ...]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by its position or its name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def pair(self, position: int, name: str, default: Any = None) -> tuple[int, int]:
        """An argument that is a number for both sides, or one for each."""
        value = self.argument(position, name, default)
        values = tuple(value) if isinstance(value, tuple | list) else (value,)
        if not all(type(one) is int for one in values):
            raise UnknownOpError(f"calls {self.name} with {name}={value!r}")
        return values[0], values[-1]

    def again(self, slabs: Sequence[Tensor]) -> Any:
        """The same call on parts of its tensors."""
        return self.function(*_filled(self.args, slabs), **_filled(self.kwargs, slabs))


@dataclass(frozen=True)
class PartialOp:
    """How a call is done on a part of its input.

    Attributes:
        reaches: what each tensor that it is given is read for.
        run: (those parts of the tensors, the region of the output) -> the output there.
        places: dimensions of rows and columns of each result; None are the first tensor's.
        per_output: multiply-adds for each number of the output.
        per_input: likewise for each number of the first tensor.
        weights: bytes of weights, which oneDNN lays out anew at each call.
    """

    reaches: tuple[Sides, ...]
    run: Callable[[Sequence[Tensor], Region], Any]
    places: tuple[int, int] | None = None
    per_output: int = 0
    per_input: int = 0
    weights: int = 0

    def workspace(self, given: Sequence[Tensor], made: Sequence[Tensor]) -> int:
        """Bytes that it takes beside inputs and outputs: maps and weights laid out for oneDNN."""
        if not self.weights:
            return 0
        copies = 2 if self.per_input else 1  # measured: a transposed convolution makes two
        return self.weights + copies * max(_blocked(tensor) for tensor in (*given, *made))


def _blocked(x: Tensor) -> int:
    """Bytes of maps in blocks of 16 channels."""
    channels = max(1, x.shape[1])
    return x.untyped_storage().nbytes() * (-(-channels // 16) * 16) // channels


@dataclass(frozen=True)
class Op:
    """A call in the order of the network's calls.

    Attributes:
        name: of the function.
        inputs: numbers of the values that it reads.
        outputs: of those that it makes.
        doing: how.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    doing: PartialOp = field(repr=False)


def _filled(value: Any, slabs: Sequence[Tensor]) -> Any:
    if isinstance(value, Slot):
        return slabs[value.number]
    if isinstance(value, tuple | list):
        return type(value)(_filled(one, slabs) for one in value)
    if isinstance(value, dict):
        return {key: _filled(one, slabs) for key, one in value.items()}
    return value

"""The input rows that an op reads for given output rows: whole numbers, along one axis.

What holds for rows holds for columns. A span is (first, end), without the end. One that reaches
past the input's ends, below 0 or above its size, includes what the op puts there, such as zeros.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

from fullconv.networks.geometry import SlidingWindow, Span


@runtime_checkable
class ReadRule(Protocol):
    """What each output of an op reads along one axis; a `SlidingWindow` is one."""

    @property
    def scale(self) -> Fraction:
        """Input positions per output position."""

    def reads(self, outputs: Span) -> Span:
        """Return the inputs that these outputs read."""


@dataclass(frozen=True)
class TransposedWindow:
    """The window of a transposed convolution: each input is spread over `window.kernel` outputs.

    Attributes:
        window: of the convolution that it transposes.
    """

    window: SlidingWindow

    @property
    def scale(self) -> Fraction:
        """Input positions per output position."""
        return 1 / self.window.scale

    def reads(self, outputs: Span) -> Span:
        """Return the inputs that are spread over these outputs."""
        first, end = self.window.touching(outputs)
        return min(first, end - 1), end  # with gaps between windows, an output may read nothing

    def first_output(self, position: int) -> int:
        """Return the first output that an input is spread over."""
        return self.window.reads((position, position + 1))[0]


@dataclass(frozen=True)
class Shift:
    """Output `i` is input `i + shift`: a crop, or with a negative shift, padding."""

    shift: int = 0

    @property
    def scale(self) -> Fraction:
        """Input positions per output position."""
        return Fraction(1)

    def reads(self, outputs: Span) -> Span:
        """Return the inputs that these outputs read."""
        return outputs[0] + self.shift, outputs[1] + self.shift


@dataclass(frozen=True)
class EdgePad:
    """Like `Shift`, but the first and last inputs are repeated past the ends.

    Attributes:
        shift: the input at output 0.
        size: of the input.
    """

    shift: int
    size: int

    @property
    def scale(self) -> Fraction:
        """Input positions per output position."""
        return Fraction(1)

    def reads(self, outputs: Span) -> Span:
        """Return the inputs that these outputs read."""
        return self.source(outputs[0]), self.source(outputs[1] - 1) + 1

    def source(self, output: int) -> int:
        """Return the input that an output repeats."""
        return min(max(output + self.shift, 0), self.size - 1)


@dataclass(frozen=True)
class UnpoolWindow:
    """Max-unpooling: each input is written into one of `window` outputs of its own.

    Attributes:
        window: outputs per input.
        reads_all: read all inputs of the window (from a map of the output's size) instead of the
            one input that belongs to it.
    """

    window: int
    reads_all: bool = False

    @property
    def scale(self) -> Fraction:
        """Input positions per output position."""
        return Fraction(1) if self.reads_all else Fraction(1, self.window)

    def reads(self, outputs: Span) -> Span:
        """Return the inputs that these outputs read."""
        windows = SlidingWindow(self.window, self.window)
        touched = windows.touching(outputs)
        return windows.reads(touched) if self.reads_all else touched


@dataclass(frozen=True)
class WholeAxis:
    """Every output reads all inputs, as a mean over the whole map does.

    Attributes:
        size: of the input.
    """

    size: int

    @property
    def scale(self) -> Fraction:
        """Input positions per output position; what it computes has no positions."""
        return Fraction(1)

    def reads(self, outputs: Span) -> Span:
        """Return all inputs."""
        return 0, self.size


def clip(span: Span, size: int) -> Span:
    """Return the part of a span that is in an input of `size` positions; it may be empty."""
    first = min(max(span[0], 0), size)
    return first, min(max(span[1], first), size)


def overhang(span: Span, size: int) -> tuple[int, int]:
    """Return how many positions of a span are before and after an input of `size` positions."""
    first, end = clip(span, size)
    total = span[1] - span[0] - (end - first)
    before = min(max(-span[0], 0), total)
    return before, total - before


def hull(a: Span, b: Span) -> Span:
    """Return the smallest span that contains both; an empty one does not count."""
    if a[0] >= a[1] or b[0] >= b[1]:
        return max(a, b, key=lambda span: span[1] - span[0])
    return min(a[0], b[0]), max(a[1], b[1])

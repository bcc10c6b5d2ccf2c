"""Which of its input's rows a layer reads for its output's rows: whole numbers, along one side.

What holds for rows holds for columns. A range is (first, behind the last); one that reaches past
the input's ends, below 0 or above its size, means what the layer puts there, such as zeros.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

Range = tuple[int, int]


@runtime_checkable
class ReadRule(Protocol):
    """Along one side, what each of a layer's outputs reads."""

    @property
    def scale(self) -> Fraction:
        """Input pixels from one output pixel to the next."""

    def reads(self, wanted: Range) -> Range:
        """The input's pixels that the output's `wanted` ones are made of."""


@dataclass(frozen=True)
class SlidingWindow:
    """A window that slides over its input: convolutions and poolings.

    Attributes:
        kernel: pixels that it reads.
        stride: from one window to the next.
        before: pixels that the first window begins before the input.
        dilation: pixels from one that it reads to the next.
    """

    kernel: int
    stride: int = 1
    before: int = 0
    dilation: int = 1

    @property
    def scale(self) -> Fraction:
        """Input pixels from one output pixel to the next."""
        return Fraction(self.stride)

    def reads(self, wanted: Range) -> Range:
        """The input's pixels that the output's `wanted` ones are made of."""
        first = wanted[0] * self.stride - self.before
        last = (wanted[1] - 1) * self.stride - self.before + self.dilation * (self.kernel - 1)
        return first, last + 1


@dataclass(frozen=True)
class TransposedWindow:
    """A sliding window backwards: each input pixel is spread over `kernel` outputs.

    Attributes:
        kernel: pixels that one is spread over, from the first to the last.
        stride: outputs from one input's first to the next one's.
        before: outputs that the first input's first lies before the output.
    """

    kernel: int
    stride: int
    before: int = 0

    @property
    def scale(self) -> Fraction:
        """Input pixels from one output pixel to the next."""
        return Fraction(1, self.stride)

    def reads(self, wanted: Range) -> Range:
        """The input's pixels that the output's `wanted` ones are made of."""
        first = -((self.kernel - 1 - wanted[0] - self.before) // self.stride)
        last = (wanted[1] - 1 + self.before) // self.stride
        return min(first, last), last + 1

    def begins(self, pixel: int) -> int:
        """The first output that an input pixel is spread over."""
        return pixel * self.stride - self.before


@dataclass(frozen=True)
class Shift:
    """Output pixel `i` is input pixel `i + shift`: a crop, or (negative) zeros before the input."""

    shift: int = 0

    @property
    def scale(self) -> Fraction:
        """Input pixels from one output pixel to the next."""
        return Fraction(1)

    def reads(self, wanted: Range) -> Range:
        """The input's pixels that the output's `wanted` ones are made of."""
        return wanted[0] + self.shift, wanted[1] + self.shift


@dataclass(frozen=True)
class EdgePad:
    """Like `Shift`, but beyond its ends the input's first and last pixels are repeated.

    Attributes:
        shift: input pixel of output pixel 0.
        size: of the input.
    """

    shift: int
    size: int

    @property
    def scale(self) -> Fraction:
        """Input pixels from one output pixel to the next."""
        return Fraction(1)

    def reads(self, wanted: Range) -> Range:
        """The input's pixels that the output's `wanted` ones are made of."""
        return self.at(wanted[0]), self.at(wanted[1] - 1) + 1

    def at(self, pixel: int) -> int:
        """The input pixel that an output pixel repeats."""
        return min(max(pixel + self.shift, 0), self.size - 1)


@dataclass(frozen=True)
class UnpoolWindow:
    """Windows side by side, each of them written by one input pixel.

    Attributes:
        window: outputs of one input pixel.
        whole: whether it reads all of its window's pixels (of an input of the output's size)
            rather than the one pixel that stands for the window.
    """

    window: int
    whole: bool = False

    @property
    def scale(self) -> Fraction:
        """Input pixels from one output pixel to the next."""
        return Fraction(1) if self.whole else Fraction(1, self.window)

    def reads(self, wanted: Range) -> Range:
        """The input's pixels that the output's `wanted` ones are made of."""
        first, behind = wanted[0] // self.window, -(-wanted[1] // self.window)
        return (first * self.window, behind * self.window) if self.whole else (first, behind)


def inside(wanted: Range, size: int) -> Range:
    """The part of a range that lies in an input of `size` pixels; empty where none does."""
    first = min(max(wanted[0], 0), size)
    return first, min(max(wanted[1], first), size)


def outside(wanted: Range, size: int) -> tuple[int, int]:
    """How many pixels of a range lie before and behind an input of `size` pixels."""
    first, behind = inside(wanted, size)
    total = wanted[1] - wanted[0] - (behind - first)
    before = min(max(-wanted[0], 0), total)
    return before, total - before


def hull(one: Range, other: Range) -> Range:
    """The smallest range that holds both; an empty one counts for nothing."""
    if one[0] >= one[1] or other[0] >= other[1]:
        return max(one, other, key=lambda range_: range_[1] - range_[0])
    return min(one[0], other[0]), max(one[1], other[1])

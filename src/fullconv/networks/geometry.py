"""Compute coordinate maps, receptive fields and crop offsets in exact fractions.

Every crop offset and every receptive field of the networks is composed here from the layers
themselves: the offsets 19 (FCN-32s), 5 and 27 (16s), 5, 9 and 31 (8s) are results, not constants.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import singledispatch

from torch import nn

from fullconv.errors import GeometryError

Span = tuple[int, int]
"""Positions along one axis: the first one, and the end, which is not included."""

WindowLayer = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d


@dataclass(frozen=True)
class CoordMap:
    """Map output pixels to input coordinates: the centre of pixel `i` is at `scale * i + shift`.

    The map is the same along rows and columns. Maps compose: `(a @ b)(i) == a(b(i))`.
    """

    scale: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def __call__(self, i: Fraction | int) -> Fraction:
        """Return the input coordinate of output pixel `i`."""
        return self.scale * i + self.shift

    def __matmul__(self, inner: "CoordMap") -> "CoordMap":
        return CoordMap(self.scale * inner.scale, self(inner.shift))

    def __str__(self) -> str:
        scaled = "i" if self.scale == 1 else f"{self.scale} i"
        if not self.shift:
            return scaled
        return f"{scaled} {'+' if self.shift > 0 else '-'} {abs(self.shift)}"

    def inverse(self) -> "CoordMap":
        """Return the map from input coordinates to output pixels."""
        return CoordMap(1 / self.scale, -self.shift / self.scale)


@dataclass(frozen=True)
class SlidingWindow:
    """The window of a convolution or pooling along one axis.

    Output `i` reads the inputs `i * stride - padding + dilation * k` for `k` in `range(kernel)`.
    Inputs below 0 or past the end are padding. The default window reads one pixel in place.

    Attributes:
        padding: positions added at either end of the input.
        ceil: keep a last window that is only partly filled, as Caffe's poolings do.
    """

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    ceil: bool = False

    @property
    def extent(self) -> int:
        """Positions from the first to the last that one output reads, both included."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def scale(self) -> Fraction:
        """Input positions per output position."""
        return Fraction(self.stride)

    @property
    def coord_map(self) -> CoordMap:
        """The centre of each output's window."""
        return CoordMap(self.scale, Fraction(self.extent - 1, 2) - self.padding)

    def outputs(self, length: int) -> int:
        """Return the number of outputs for an input of `length` positions."""
        room = length + 2 * self.padding - self.extent
        if not self.ceil:
            return room // self.stride + 1
        count = -(room // -self.stride) + 1
        start = (count - 1) * self.stride - self.padding
        return count - (start >= length)  # PyTorch and Caffe drop windows that start in the padding

    def reads(self, outputs: Span) -> Span:
        """Return the inputs that these outputs read, from the first to the last."""
        first, last = outputs[0], outputs[1] - 1
        start = -self.padding
        return first * self.stride + start, last * self.stride + start + self.extent

    def within(self, inputs: Span) -> Span:
        """Return the outputs that read nothing outside of `inputs`."""
        first, end = inputs
        stop = (end + self.padding - self.extent) // self.stride + 1
        return -((first + self.padding) // -self.stride), stop

    def touching(self, inputs: Span) -> Span:
        """Return the outputs whose extent overlaps `inputs`, regardless of the input's ends.

        With gaps (`dilation` > 1) some of these outputs may skip all of `inputs`. With a stride
        larger than the extent, `inputs` may touch no output; the result is then empty or reversed.
        """
        first, end = inputs
        start = (first + self.padding - self.extent) // self.stride + 1
        return start, -((end + self.padding) // -self.stride)


@dataclass(frozen=True)
class Field:
    """The receptive field of one layer.

    Attributes:
        size: rows (and columns) of the image that one pixel depends on.
        map: the centre of that region for each pixel.
        bounded: False if the pixel also depends on the whole image, as with squeeze-and-excitation.
    """

    size: int = 1
    map: CoordMap = CoordMap()
    bounded: bool = True

    @property
    def stride(self) -> Fraction:
        """Image pixels between the centres of neighbouring pixels."""
        return self.map.scale

    def through(self, layer: nn.Module) -> "Field":
        """Return the field of the layer's output if its input has this field."""
        growth = (extent(layer) - 1) * self.stride
        return Field(self.size + math.ceil(growth), self.map @ coord_map(layer), self.bounded)


def receptive_field(layers: Iterable[nn.Module], start: Field | None = None) -> Field:
    """Return the receptive field after a sequence of layers."""
    field = start or Field()
    for layer in layers:
        field = field.through(layer)
    return field


@singledispatch
def coord_map(layer: nn.Module) -> CoordMap:
    """Return the coordinate map of one layer; new kinds of layers register their own.

    Raises:
        GeometryError: no map is registered for this kind of layer.
    """
    raise GeometryError(
        f"the coordinate map of {type(layer).__name__} is unknown; register it with "
        "fullconv.networks.geometry.coord_map"
    )


@singledispatch
def extent(layer: nn.Module) -> int:
    """Return how many rows of its input one output pixel spans; 1 unless registered otherwise."""
    return 1


def window_of(layer: WindowLayer | nn.ConvTranspose2d) -> SlidingWindow:
    """Return the window of a layer, which has to be the same along rows and columns.

    Raises:
        GeometryError: rows and columns differ, or the padding is not a number of pixels.
    """
    numbers: dict[str, int] = {}
    for name, field in _SETTINGS.items():
        value = getattr(layer, name, 1)
        pair = value if isinstance(value, tuple) else (value, value)
        if pair[0] != pair[-1] or not isinstance(pair[0], int):
            raise GeometryError(
                f"{type(layer).__name__} has {name}={value!r}; expected one number of pixels for "
                "both rows and columns"
            )
        numbers[field] = pair[0]
    return SlidingWindow(**numbers, ceil=getattr(layer, "ceil_mode", False))


def leading_padding(padding: int | str, kernel: int, dilation: int) -> int:
    """Return the padding before the input for PyTorch's `padding`: a number, "same" or "valid"."""
    if isinstance(padding, str):
        # Of an odd total, PyTorch puts the larger half at the end.
        return dilation * (kernel - 1) // 2 if padding == "same" else 0
    return padding


_SETTINGS = {
    "kernel_size": "kernel",
    "stride": "stride",
    "padding": "padding",
    "dilation": "dilation",
}
_POINTWISE: tuple[type[nn.Module], ...] = (
    *(nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh),
    *(nn.Dropout, nn.Dropout2d, nn.BatchNorm2d, nn.Identity, nn.LocalResponseNorm),
)


def _pointwise(layer: nn.Module) -> CoordMap:
    return CoordMap()


for _kind in _POINTWISE:
    coord_map.register(_kind, _pointwise)


@coord_map.register
def _(layer: WindowLayer) -> CoordMap:
    return window_of(layer).coord_map


@coord_map.register
def _(layer: nn.ZeroPad2d) -> CoordMap:
    left, _, top, _ = layer.padding
    if left != top:
        raise GeometryError(f"{layer} pads {top} rows and {left} columns before; expected the same")
    return CoordMap(shift=Fraction(-top))


@coord_map.register
def _(layer: nn.ConvTranspose2d) -> CoordMap:
    # A transposed convolution is the transpose of its convolution, so its map is the inverse.
    return window_of(layer).coord_map.inverse()


@extent.register
def _(layer: WindowLayer) -> int:
    return window_of(layer).extent


@extent.register
def _(layer: nn.ConvTranspose2d) -> int:
    window = window_of(layer)
    return math.ceil(window.extent / window.stride)


def crop_offset(wide: CoordMap, narrow: CoordMap) -> int:
    """Return how many pixels to drop before `wide` to align it with `narrow`.

    Both maps lead to the image.

    Raises:
        GeometryError: no whole, non-negative number of pixels aligns them.
    """
    offset = wide.inverse() @ narrow
    if offset.scale != 1 or offset.shift.denominator != 1 or offset.shift < 0:
        raise GeometryError(
            f"no whole crop aligns pixels at {wide} with pixels at {narrow}: "
            f"pixel i of the second is pixel {offset} of the first"
        )
    return int(offset.shift)


def line_up(score: CoordMap, skip: CoordMap) -> tuple[int, int]:
    """Return how many pixels to drop before each of two maps to align them; one of them is 0.

    Raises:
        GeometryError: no whole number of pixels aligns them.
    """
    ahead = skip.inverse() @ score
    if ahead.shift > 0:
        return 0, crop_offset(skip, score)
    return crop_offset(score, skip), 0

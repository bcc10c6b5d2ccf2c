"""Where the pixels of a layer lie in the image, and how much of the image each one sees.

Every crop offset and every receptive field of the networks is composed here from the layers
themselves, in exact fractions: 19 (FCN-32s), 5 and 27 (16s), 5, 9 and 31 (8s) are results.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import singledispatch

from torch import nn

from fullconv.errors import GeometryError

Window = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d


@dataclass(frozen=True)
class CoordMap:
    """The centre of output pixel `i` lies at input coordinate `scale * i + shift`.

    The same along rows and columns. `outer @ inner` is the map of `inner` applied first:
    `(outer @ inner)(i) == outer(inner(i))`.
    """

    scale: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def __call__(self, i: Fraction | int) -> Fraction:
        """Input coordinate of output pixel `i`."""
        return self.scale * i + self.shift

    def __matmul__(self, inner: "CoordMap") -> "CoordMap":
        return CoordMap(self.scale * inner.scale, self(inner.shift))

    def __str__(self) -> str:
        if not self.shift:
            return f"{self.scale} i"
        return f"{self.scale} i {'+' if self.shift > 0 else '-'} {abs(self.shift)}"

    def inverse(self) -> "CoordMap":
        """The map back: from input coordinates to output pixels."""
        return CoordMap(1 / self.scale, -self.shift / self.scale)


@dataclass(frozen=True)
class Field:
    """The receptive field of one layer: what one of its pixels sees of the image.

    Attributes:
        size: rows (and columns) of the image that one pixel sees, in pixels.
        map: where the centre of that window lies.
        bounded: whether that is all; squeeze-excite, for one, also averages over the whole image.
    """

    size: int = 1
    map: CoordMap = CoordMap()
    bounded: bool = True

    @property
    def stride(self) -> Fraction:
        """Image pixels from one pixel's centre to the next one's."""
        return self.map.scale

    def through(self, layer: nn.Module) -> "Field":
        """The field of `layer`'s output, when its input has this field."""
        grown = (extent(layer) - 1) * self.stride
        return Field(self.size + math.ceil(grown), self.map @ coord_map(layer), self.bounded)


@singledispatch
def coord_map(layer: nn.Module) -> CoordMap:
    """The map of one layer; a new kind of layer registers its own beside its definition.

    Raises:
        GeometryError: nobody has said where the pixels of such a layer lie.
    """
    raise GeometryError(
        f"where the pixels of a {type(layer).__name__} lie is not known; "
        "register it with fullconv.networks.geometry.coord_map"
    )


@singledispatch
def extent(layer: nn.Module) -> int:
    """Rows of its input that one output pixel of `layer` reads, from the first to the last."""
    return 1


def _pointwise(layer: nn.Module) -> CoordMap:
    return CoordMap()


_POINTWISE: tuple[type[nn.Module], ...] = (
    *(nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh),
    *(nn.Dropout, nn.Dropout2d, nn.BatchNorm2d, nn.Identity, nn.LocalResponseNorm),
)
for _kind in _POINTWISE:
    coord_map.register(_kind, _pointwise)


@coord_map.register
def _(layer: Window) -> CoordMap:
    kernel, stride, padding, dilation = rows(layer)
    return CoordMap(Fraction(stride), Fraction(dilation * (kernel - 1), 2) - padding)


@coord_map.register
def _(layer: nn.ZeroPad2d) -> CoordMap:
    left, _, top, _ = layer.padding
    if left != top:
        raise GeometryError(f"{layer} pads rows and columns differently; expected the same before")
    return CoordMap(shift=Fraction(-top))


@coord_map.register
def _(layer: nn.ConvTranspose2d) -> CoordMap:
    # A transposed convolution is its convolution, backwards.
    kernel, stride, padding, dilation = rows(layer)
    return CoordMap(Fraction(stride), Fraction(dilation * (kernel - 1), 2) - padding).inverse()


@extent.register
def _(layer: Window) -> int:
    kernel, _, _, dilation = rows(layer)
    return dilation * (kernel - 1) + 1


@extent.register
def _(layer: nn.ConvTranspose2d) -> int:
    kernel, stride, _, dilation = rows(layer)
    return math.ceil((dilation * (kernel - 1) + 1) / stride)


def rows(layer: Window | nn.ConvTranspose2d) -> tuple[int, int, int, int]:
    """Kernel, stride, padding and dilation of a window, which must be square.

    Raises:
        GeometryError: rows and columns differ, or the padding is not a number of pixels.
    """
    numbers = []
    for name in ("kernel_size", "stride", "padding", "dilation"):
        value = getattr(layer, name, 1)
        pair = value if isinstance(value, tuple) else (value, value)
        if pair[0] != pair[-1] or not isinstance(pair[0], int):
            raise GeometryError(
                f"a {type(layer).__name__} with {name}={value!r}: only windows that are the same "
                "along rows and columns are known"
            )
        numbers.append(pair[0])
    return numbers[0], numbers[1], numbers[2], numbers[3]


def field(layers: Iterable[nn.Module], start: Field | None = None) -> Field:
    """The receptive field at the end of a chain of layers."""
    found = start or Field()
    for layer in layers:
        found = found.through(layer)
    return found


def crop_offset(wide: CoordMap, narrow: CoordMap) -> int:
    """Pixels to drop before `wide` so that it lies on `narrow`; both maps lead to the image.

    Raises:
        GeometryError: no whole, non-negative number of pixels lines them up.
    """
    offset = wide.inverse() @ narrow
    if offset.scale != 1 or offset.shift.denominator != 1 or offset.shift < 0:
        raise GeometryError(
            f"no whole crop lines up pixels at {wide} with pixels at {narrow}: "
            f"pixel i of the second is pixel {offset} of the first"
        )
    return int(offset.shift)


def line_up(score: CoordMap, skip: CoordMap) -> tuple[int, int]:
    """Pixels to drop before each of two maps so that they lie on each other; one of them is 0.

    Raises:
        GeometryError: no whole number of pixels does it.
    """
    ahead = skip.inverse() @ score
    if ahead.shift > 0:
        return 0, crop_offset(skip, score)
    return crop_offset(score, skip), 0

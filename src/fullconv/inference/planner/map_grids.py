"""Where the pixels of a network's maps are in the image, from every multiple of all strides on."""

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from torch import Tensor

from fullconv.inference.planner.stages import places, resizes
from fullconv.inference.streaming.graph import OpGraph, Region, Value
from fullconv.inference.streaming.ops.resize import LinearResize
from fullconv.networks.geometry import Span


@dataclass(frozen=True)
class MapGrid:
    """Where the pixels of a map are in the image: from every multiple of all strides on.

    Attributes:
        value: the map of an image of `size`.
        stride: pixels of the image per pixel of the map.
        size: of the image.
        aligned: a size that all strides divide.
        map_size: (height, width) of the map of an image of that size.
    """

    value: Value
    stride: Fraction
    size: tuple[int, int]
    aligned: tuple[int, int]
    map_size: tuple[int, int]

    def span(self, axis: int, image: Span) -> Span:
        """Return the map's pixels of a part of the image, which begins at a multiple of strides."""
        if self.value.is_global:
            return 0, 1
        first, end = image
        if end == self.size[axis]:
            return int(first / self.stride), self.value.size[axis]
        past = self.map_size[axis] + Fraction(end - self.aligned[axis]) / self.stride
        return int(first / self.stride), int(past)

    def image(self, axis: int, span: Span) -> tuple[Fraction, Fraction]:
        """Return between which pixels the part of the image is that has these of the map."""
        past = self.aligned[axis] + (span[1] - self.map_size[axis]) * self.stride
        return span[0] * self.stride, past

    def shape(self, region: Region) -> tuple[int, ...]:
        """Return the shape of the map for a region of the image."""
        shape = list(self.value.shape)
        for axis, dim in enumerate((self.value.rows, self.value.columns)):
            first, end = self.span(axis, region[axis])
            shape[dim] = end - first
        return tuple(shape)

    def part(self, x: Tensor, read: Region, within: Region) -> Tensor:
        """Return the map's part for a region of the image.

        Args:
            x: the map for the region `read` of the image.
            read: likewise.
            within: that is wanted.
        """
        dims = (self.value.rows, self.value.columns)
        for axis, dim in enumerate(dims):
            begin = self.span(axis, read[axis])[0]
            first, end = self.span(axis, within[axis])
            x = x.narrow(dim, first - begin, end - first)
        return x


def alignment(graph: OpGraph) -> int:
    """Return the number of pixels whose multiples the windows begin at: that of all strides."""
    return lcm(*(int(graph.values[index].stride) or 1 for index in places(graph)))


def keeps_places(graph: OpGraph) -> bool:
    """Return whether a shift of the image by the alignment shifts all maps.

    Interpolations have to enlarge by a whole number, and nothing may have a stride after them.
    """
    enlarged: set[int] = set()
    for op in graph.ops:
        if not all(map(_is_regular, resizes(op))):
            return False
        if any(resizes(op)) or not enlarged.isdisjoint(op.inputs):
            enlarged.update(op.outputs)
            if any(rule.scale > 1 for axes in op.partial.reads for rule in axes):
                return False
    return True


def _is_regular(resize: LinearResize) -> bool:
    """Return whether an interpolation enlarges by a whole number."""
    if resize.align_corners:
        return resize.size > 1 and (resize.result - 1) % (resize.size - 1) == 0
    return resize.factor is None and resize.result % resize.size == 0

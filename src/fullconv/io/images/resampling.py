"""Scale an image window by window: the pixels of `scale_image`, to the bit, without the image."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from fullconv.io.window import Window

_BITS = 22  # of Pillow's fixed-point weights
_BLOCK = 256  # rows that are read at a time


@dataclass(frozen=True)
class ScaledImage:
    """An image at another size, whose windows are read as those of the image.

    Attributes:
        read: returns the pixels of a window of the image.
        source: (height, width) of the image.
        size: (height, width) that it is scaled to.
    """

    read: Callable[[Window], UInt8[np.ndarray, "rows columns bands"]]
    source: tuple[int, int]
    size: tuple[int, int]

    def __call__(self, window: Window) -> UInt8[np.ndarray, "rows columns bands"]:
        """Return the pixels of a window of the scaled image; only what they depend on is read."""
        if self.source == self.size:
            return self.read(window)
        (top, bottom), (left, right) = window.ranges
        rows = _Taps.of(self.source[0], self.size[0], top, bottom)
        columns = _Taps.of(self.source[1], self.size[1], left, right)
        parts = []
        for first in range(rows.start, rows.end, _BLOCK):  # the width first, as `scale_image`
            height = min(_BLOCK, rows.end - first)
            part = Window(first, columns.start, height, columns.end - columns.start)
            parts.append(columns.weigh(self.read(part).swapaxes(0, 1)).swapaxes(0, 1))
        return np.ascontiguousarray(rows.weigh(np.concatenate(parts)))


@dataclass(frozen=True)
class _Taps:
    """The pixels that the pixels of a scaled row or column are made of, and their weights.

    Attributes:
        start: first pixel that is read.
        end: the one after the last.
        first: of each scaled pixel, its first pixel, from `start` on.
        weights: of each scaled pixel, the fixed-point weights of its pixels.
    """

    start: int
    end: int
    first: Int64[np.ndarray, " N"]
    weights: Int32[np.ndarray, "N K"]

    @classmethod
    def of(cls, source: int, size: int, begin: int, stop: int) -> "_Taps":
        """Compute those of the pixels `begin` to `stop`, of `size` that are made of `source`.

        The weights are a triangle that is as wide as two pixels of the coarser side, in the order
        of operations of Pillow's `precompute_coeffs`.
        """
        step = source / size
        width = max(step, 1.0)
        centre = (np.arange(begin, stop) + 0.5) * step
        first = np.maximum(0, (centre - width + 0.5).astype(np.int64))
        last = np.minimum(source, (centre + width + 0.5).astype(np.int64))
        pixel = np.arange(2 * ceil(width) + 1)
        distance = np.abs((pixel + first[:, None] - centre[:, None] + 0.5) * (1.0 / width))
        weights = np.where(pixel < (last - first)[:, None], np.maximum(0.0, 1.0 - distance), 0.0)
        weights /= np.cumsum(weights, 1)[:, -1:]  # one after the other, as Pillow adds them
        fixed = (0.5 + weights * (1 << _BITS)).astype(np.int32)
        start, end = int(first.min()), int(last.max())
        return cls(start, end, first - start, fixed)

    def weigh(self, pixels: UInt8[np.ndarray, "M ..."]) -> UInt8[np.ndarray, "N ..."]:
        """Return the scaled pixels along the first axis."""
        total = np.full((len(self.first), *pixels.shape[1:]), 1 << (_BITS - 1), np.int32)
        shape = (-1, *(1,) * (pixels.ndim - 1))
        for index in range(self.weights.shape[1]):
            weight = self.weights[:, index]
            if weight.any():
                read = np.minimum(self.first + index, len(pixels) - 1)  # beyond, weights are 0
                total += pixels[read] * weight.reshape(shape)
        return (total >> _BITS).clip(0, 255).astype(np.uint8)

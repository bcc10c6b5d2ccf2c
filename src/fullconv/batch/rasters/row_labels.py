"""Labels of some rows of a large image, computed only where it has data."""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor, nn

from fullconv.inference.planner import Plan
from fullconv.inference.streaming.executor import StreamExecutor
from fullconv.inference.streaming.ops import OpGraph, Region, record_ops
from fullconv.inference.streaming.ranges import Range
from fullconv.inference.tiling import Read, stream
from fullconv.io.palettes import VOID
from fullconv.io.window import Window

NEAR = 4  # blocks; a smaller gap between two regions is mostly seen by both


class Share(NamedTuple):
    """Rows of the labels, as far as they are answered.

    Attributes:
        pixels: answered since the last share.
        seam: pixels answered by two tiles so far, and how many of them differently.
    """

    pixels: int
    seam: tuple[int, int]


class Regional:
    """A network's labels of any rows of an image; equal rows give equal labels, to the bit.

    Args:
        network: as for `tiling.plan`, in evaluation mode.
        read: gives the image's pixels.
        planned: how the image is answered.
        block: pixels of the squares that are left out where they have no data.
    """

    def __init__(self, network: nn.Module, read: Read, planned: Plan, block: int) -> None:
        self._network, self._read, self._planned, self._block = network, read, planned, block
        self._steps: OpGraph | None = None
        if planned.kind == "strips":
            self._steps = record_ops(network, planned.size, planned.bands)

    @torch.inference_mode()
    def answer(self, labels: UInt8[np.ndarray, "rows W"], top: int) -> Iterator[Share]:
        """Put the classes into `labels`, but for its void pixels.

        Args:
            labels: of the rows from `top` on; void where there is no data.
            top: number of their first row in the image.
        """
        seen = regions(labels != VOID, self._block)
        if self._steps is None:
            yield from self._streamed(labels, top) if seen else ()
            return
        for rows, columns in seen:
            for band in _bands(columns, self._planned.columns):
                region = Region((rows[0] + top, rows[1] + top), band)
                for window, found in self._flow(self._steps, region):
                    _put(labels, window, top, found)
                    yield Share(found.size, (0, 0))

    def _streamed(self, labels: np.ndarray, top: int) -> Iterator[Share]:
        rows = (top, top + len(labels))
        for part in stream(self._network, self._read, self._planned, rows=rows):
            _put(labels, part.window, top, part.labels)
            yield Share(part.labels.size, part.seam)

    def _flow(self, steps: OpGraph, region: Region) -> Iterator[tuple[Window, np.ndarray]]:
        flow = StreamExecutor(steps, region, self._planned.rows)
        (at, end), (left, right) = flow.image
        top, bottom = region.rows
        while top < bottom:
            high = min(self._planned.rows, end - at)
            window = Window(at, left, high, right - left)
            score = flow.advance(self._tensor(window) if high else None)
            at += high
            if score is not None:
                found = score[0].argmax(0).to(torch.uint8).cpu().numpy()
                yield Window(top, region.columns[0], *found.shape), found
                top += len(found)

    def _tensor(self, window: Window) -> Tensor:
        pixels = torch.from_numpy(self._read(window))
        device = next(self._network.parameters()).device
        return pixels.to(device).permute(2, 0, 1)[None].float()


def context(network: nn.Module, planned: Plan) -> int:
    """Rows of the image that an answer's rows see beside themselves."""
    if planned.kind != "strips":
        return planned.rows
    steps = record_ops(network, planned.size, planned.bands, numbers=False)
    middle = planned.size[0] // 2
    rows = (middle, min(planned.size[0], middle + 1))
    first, behind = steps.needed(Region(rows, (0, planned.size[1])))[0].rows
    return behind - first - 1


def regions(seen: Bool[np.ndarray, "rows W"], block: int) -> list[Region]:
    """The regions, side by side, that hold all that is seen, made of whole blocks.

    Args:
        seen: where there is data.
        block: pixels of a block's side; blocks begin at the first row and column.
    """
    height, width = seen.shape
    down, across = range(0, height, block), range(0, width, block)
    grid = np.logical_or.reduceat(np.logical_or.reduceat(seen, down, axis=0), across, axis=1)
    if not grid.any():
        return []
    high = np.flatnonzero(grid.any(axis=1))
    rows = (int(high[0]) * block, min(height, (int(high[-1]) + 1) * block))
    wide = np.flatnonzero(grid.any(axis=0))
    groups = np.split(wide, np.flatnonzero(np.diff(wide) > NEAR) + 1)
    return [
        Region(rows, (int(one[0]) * block, min(width, (int(one[-1]) + 1) * block)))
        for one in groups
    ]


def _bands(columns: Range, most: int) -> Iterator[Range]:
    left, right = columns
    count = ceil((right - left) / most)
    edges = [left + (right - left) * number // count for number in range(count + 1)]
    yield from pairwise(edges)


def _put(labels: np.ndarray, window: Window, top: int, found: np.ndarray) -> None:
    part = labels[window.top - top : window.bottom - top, window.left : window.right]
    np.copyto(part, found, where=part != VOID)

"""Label some rows of a large image, computing only the blocks that have data."""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import nn

from fullconv.inference.planner import Plan, planned_network
from fullconv.inference.planner.windows import Division
from fullconv.inference.score_labels import score_labels
from fullconv.inference.scores_in_windows import scores_in_windows
from fullconv.inference.streaming.executor import StreamExecutor
from fullconv.inference.streaming.graph import OpGraph, Region, record_ops
from fullconv.inference.tiling import Read, read_tensor, stream
from fullconv.io.palettes import VOID
from fullconv.io.window import Window
from fullconv.networks.geometry import Span

MIN_GAP = 4  # blocks; regions that are closer would read nearly the same pixels


class RowProgress(NamedTuple):
    """Progress within some rows.

    Attributes:
        pixels: labelled since the last event.
        overlap: pixels labelled by two tiles so far, and how many of them differently.
    """

    pixels: int
    overlap: tuple[int, int]


class RowLabeller:
    """Label any rows of an image; the same rows get the same labels, to the bit.

    Args:
        network: in evaluation mode.
        read: reads a window of the image, scaled to the size of the plan.
        plan: how the network is computed.
        block: side of a block in pixels; blocks without data are not computed.
    """

    def __init__(self, network: nn.Module, read: Read, plan: Plan, block: int) -> None:
        self._network, self._read, self._plan, self._block = network, read, plan, block
        self._ops: OpGraph | None = None
        if plan.kind == "strips":
            self._ops = record_ops(planned_network(network, plan), plan.size, plan.bands)

    @torch.inference_mode()
    def fill(self, labels: UInt8[np.ndarray, "rows W"], top: int) -> Iterator[RowProgress]:
        """Write the classes into `labels`, except where it is void.

        Args:
            labels: of the rows from `top` on; void where there is no data.
            top: number of their first row in the image.
        """
        if self._plan.windows:
            yield from self._fill_windows(self._plan.windows, labels, top)
            return
        found = regions(labels != VOID, self._block)
        if self._ops is None:
            yield from self._fill_tiled(labels, top) if found else ()
            return
        for rows, columns in found:
            for band in _bands(columns, self._plan.result_columns):
                region = Region((rows[0] + top, rows[1] + top), band)
                for window, classes in self._stream(self._ops, region):
                    _write(labels, window, top, classes)
                    yield RowProgress(classes.size, (0, 0))

    def _fill_windows(
        self, windows: Division, labels: np.ndarray, top: int
    ) -> Iterator[RowProgress]:
        """Compute the windows of an engine that have data; a row of windows is best whole."""

        def has_data(region: Region) -> bool:
            (first, end), columns = region
            return bool((labels[first - top : end - top, slice(*columns)] != VOID).any())

        parts = scores_in_windows(
            self._network,
            lambda region: read_tensor(self._read, region, self._network),
            windows,
            (top, top + len(labels)),
            has_data,
        )
        for ((first, end), (left, right)), score in parts:
            window = Window(first, left, end - first, right - left)
            _write(labels, window, top, score_labels(score))
            yield RowProgress(window.height * window.width, (0, 0))

    def _fill_tiled(self, labels: np.ndarray, top: int) -> Iterator[RowProgress]:
        rows = (top, top + len(labels))
        for tile in stream(self._network, self._read, self._plan, rows=rows):
            _write(labels, tile.window, top, tile.labels)
            yield RowProgress(tile.labels.size, tile.seam)

    def _stream(self, ops: OpGraph, region: Region) -> Iterator[tuple[Window, np.ndarray]]:
        executor = StreamExecutor(ops, region, self._plan.rows)
        top = region.rows[0]
        for score in executor.run(lambda part: read_tensor(self._read, part, self._network)):
            classes = score_labels(score[0])
            yield Window(top, region.columns[0], *classes.shape), classes
            top += len(classes)


def context_rows(network: nn.Module, plan: Plan) -> int:
    """Count the rows of labels whose image rows a row of labels depends on, beside its own."""
    (height, width), factor = plan.result, plan.result[0] / plan.size[0]
    if plan.kind != "strips":
        return ceil(plan.rows * factor)
    ops = record_ops(planned_network(network, plan), plan.size, plan.bands, weights=False)
    rows = (height // 2, min(height, height // 2 + 1))
    first, end = ops.needed(Region(rows, (0, width)))[0].rows
    return ceil((end - first - 1) * factor)


def regions(valid: Bool[np.ndarray, "rows W"], block: int) -> list[Region]:
    """Cover all pixels with data by regions of whole blocks, side by side.

    Args:
        valid: where there is data.
        block: side of a block in pixels; blocks begin at the first row and column.
    """
    height, width = valid.shape
    down, across = range(0, height, block), range(0, width, block)
    grid = np.logical_or.reduceat(np.logical_or.reduceat(valid, down, axis=0), across, axis=1)
    if not grid.any():
        return []
    block_rows = np.flatnonzero(grid.any(axis=1))
    rows = (int(block_rows[0]) * block, min(height, (int(block_rows[-1]) + 1) * block))
    block_columns = np.flatnonzero(grid.any(axis=0))
    gaps = np.flatnonzero(np.diff(block_columns) > MIN_GAP) + 1
    return [
        Region(rows, (int(group[0]) * block, min(width, (int(group[-1]) + 1) * block)))
        for group in np.split(block_columns, gaps)
    ]


def _bands(columns: Span, max_width: int) -> Iterator[Span]:
    left, right = columns
    count = ceil((right - left) / max_width)
    edges = [left + (right - left) * number // count for number in range(count + 1)]
    yield from pairwise(edges)


def _write(labels: np.ndarray, window: Window, top: int, classes: np.ndarray) -> None:
    part = labels[window.top - top : window.bottom - top, window.left : window.right]
    np.copyto(part, classes, where=part != VOID)

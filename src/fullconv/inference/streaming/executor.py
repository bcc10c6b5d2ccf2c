"""Line-buffered execution: each op keeps only the rows that are still needed."""

from collections.abc import Callable, Iterator, Sequence
from math import ceil, prod

import torch
from torch import Tensor

from fullconv.inference.streaming.graph import Op, OpGraph, Region
from fullconv.inference.streaming.op import storage_bytes
from fullconv.inference.streaming.ranges import clip
from fullconv.inference.streaming.rows import RowBuffer, in_own_layout
from fullconv.networks.geometry import Span

# oneDNN reorders a convolution's weights at each call, for few positions as for many, so one with
# heavy weights waits until enough rows are there.
POSITIONS = 4096
HEAVY_BYTES = 2**18

ReadRegion = Callable[[Region], Tensor]
"""Read a region of the image, (1, C, rows, columns)."""


class StreamExecutor:
    """Compute a region of the scores, a few image rows at a time.

    Args:
        graph: of the network, at the image's size.
        region: of the scores.
        rows: of the image to read at a time.
        positions: of the full width that a convolution with heavy weights waits for.

    Attributes:
        region: of the scores.
        image: the region of the image that it depends on.
        held: bytes of rows that are kept for later.
        most_held: the maximum of `held` between two strips.
        peak: the maximum of bytes in use, estimated from the tensors' sizes.
        multiply_adds: computed so far.
    """

    def __init__(
        self, graph: OpGraph, region: Region, rows: int, positions: int = POSITIONS
    ) -> None:
        needed = graph.needed(region)
        self.region, self.rows = region, rows
        self.image = needed.get(0, Region((0, 0), (0, 0)))
        self.held = self.most_held = self.peak = self.multiply_adds = 0
        self._output, self._values = graph.output, graph.values
        self._like = torch.empty(0)
        self._buffers = {
            index: RowBuffer(part.rows[0], graph.values[index].rows)
            for index, part in needed.items()
        }
        self._columns = {index: part.columns for index, part in needed.items()}
        self._ops: list[OpProgress] = []
        self._readers: dict[int, list[tuple[OpProgress, int]]] = {index: [] for index in needed}
        for op in graph.ops:
            outputs = [index for index in op.outputs if index in needed]
            if outputs:
                self._add(OpProgress(op, graph, needed[outputs[0]], outputs[0], rows, positions))

    @property
    def done(self) -> bool:
        """Whether all scores have been returned."""
        return all(progress.done == progress.end for progress in self._ops)

    def run(self, read: ReadRegion) -> Iterator[Tensor]:
        """Yield the scores from top to bottom, (1, K, some rows, columns).

        Args:
            read: called for one strip of `self.image` after the other, from top to bottom.
        """
        return run_side_by_side([self], read)

    def advance(self, image: Tensor | None) -> Tensor | None:
        """Let every op compute the rows that it now can, at most one strip.

        Args:
            image: the next rows of `self.image`, (1, C, rows, columns); None after the last.

        Returns:
            the next rows of the scores, if there are any.
        """
        if image is not None:
            self._like = image
            self._keep(0, image)
        for progress in self._ops:
            rows = progress.ready([self._buffers[index].end for index in progress.op.inputs])
            if rows[0] < rows[1]:
                self._compute(progress, rows)
        self.most_held = max(self.most_held, self.held)
        scores = self._buffers[self._output]
        if scores.end == scores.begin:
            return None
        result = scores.take((scores.begin, scores.end))
        self._drop(self._output, scores.end)
        return result

    def _add(self, progress: "OpProgress") -> None:
        self._ops.append(progress)
        for position, index in enumerate(progress.op.inputs):
            self._readers[index].append((progress, position))

    def _compute(self, progress: "OpProgress", rows: Span) -> None:
        op, partial = progress.op, progress.op.partial
        region = Region(rows, progress.columns)
        inputs = [self._part(index, progress, at, region) for at, index in enumerate(op.inputs)]
        progress.done = rows[1]
        for index in set(op.inputs):
            self._trim(index)
        results = partial.run(inputs, region)
        outputs = list(results) if isinstance(results, tuple | list) else [results]
        if not len(inputs[0]):
            outputs = [in_own_layout(x, inputs) for x in outputs]
        in_use = sum(storage_bytes(x) for x in (*inputs, *outputs))
        self.peak = max(self.peak, self.held + in_use + partial.workspace(inputs, outputs))
        self.multiply_adds += partial.per_output * _numbers(outputs[0])
        self.multiply_adds += partial.per_input * _numbers(inputs[0])
        for index, result in zip(op.outputs, outputs, strict=True):
            if index in self._buffers:
                self._keep(index, result)

    def _part(self, index: int, progress: "OpProgress", position: int, region: Region) -> Tensor:
        rows, columns = progress.reads(position, region)
        buffered = self._columns[index]
        if rows[0] == rows[1]:  # the op reads only padding here
            return self._empty(index, progress.column_dims[position], columns)
        part = self._buffers[index].take(rows)
        if columns == buffered:
            return part
        width = columns[1] - columns[0]
        return part.narrow(progress.column_dims[position], columns[0] - buffered[0], width)

    def _empty(self, index: int, dim: int, columns: Span) -> Tensor:
        sizes = list(self._values[index].shape)
        sizes[self._values[index].rows], sizes[dim] = 0, columns[1] - columns[0]
        sizes[0] = min(sizes[0], len(self._like))  # a dry run is on a batch of no images
        return self._like.new_empty(sizes)

    def _keep(self, index: int, x: Tensor) -> None:
        self.held += self._buffers[index].add(x)
        self._trim(index)

    def _trim(self, index: int) -> None:
        if index == self._output:
            return
        first = [progress.first_needed(position) for progress, position in self._readers[index]]
        self._drop(index, min(first, default=self._buffers[index].end))

    def _drop(self, index: int, before: int) -> None:
        self.held -= self._buffers[index].drop(before)


def run_side_by_side(executors: Sequence[StreamExecutor], read: ReadRegion) -> Iterator[Tensor]:
    """Yield the scores of neighbouring bands of columns, joined, from top to bottom.

    Args:
        executors: of one graph, with equal rows, from left to right.
        read: called for one strip of the image after the other, as wide as all bands need.
    """
    first = executors[0]
    left = min(executor.image.columns[0] for executor in executors)
    right = max(executor.image.columns[1] for executor in executors)
    at, end = first.image.rows
    row, bottom = first.region.rows
    while row < bottom:
        height = min(first.rows, end - at)
        strip = read(Region((at, at + height), (left, right))) if height else None
        at += height
        scores = []
        for executor in executors:
            begin, stop = executor.image.columns
            band = None if strip is None else strip[..., begin - left : stop - left]
            part = executor.advance(band)
            scores += [] if part is None else [part]
        if scores:
            row += scores[0].shape[2]
            yield scores[0] if len(scores) == 1 else torch.cat(scores, 3)


class OpProgress:
    """The progress of one op down the image.

    Attributes:
        done: rows of the whole output before this one are computed, or not needed.
        end: the row at which the needed part of the output ends.
        columns: needed of the output.
        column_dims: the dimension of columns in each input.
    """

    def __init__(
        self, op: Op, graph: OpGraph, needed: Region, output: int, rows: int, positions: int
    ) -> None:
        self.op = op
        (self.done, self.end), self.columns = needed
        value = graph.values[output]
        enough = ceil(positions / max(1, value.size[1]))
        self.most_rows = max(ceil(rows / value.stride), enough)
        is_heavy = op.partial.weights > HEAVY_BYTES
        self.least_rows = min(self.end - self.done, enough if is_heavy else 1)
        self.input_sizes = [graph.values[index].size for index in op.inputs]
        self.column_dims = [graph.values[index].columns for index in op.inputs]

    def reads(self, position: int, region: Region) -> Region:
        """Return what the op reads of one of its inputs for a region of its output."""
        along_rows, along_columns = self.op.partial.reads[position]
        height, width = self.input_sizes[position]
        rows = clip(along_rows.reads(region.rows), height)
        return Region(rows, clip(along_columns.reads(region.columns), width))

    def ready(self, ends: list[int]) -> Span:
        """Return the next rows of the output that can be computed.

        Args:
            ends: for each input, the end of the rows that are there.
        """
        low, high = self.done, min(self.done + self.most_rows, self.end)
        while low < high:  # find the largest end for which every input has enough rows
            middle = (low + high + 1) // 2
            if all(self._rows_read(at, self.done, middle)[1] <= end for at, end in enumerate(ends)):
                low = middle
            else:
                high = middle - 1
        enough = low == self.end or low - self.done >= self.least_rows
        return self.done, low if enough else self.done

    def first_needed(self, position: int) -> int:
        """Return the first row of an input that the op will still read."""
        if self.done == self.end:
            return self.input_sizes[position][0]
        return self._rows_read(position, self.done, self.done + 1)[0]

    def _rows_read(self, position: int, first: int, end: int) -> Span:
        along_rows, _ = self.op.partial.reads[position]
        return clip(along_rows.reads((first, end)), self.input_sizes[position][0])


def _numbers(x: Tensor) -> int:
    """Return the numbers of a map; a batch of no images counts as one image."""
    return prod(side or 1 for side in x.shape)

"""Divide an image into windows that an engine computes one by one, equal to the whole image.

An engine computes whole images only. For a part of the scores it gets the part of the image that
these depend on, from a multiple of every stride on, so each layer's pixels stay where they are in
the whole image; what lies further out is not used of its scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from math import ceil, lcm

from torch import nn

from fullconv.errors import GeometryError
from fullconv.inference.planner.per_network import PerNetwork
from fullconv.inference.streaming.graph import Op, OpGraph, Region, record_ops
from fullconv.inference.streaming.ops.resize import LinearResize
from fullconv.networks.geometry import Span

MOST_WORK = 1.35  # times the pixels of the whole image, at most; PyTorch's strips compute 1
MOST_PARTS = 8  # of each axis

_known: PerNetwork["Windows | None"] = PerNetwork()


@dataclass(frozen=True)
class Windows:
    """How an image is divided.

    Attributes:
        rows: of the scores: (first, end) of each row of windows.
        columns: likewise.
        read_rows: of the image that each of `rows` is computed from.
        read_columns: likewise.
    """

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    read_rows: tuple[Span, ...]
    read_columns: tuple[Span, ...]

    @property
    def largest(self) -> tuple[int, int]:
        """(height, width) of the largest part of the image that is computed at once."""
        return _longest(self.read_rows), _longest(self.read_columns)

    @property
    def work(self) -> float:
        """Pixels computed in all, relative to those of the image."""
        computed = _total(self.read_rows) * _total(self.read_columns)
        return computed / (_total(self.rows) * _total(self.columns))

    def __iter__(self) -> Iterator[tuple[Region, Region]]:
        """Yield each window of the scores, and the region of the image that it is computed from."""
        for down in zip(self.rows, self.read_rows, strict=True):
            for across in zip(self.columns, self.read_columns, strict=True):
                yield Region(down[0], across[0]), Region(down[1], across[1])


def engine_windows(network: nn.Module, size: tuple[int, int]) -> Windows | None:
    """Return the windows in which a network's engine computes an image; the least work of all.

    They follow from the size and the engine's limit alone.

    Args:
        network: with an engine or without one.
        size: (height, width) of an image that is too large for the engine.

    Returns:
        None if there is no engine, or no division costs at most `MOST_WORK`, or the network's
        scores depend on the whole image.
    """
    engine = getattr(network, "engine", None)
    if (
        engine is None
        or engine.takes(size)
        or engine.most_pixels * MOST_PARTS**2 < size[0] * size[1]
    ):
        return None
    most: int = engine.most_pixels
    found = _known.get(network, (size, most), lambda: divide(network, size, most))
    return found if found is not None and engine.takes(found.largest) else None


def divide(network: nn.Module, size: tuple[int, int], most_pixels: int) -> Windows | None:
    """Return the windows of at most `most_pixels` with the least work; see `engine_windows`."""
    try:
        ops = record_ops(network, size, weights=False)
    except GeometryError:
        return None
    if not keeps_places(ops):
        return None
    step = alignment(ops)
    down = [_divided(ops, size, count, step, 0) for count in range(1, MOST_PARTS + 1)]
    across = [_divided(ops, size, count, step, 1) for count in range(1, MOST_PARTS + 1)]
    fitting = [
        found
        for (rows, read_rows), (columns, read_columns) in product(down, across)
        if (found := Windows(rows, columns, read_rows, read_columns)).work <= MOST_WORK
        and found.largest[0] * found.largest[1] <= most_pixels
    ]
    return min(fitting, key=lambda found: found.work, default=None)


def alignment(ops: OpGraph) -> int:
    """Return the number of pixels whose multiples the windows begin at: that of all strides."""
    exact = {0}  # values whose stride is exact: an interpolation's depends on the image's size
    for op in ops.ops:
        if exact.issuperset(op.inputs) and not any(_resizes(op)):
            exact.update(op.outputs)
    return lcm(*(int(ops.values[index].stride) or 1 for index in exact))


def keeps_places(ops: OpGraph) -> bool:
    """Return whether a shift of the image by the alignment shifts all maps.

    Interpolations have to enlarge by a whole number, and nothing may have a stride after them.
    """
    enlarged: set[int] = set()
    for op in ops.ops:
        resizes = list(_resizes(op))
        if not all(map(_is_regular, resizes)):
            return False
        if resizes or not enlarged.isdisjoint(op.inputs):
            enlarged.update(op.outputs)
            if any(rule.scale > 1 for axes in op.partial.reads for rule in axes):
                return False
    return True


def _resizes(op: Op) -> Iterator[LinearResize]:
    """Yield the interpolations of an op."""
    for axes in op.partial.reads:
        yield from (rule for rule in axes if isinstance(rule, LinearResize))


def _is_regular(resize: LinearResize) -> bool:
    """Return whether an interpolation enlarges by a whole number."""
    if resize.align_corners:
        return resize.size > 1 and (resize.result - 1) % (resize.size - 1) == 0
    return resize.factor is None and resize.result % resize.size == 0


def _divided(
    ops: OpGraph, size: tuple[int, int], count: int, step: int, axis: int
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Return equal parts of an axis, and the parts of the image that they are computed from."""
    side = size[axis]
    length = ceil(side / count / step) * step
    edges = [*range(0, side, length), side]
    parts = tuple(pairwise(edges))
    reads = []
    for part in parts:
        wanted = Region(part, (0, size[1])) if axis == 0 else Region((0, size[0]), part)
        first, end = ops.needed(wanted)[0][axis]
        reads.append((min(first, part[0]) // step * step, max(end, part[1])))
    return parts, tuple(reads)


def _longest(spans: tuple[Span, ...]) -> int:
    return max(end - first for first, end in spans)


def _total(spans: tuple[Span, ...]) -> int:
    return sum(end - first for first, end in spans)

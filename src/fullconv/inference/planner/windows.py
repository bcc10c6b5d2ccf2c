"""Divide an image into windows that an engine computes one by one, equal to the whole image.

An engine computes whole images only. For a part of a stage's maps it gets the part of the stage's
inputs that these depend on, from a multiple of every stride on, so each layer's pixels stay where
they are in the whole image; what lies further out is not used of its results. A network is computed
as one stage, or as several (`stages`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise, product
from math import ceil, inf, prod
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.inference.planner.map_grids import MapGrid, alignment, keeps_places
from fullconv.inference.planner.per_network import PerNetwork
from fullconv.inference.planner.stages import Stage, whole_stage
from fullconv.inference.streaming.graph import OpGraph, Region, record_ops
from fullconv.networks.geometry import Span

MOST_WORK = 1.35  # times the work of the whole image, at most; PyTorch's strips compute 1
MOST_PARTS = 8  # of each axis
FIXED = 2**23  # bytes beside what grows with the image
LEAST_SIDE = 32  # pixels; PyTorch computes smaller images, which pooling leaves one pixel of

ShapeOf = Callable[[int], tuple[int, ...]]
"""Return the shape of a map, given its index."""

Compute = Callable[[int, Mapping[int, Tensor], ShapeOf], Sequence[Tensor]]
"""Compute a stage for a part of the image: its number, its inputs, and the shapes that all maps of
that part have -> its outputs."""

_known: PerNetwork["Division | None"] = PerNetwork()


@dataclass(frozen=True)
class Windows:
    """How an image is divided, in pixels of the image.

    Attributes:
        rows: (first, end) of each row of windows.
        columns: likewise.
        read_rows: what each of `rows` is computed from.
        read_columns: likewise.
    """

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    read_rows: tuple[Span, ...]
    read_columns: tuple[Span, ...]

    @property
    def count(self) -> int:
        """The number of windows."""
        return len(self.rows) * len(self.columns)

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
        """Yield each window, and the region of the image that it is computed from."""
        for down in zip(self.rows, self.read_rows, strict=True):
            for across in zip(self.columns, self.read_columns, strict=True):
                yield Region(down[0], across[0]), Region(down[1], across[1])


class Cost(NamedTuple):
    """Seconds that a stage takes: for each window, and for each pixel of the image in it."""

    window: float
    pixel: float


@dataclass(frozen=True)
class StagedNetwork:
    """A network that an engine computes in stages.

    Attributes:
        network: what the stages are of; its calls are those of the stages.
        stages: in their order.
        compute: computes one of them.
        costs: of each, as measured; () if they are unknown.
    """

    network: nn.Module
    stages: tuple[Stage, ...]
    compute: Compute
    costs: tuple[Cost, ...] = ()


class WindowWays(NamedTuple):
    """How an engine computes an image that it has no memory for at once.

    Attributes:
        staged: the network in stages; None if it cannot be computed so.
        whole: the cost of the network as one stage, as measured; None if it is unknown.
        strips: the cost of PyTorch's strips, likewise; None also if there are none.
    """

    staged: StagedNetwork | None
    whole: Cost | None
    strips: Cost | None


class WindowEngine(Protocol):
    """What the planner asks of an engine.

    Attributes:
        pixel_bytes: bytes per pixel that it takes for a whole image.
        memory: bytes that an image may take.
        settings: tells it from other engines of the network.
    """

    pixel_bytes: float
    memory: int
    settings: tuple[str, int, int]

    def takes(self, size: tuple[int, ...]) -> bool:
        """Return whether it computes images of this (height, width) at once."""

    def is_current(self) -> bool:
        """Return whether the network's layers and weights are still those that it computes."""

    def window_ways(self) -> WindowWays:
        """Return how it computes larger images."""


@dataclass(frozen=True)
class Division:
    """How an image is computed: stage by stage, each window by window.

    Attributes:
        size: (height, width) of the image.
        stages: of the network.
        windows: of each stage.
        grids: of all maps.
        output: the map of the scores.
        peak: bytes, besides the network itself and the scores that are kept.
        seconds: predicted from what was measured; of no meaning if nothing was.
        compute: computes a stage; None for the whole network as one stage.
    """

    size: tuple[int, int]
    stages: tuple[Stage, ...]
    windows: tuple[Windows, ...]
    grids: Mapping[int, MapGrid] = field(repr=False)
    output: int
    peak: int
    seconds: float = inf
    compute: Compute | None = field(default=None, repr=False, compare=False)

    @property
    def work(self) -> float:
        """The multiply-adds and numbers computed in all, relative to those of the whole image."""
        total = sum(stage.work for stage in self.stages)
        pairs = zip(self.stages, self.windows, strict=True)
        return sum(stage.work * windows.work for stage, windows in pairs) / total

    @property
    def largest(self) -> tuple[int, int]:
        """(height, width) of the largest part of the image of which scores are computed at once."""
        return self.windows[-1].largest


def engine_windows(network: nn.Module, size: tuple[int, int]) -> Division | None:
    """Return the windows in which a network's engine computes an image; the fastest of all.

    They follow from the size, the engine's memory and what was measured of it.

    Args:
        network: with an engine or without one.
        size: (height, width) of an image that is too large for the engine.

    Returns:
        None if there is no engine, or no division costs at most `MOST_WORK`, or PyTorch's strips
        are faster.
    """
    engine: WindowEngine | None = getattr(network, "engine", None)
    if engine is None or engine.takes(size) or min(size) < LEAST_SIDE:
        return None
    ways = engine.window_ways()
    # What computes the stages has their weights, which may have changed since.
    staged = (ways.staged.compute, ways.staged.costs) if ways.staged else None
    key = (size, engine.settings, staged, ways.whole, ways.strips)
    return _known.get(network, key, lambda: _fastest(network, size, engine, ways))


def _fastest(
    network: nn.Module, size: tuple[int, int], engine: WindowEngine, ways: WindowWays
) -> Division | None:
    """Return the fastest division of the network as one stage or in several."""
    found = [divide(network, size, engine.memory, engine.pixel_bytes, cost=ways.whole)]
    if ways.staged:
        found.append(divide_stages(ways.staged, size, engine.memory))
    fitting = [one for one in found if one is not None]
    best = min(fitting, key=lambda one: one.seconds, default=None)
    if best and ways.strips and ways.strips.pixel * prod(size) < best.seconds:
        return None
    return best


def divide(
    network: nn.Module,
    size: tuple[int, int],
    memory: int,
    pixel_bytes: float,
    *,
    cost: Cost | None = None,
) -> Division | None:
    """Return the windows of a network as one stage; None if none cost at most `MOST_WORK`.

    Args:
        network: image -> scores.
        size: (height, width) of the image.
        memory: bytes.
        pixel_bytes: bytes that it takes for each pixel of a window.
        cost: of a window.
    """
    try:
        geometry = Geometry.of(network, size, allow_global=False)
    except GeometryError:
        return None
    if geometry is None:
        return None
    stages = (replace(whole_stage(geometry.graph), pixel_bytes=pixel_bytes),)
    return geometry.divided(stages, memory, () if cost is None else (cost,), None)


def divide_stages(staged: StagedNetwork, size: tuple[int, int], memory: int) -> Division | None:
    """Return the windows of all stages of a network; None if none cost at most `MOST_WORK`."""
    try:
        geometry = Geometry.of(staged.network, size, allow_global=True)
    except GeometryError:
        return None
    if geometry is None:
        return None
    return geometry.divided(staged.stages, memory, staged.costs, staged.compute)


class Geometry:
    """Where the maps of a network are in an image of one size.

    Args:
        graph: of an image of `size`.
        aligned: of an image whose sides all strides divide.
        step: pixels of the image that all strides divide.
    """

    def __init__(self, graph: OpGraph, aligned: OpGraph, step: int) -> None:
        self.graph, self.step = graph, step
        self.size, base = graph.values[0].size, aligned.values[0].size
        self.grids = {
            index: MapGrid(value, other.stride, self.size, base, other.size)
            for index, (value, other) in enumerate(zip(graph.values, aligned.values, strict=True))
        }

    @classmethod
    def of(cls, network: nn.Module, size: tuple[int, int], allow_global: bool) -> "Geometry | None":
        """Return the geometry of a network; None if a shift of the image does not shift all maps.

        Raises:
            GeometryError: a part of the scores cannot be computed alone.
        """
        graph = record_ops(network, size, weights=False, allow_global=allow_global)
        if not keeps_places(graph):
            return None
        step = alignment(graph)
        base = tuple(max(2 * step, side // step * step) for side in size)
        aligned = record_ops(network, (base[0], base[1]), weights=False, allow_global=allow_global)
        return cls(graph, aligned, step)

    def divided(
        self,
        stages: tuple[Stage, ...],
        memory: int,
        costs: Sequence[Cost],
        compute: Compute | None,
    ) -> Division | None:
        """Return the division of least cost within the memory; see `divide`."""
        windows, peak, seconds = [], 0, 0.0
        for stage, cost in zip(
            stages, costs or [Cost(0, stage.work) for stage in stages], strict=True
        ):
            held = FIXED + sum(self._bytes(index) for index in stage.kept if compute)
            found = self._windows(stage, memory - held, cost)
            if found is None:
                return None
            windows.append(found)
            peak = max(peak, held + int(stage.pixel_bytes * prod(found.largest)))
            seconds += cost.window * found.count + cost.pixel * found.work * prod(self.size)
        made = Division(
            self.size,
            stages,
            tuple(windows),
            self.grids,
            self.graph.output,
            peak,
            seconds,
            compute,
        )
        return made if made.work <= MOST_WORK else None

    def _windows(self, stage: Stage, memory: int, cost: Cost) -> Windows | None:
        """Return the windows of a stage of least cost; None if none fit the memory."""
        counts = range(1, 2 if stage.is_global else MOST_PARTS + 1)
        best, least, enough = None, inf, inf
        axes: dict[tuple[int, int], tuple[tuple[Span, ...], tuple[Span, ...]]] = {}
        for down, across in sorted(product(counts, counts), key=lambda pair: prod(pair)):
            if down * across > enough:
                break
            for axis, count in enumerate((down, across)):
                if (axis, count) not in axes:
                    axes[axis, count] = self._parts(stage, count, axis)
            (rows, read_rows), (columns, read_columns) = axes[0, down], axes[1, across]
            found = Windows(rows, columns, read_rows, read_columns)
            taken = cost.window * found.count + cost.pixel * found.work * prod(self.size)
            if stage.pixel_bytes * prod(found.largest) <= memory and taken < least:
                best, least = found, taken
                enough = min(enough, 2 * down * across)  # more windows only cost more
        return best

    def equal_windows(self, stage: Stage, counts: tuple[int, int]) -> Windows:
        """Return windows of a stage, so many down and across."""
        (rows, read_rows), (columns, read_columns) = (
            self._parts(stage, count, axis) for axis, count in enumerate(counts)
        )
        return Windows(rows, columns, read_rows, read_columns)

    def _parts(
        self, stage: Stage, count: int, axis: int
    ) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        """Return equal parts of an axis, and the parts of the image that they are computed from."""
        side = self.size[axis]
        length = ceil(side / count / self.step) * self.step
        parts = tuple(pairwise([*range(0, side, length), side]))
        return parts, tuple(self.read(stage, part, axis) for part in parts)

    def read(self, stage: Stage, part: Span, axis: int) -> Span:
        """Return the part of the image that a part of a stage's outputs is computed from."""
        wanted = {}
        for index in stage.outputs:
            spans = [(0, side) for side in self.graph.values[index].size]
            spans[axis] = self.grids[index].span(axis, part)
            wanted[index] = Region(*spans)
        needed = self.graph.needed_for(wanted, stage.ops)
        first, end = Fraction(part[0]), Fraction(part[1])
        for index, region in needed.items():
            span = region[axis]
            if span[0] < span[1] and not self.graph.values[index].is_global:
                begin, past = self.grids[index].image(axis, span)
                first, end = min(first, begin), max(end, past)
        begun = max(0, int(first // self.step) * self.step)
        return begun, min(self.size[axis], ceil(end / self.step) * self.step)

    def _bytes(self, index: int) -> int:
        value = self.graph.values[index]
        return prod(value.shape) * value.bytes


def _longest(spans: tuple[Span, ...]) -> int:
    return max(end - first for first, end in spans)


def _total(spans: tuple[Span, ...]) -> int:
    return sum(end - first for first, end in spans)

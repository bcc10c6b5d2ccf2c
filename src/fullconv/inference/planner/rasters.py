"""Plan the windows in which an engine computes a raster, which is never in memory as a whole.

They are those of the network as one stage (`windows`): stages would keep maps of the whole raster.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, prod

from torch import nn

from fullconv.errors import GeometryError
from fullconv.inference.plan import Plan
from fullconv.inference.planner import windows
from fullconv.inference.planner.stages import Stage, whole_stage
from fullconv.inference.planner.windows import (
    FIXED,
    LEAST_SIDE,
    Division,
    Geometry,
    WindowEngine,
)

READ_BYTES = 64  # per pixel: a window's bands as they are read, as RGB, and as the network's input


def plan_raster(
    network: nn.Module, size: tuple[int, int], memory: int, held: int = 0
) -> Plan | None:
    """Plan the windows in which a network's engine computes a raster.

    The labels of one row of windows are counted as memory, beside a window's computation.

    Args:
        network: with an engine or without one.
        size: (height, width) of the raster.
        memory: bytes for the computation and what is held meanwhile, besides the network itself.
        held: bytes that are held during the computation.

    Returns:
        None if there is no engine, or all windows that fit the memory cost more than `MOST_WORK`,
        or PyTorch's strips are faster.
    """
    engine: WindowEngine | None = getattr(network, "engine", None)
    if engine is None or min(size) < LEAST_SIDE or not engine.is_current():
        return None
    one = _OneStage.of(network, size)
    if one is None:
        return None
    pixel_bytes = max(READ_BYTES, engine.pixel_bytes)
    room = _Room(memory - held - FIXED, (engine.memory - FIXED) / engine.pixel_bytes, pixel_bytes)
    counts = one.fewest(room)
    if counts is None:
        return None
    division = one.divided(counts)
    (parts,) = division.windows
    need = room.need(division.largest, _label_bytes(division))
    if need > room.memory or not engine.takes(division.largest):
        return None
    ways = engine.window_ways()
    if division.work > windows.MOST_WORK or not ways.whole:
        return None
    seconds = ways.whole.window * parts.count + ways.whole.pixel * parts.work * prod(size)
    if ways.strips and ways.strips.pixel * prod(size) < seconds:
        return None
    rows, columns = division.largest
    peak = held + FIXED + need
    return Plan("windows", True, size, rows, columns, peak, held=held, windows=division)


def raster_windows(network: nn.Module, size: tuple[int, int], counts: tuple[int, int]) -> Division:
    """Return the windows of a raster that was begun.

    Args:
        network: of which they were planned.
        size: (height, width) of the raster.
        counts: windows down and across.
    """
    one = _OneStage.of(network, size)
    assert one  # it was planned
    return one.divided(counts)


def window_counts(division: Division) -> tuple[int, int]:
    """Return how many windows of a raster there are, down and across."""
    (parts,) = division.windows
    return len(parts.rows), len(parts.columns)


def window_rows(division: Division) -> int:
    """Return the rows of scores of each window of a raster but the last ones."""
    (parts,) = division.windows
    return parts.rows[0][1]


def _label_bytes(division: Division) -> int:
    return window_rows(division) * division.size[1]


@dataclass(frozen=True)
class _Room:
    """What the windows of a raster may take.

    Attributes:
        memory: bytes.
        pixels: of a window.
        pixel_bytes: bytes that each pixel of a window takes.
    """

    memory: int
    pixels: float
    pixel_bytes: float

    def need(self, largest: tuple[int, int], labels: int) -> int:
        """Return the bytes of the largest window, and of the labels of a row of windows."""
        return int(self.pixel_bytes * prod(largest)) + labels


@dataclass(frozen=True)
class _Axis:
    """An axis of a raster, and what a window reads beyond its scores.

    Attributes:
        side: pixels.
        step: pixels whose multiples the windows begin at.
        before: pixels before the first one of a window that is far from the ends.
        after: likewise, after the last one.
    """

    side: int
    step: int
    before: int
    after: int

    @property
    def counts(self) -> range:
        """The numbers of windows that cost at most `MOST_WORK`."""
        longest = (windows.MOST_WORK - 1) * self.side
        most = ceil(self.side / self.step)
        around = self.before + self.after
        return range(1, 1 + min(most, 1 + int(longest / around) if around else most))

    def length(self, count: int) -> int:
        """Return the scores of each of so many windows."""
        return ceil(self.side / count / self.step) * self.step

    def read(self, count: int) -> int:
        """Return the pixels that the largest of so many windows reads."""
        around = {1: 0, 2: max(self.before, self.after)}.get(count, self.before + self.after)
        return min(self.side, self.length(count) + around)

    def total(self, count: int) -> int:
        """Return the pixels that all of so many windows read."""
        return self.side + (count - 1) * (self.before + self.after)


@dataclass(frozen=True)
class _OneStage:
    """A network as one stage, for a raster."""

    geometry: Geometry
    stage: Stage

    @classmethod
    def of(cls, network: nn.Module, size: tuple[int, int]) -> "_OneStage | None":
        """Return it; None if a part of the scores cannot be computed alone."""
        try:
            geometry = Geometry.of(network, size, allow_global=False)
        except GeometryError:
            return None
        return cls(geometry, whole_stage(geometry.graph)) if geometry else None

    def divided(self, counts: tuple[int, int]) -> Division:
        """Return the raster in so many windows down and across."""
        geometry = self.geometry
        parts = geometry.equal_windows(self.stage, counts)
        stages = (replace(self.stage, pixel_bytes=0),)
        return Division(
            geometry.size, stages, (parts,), geometry.grids, geometry.graph.output, peak=FIXED
        )

    def fewest(self, room: _Room) -> tuple[int, int] | None:
        """Return the numbers of windows, down and across, of least work; None if none fit."""
        best = min(self._fitting(room), default=None, key=_rank)
        return best and best[1]

    def _fitting(self, room: _Room) -> Iterator[tuple[int, tuple[int, int]]]:
        """Yield the work of numbers of windows that fit, and these: the least across for each down.

        Work and memory are those of windows far from the ends, which need most around them.
        """
        down, across = self._axis(0), self._axis(1)

        def fits(rows: int, columns: int) -> bool:
            size = down.read(rows), across.read(columns)
            need = room.need(size, down.length(rows) * across.side)
            return need <= room.memory and prod(size) <= room.pixels

        columns = across.counts[-1]
        for rows in down.counts:
            while columns > 1 and fits(rows, columns - 1):
                columns -= 1
            if fits(rows, columns):
                yield down.total(rows) * across.total(columns), (rows, columns)

    def _axis(self, axis: int) -> _Axis:
        side, step = self.geometry.size[axis], self.geometry.step
        first = side // 2 // step * step
        end = min(side, first + step)
        begun, past = self.geometry.read(self.stage, (first, end), axis)
        return _Axis(side, step, first - begun, past - end)


def _rank(found: tuple[int, tuple[int, int]]) -> tuple[int, int]:
    """Rank numbers of windows: little work first, then wide windows, which files are read by."""
    work, (_, across) = found
    return work, across

"""Choose whole, streamed or tiled inference for a memory budget."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import ceil

from torch import nn

from fullconv.errors import MemoryBudgetError
from fullconv.hardware import SHARE
from fullconv.inference.planner.memory_cost import (
    SIDE,
    Facts,
    facts_of,
    free_for,
    peak,
    tile_within,
    tiles_need,
)
from fullconv.inference.planner.plan import Plan, Scaled
from fullconv.inference.planner.self_check import streaming_error
from fullconv.inference.streaming.graph import OpGraph, record_ops
from fullconv.units import format_bytes, format_bytes_up, parse_bytes

PLENTY = 8192  # bytes a pixel; VGG-16, which takes most, takes a fifth of that


def plan(
    network: nn.Module,
    size: tuple[int, int],
    memory: int | str | None = None,
    *,
    answer: tuple[int, int] | None = None,
    bands: int = 3,
) -> Plan:
    """How to answer an image of `size` (height, width).

    Args:
        network: (B, 3, H, W), RGB in [0, 255] -> scores (B, K, H, W); in evaluation mode.
        size: of the image.
        memory: what the computation may take beside the network, in bytes or as "2GiB"; None is
            half of what is free, and never too little.
        answer: size that the scores are scaled to; None is the image's.
        bands: of the image.

    Raises:
        MemoryBudgetError: the memory is less than the smallest part takes.
    """
    budget = parse_bytes(memory) if memory is not None else int(SHARE * free_for(network))
    answer = None if answer == size else answer
    start = Plan("whole", True, size, *size, answer=answer, bands=bands)
    most = _at_most(start)
    if most + 2 * sum(weight.nbytes for weight in network.parameters()) <= budget:
        return replace(start, peak=most)
    facts = facts_of(network, bands)
    start = replace(start, peak=_about(start, facts))
    if start.peak <= budget:
        return start
    refusal = facts.refusal or streaming_error(network, bands)
    if refusal:
        facts = facts._replace(refusal=refusal)
        return in_tiles(start, facts, budget if memory is not None else max(budget, 2**30))
    return _step_by_step(network, start, budget, memory is None)


def in_parts(network: nn.Module, size: tuple[int, int], bands: int = 3) -> Plan:
    """A plan with several parts, however small the image: for comparing them with the whole."""
    height, width = size
    refusal = facts_of(network, bands).refusal or streaming_error(network, bands)
    if not refusal:
        return Plan("strips", True, size, ceil(height / 4), ceil(width / 2), bands=bands)
    rows, columns = (max(2 * ALIGN, side * 5 // 8 // ALIGN * ALIGN) for side in size)
    exact = rows >= height and columns >= width
    note = "" if exact else refusal
    return Plan("tiles", exact, size, rows, columns, note=note, bands=bands, overlap=ALIGN)


def _at_most(start: Plan) -> int:
    """Bytes that no network takes more than for the whole image."""
    height, width = start.result
    return PLENTY * (start.size[0] + 200) * (start.size[1] + 200) + 8 * 256 * height * width


def _about(start: Plan, facts: Facts) -> int:
    """Bytes that the network takes for the whole image, by what it takes for a pixel."""
    height, width = start.result
    scaled = 8 * facts.classes * height * width if start.answer else 0
    return int(facts.per_pixel * max(1024, start.size[0] * start.size[1]) + scaled)


def _step_by_step(network: nn.Module, start: Plan, budget: int, lenient: bool) -> Plan:
    """Whole, if what each step holds at this size fits after all; else in strips."""
    subject = Scaled(network, start.answer) if start.answer else network
    steps = record_ops(subject, start.size, start.bands, weights=False)
    taken = peak(steps, replace(start, rows=start.size[0]))
    if taken <= budget:
        return replace(start, peak=taken)
    return in_strips(steps, start, budget, lenient)


LEAST = 64  # rows; strips are cut into bands of columns before they become lower than this
MOST = 2**21  # pixels of a strip: more only leaves the processor's caches earlier
FEW = 16  # rows; a lower strip saves little beside the rows that layers carry
TILE = 256  # pixels; a smaller tile sees too little around it
ALIGN = 32  # pixels; tiles begin on multiples, where the networks' coarsest pixels do


def in_strips(steps: OpGraph, start: Plan, budget: int, lenient: bool) -> Plan:
    """The plan with the fewest bands that allow strips of a decent height, and the highest ones.

    Raises:
        MemoryBudgetError: nothing fits, and nobody is lenient about it.
    """
    height, width = start.size
    best: Plan | None = None
    for columns in _widths(width):
        tried = _highest(steps, replace(start, kind="strips", columns=columns), budget)
        if tried.peak <= budget and tried.rows >= min(LEAST, height):
            return tried
        best = max(tried, best or tried, key=partial(_suitability, budget))
        if best is not tried:  # narrower bands only share more columns
            break
    assert best is not None
    if best.peak > budget and not lenient:
        raise MemoryBudgetError(
            f"an image of {height} x {width} takes this network at least "
            f"{format_bytes_up(best.peak)}, strip by strip; "
            f"the memory given is {format_bytes(budget)}: give it more"
        )
    return best


def in_tiles(start: Plan, facts: Facts, budget: int) -> Plan:
    """The plan with the largest tiles; half of the memory is for what waits for later tiles."""
    side = tile_within(facts, budget) // ALIGN * ALIGN
    if side < TILE:
        need = tiles_need(facts, TILE)
        raise MemoryBudgetError(
            f"this network takes at least {format_bytes_up(need)} for tiles of {TILE} x {TILE}; "
            f"the memory given is {format_bytes(budget)}: give it more"
        )
    waiting = int(budget / 4 / (9 * facts.classes * start.size[1]))
    overlap = max(ALIGN, min(side // 4, waiting) // ALIGN * ALIGN)
    rows, columns = min(side, start.size[0]), min(side, start.size[1])
    one = (rows, columns) == start.size
    note = (
        f"{facts.refusal}, so parts cannot give exactly the whole's answer: tiles of "
        f"{rows} x {columns} pixels are blended over {overlap}"
    )
    return replace(
        start,
        kind="tiles",
        exact=one,
        rows=rows,
        columns=columns,
        overlap=overlap,
        peak=budget,
        note="" if one else note,
    )


def _suitability(budget: int, planned: Plan) -> tuple[int, int]:
    """What fits is better the higher its strips are; what does not, the less it takes."""
    return min(0, budget - planned.peak), planned.rows


def _highest(steps: OpGraph, start: Plan, budget: int) -> Plan:
    """The plan with the highest strips that fit, or with the lowest if none do."""

    def tried(rows: int) -> Plan:
        planned = replace(start, rows=rows)
        return replace(planned, peak=peak(steps, planned))

    most = max(LEAST, min(start.size[0], MOST // start.columns) // LEAST * LEAST)
    high = tried(most)
    if high.peak <= budget:
        return high
    low = tried(most // 2)
    slope = (high.peak - low.peak) / (high.rows - low.rows)
    while low.peak > budget and low.rows > FEW:  # the need is nearly a straight line of the rows
        rows = min(int(low.rows * 0.8), int(low.rows - (low.peak - budget) / max(1.0, slope)))
        rows = max(FEW, rows // LEAST * LEAST or rows // FEW * FEW)
        low = tried(max(LEAST, rows) if low.rows > LEAST else rows)
    return low


def _widths(width: int) -> Iterator[int]:
    """Columns of bands to try, from wide to narrow."""
    for count in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64):
        if count == 1 or width // count >= SIDE:
            yield ceil(width / count)

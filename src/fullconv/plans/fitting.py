"""The strips, or the tiles, that a given memory allows."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import ceil

from fullconv.errors import MemoryBudgetError
from fullconv.memory import enough, in_words
from fullconv.plans.needs import SIDE, Facts, peak, tile_within, tiles_need
from fullconv.plans.planned import Plan
from fullconv.steps import Steps

LEAST = 64  # rows; strips are cut into bands of columns before they become lower than this
MOST = 2**21  # pixels of a strip: more only leaves the processor's caches earlier
FEW = 16  # rows; a lower strip saves little beside the rows that layers carry
TILE = 256  # pixels; a smaller tile sees too little around it
ALIGN = 32  # pixels; tiles begin on multiples, where the networks' coarsest pixels do


def in_strips(steps: Steps, start: Plan, budget: int, lenient: bool) -> Plan:
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
            f"an image of {height} x {width} takes this network at least {enough(best.peak)}, "
            f"strip by strip; the memory given is {in_words(budget)}: give it more"
        )
    return best


def in_tiles(start: Plan, facts: Facts, budget: int) -> Plan:
    """The plan with the largest tiles; half of the memory is for what waits for later tiles."""
    side = tile_within(facts, budget) // ALIGN * ALIGN
    if side < TILE:
        need = tiles_need(facts, TILE)
        raise MemoryBudgetError(
            f"this network takes at least {enough(need)} for tiles of {TILE} x {TILE}; the "
            f"memory given is {in_words(budget)}: give it more"
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


def _highest(steps: Steps, start: Plan, budget: int) -> Plan:
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

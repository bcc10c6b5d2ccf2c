"""Choose whole, streamed or tiled inference for a memory budget."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import ceil

from torch import nn

from fullconv.errors import MemoryBudgetError
from fullconv.hardware import SHARE
from fullconv.inference.plan import Plan
from fullconv.inference.planner.memory_cost import (
    SIDE,
    NetworkCost,
    free_device_memory,
    largest_tile,
    network_cost,
    peak,
    tile_memory,
)
from fullconv.inference.planner.self_check import streaming_error
from fullconv.inference.planner.strips import planned_network
from fullconv.inference.planner.windows import engine_windows
from fullconv.inference.streaming.graph import OpGraph, record_ops
from fullconv.units import format_bytes, format_bytes_up, parse_bytes


def plan(
    network: nn.Module,
    size: tuple[int, int],
    memory: int | str | None = None,
    *,
    resized: tuple[int, int] | None = None,
    bands: int = 3,
    held: int = 0,
    scores: bool = False,
    whole_width: bool = False,
) -> Plan:
    """Plan the inference of images of `size` (height, width).

    Any number of threads may plan for one network, and use it meanwhile.

    Args:
        network: (B, 3, H, W), RGB in [0, 255] -> scores (B, K, H, W); in evaluation mode.
        size: (height, width) of the image.
        memory: limit in bytes or as "2GiB" for the computation and what is held meanwhile, besides
            the network itself; None for half of the free memory, or more if the smallest strips
            need it.
        resized: (height, width) that the scores are resized to; None for the image's.
        bands: channels of the image.
        held: bytes that are held during the computation, such as the labels.
        scores: whether the scores of all parts are kept.
        whole_width: whether any rows have to be computed alone, as of a raster.

    Raises:
        MemoryBudgetError: `memory` is too small for the smallest strips or tiles.
    """
    given = None if memory is None else parse_bytes(memory)
    resized = None if resized == size else resized
    start = Plan("whole", True, size, *size, resized=resized, bands=bands, held=held)
    engine = getattr(network, "engine", None)
    if engine is not None and engine.is_current():  # otherwise PyTorch computes all images
        start = replace(start, note=engine.note(size))
        taken = held + engine.peak(size)
        if resized:
            taken += 8 * network.classes * resized[0] * resized[1]  # type: ignore[operator]
        if engine.takes(size) and (given is None or taken <= given):
            return replace(start, peak=taken)
        windowed = None if whole_width else _windows(network, start, scores)
        if windowed is not None and (given is None or windowed.peak <= given):
            return windowed
    # Asked for only here: reading what is free takes a millisecond.
    budget = int(SHARE * free_device_memory(network)) if given is None else given
    bound = start.upper_bound
    if bound + 2 * sum(weight.nbytes for weight in network.parameters()) <= budget:
        return replace(start, peak=bound)
    facts = network_cost(network, bands)
    start = replace(start, peak=start.estimate(facts.per_pixel, facts.classes))
    if start.peak <= budget or getattr(network, "fixed_size", None):
        return start
    kept = 4 * facts.classes * start.result[0] * start.result[1] if scores else 0
    if held + kept > budget and given is not None:
        raise _too_little(start, facts, held + kept, budget, scores)
    refusal = facts.refusal or streaming_error(network, bands)
    if refusal:
        facts, start = facts._replace(refusal=refusal), replace(start, held=held + kept)
        return plan_tiles(start, facts, max(budget, 2**30) if given is None else budget)
    return _whole_or_strips(network, start, budget, given is None, kept)


def _windows(network: nn.Module, start: Plan, scores: bool) -> Plan | None:
    """Plan the windows of an engine for an image that it cannot compute whole; None without any."""
    windows = engine_windows(network, start.size)
    if windows is None:
        return None
    classes: int = network.classes  # type: ignore[assignment]
    kept = 4 * classes * start.size[0] * start.size[1] if scores or start.resized else 0
    if start.resized and scores:
        kept += 4 * classes * start.resized[0] * start.resized[1]
    rows, columns = windows.largest
    peak = start.held + kept + windows.peak
    found = replace(start, kind="windows", rows=rows, columns=columns, peak=peak, note="")
    return replace(found, windows=windows)


def _too_little(
    start: Plan, facts: NetworkCost, need: int, budget: int, scores: bool
) -> MemoryBudgetError:
    """Return the error for results that alone take more than the budget."""
    height, width = start.result
    kept = f"the scores of {facts.classes} classes" if scores else "buffers"
    what = f"the labels and {kept}"
    remedy = "ask for the labels only, or give more memory" if scores else "give it more"
    return MemoryBudgetError(
        f"{what} at {height} x {width} pixels take {format_bytes_up(need)}; the memory given is "
        f"{format_bytes(budget)}: {remedy}"
    )


def plan_parts(network: nn.Module, size: tuple[int, int], bands: int = 3) -> Plan:
    """Return a plan with several parts even for a small image, to compare with the whole."""
    height, width = size
    refusal = network_cost(network, bands).refusal or streaming_error(network, bands)
    if not refusal:
        return Plan("strips", True, size, ceil(height / 4), ceil(width / 2), bands=bands)
    rows, columns = (max(2 * ALIGN, side * 5 // 8 // ALIGN * ALIGN) for side in size)
    exact = rows >= height and columns >= width
    note = "" if exact else refusal
    return Plan("tiles", exact, size, rows, columns, note=note, bands=bands, overlap=ALIGN)


def _whole_or_strips(
    network: nn.Module, start: Plan, budget: int, lenient: bool, kept: int
) -> Plan:
    """Plan the whole image if a simulation of its ops fits the budget, otherwise strips."""
    steps = record_ops(planned_network(network, start), start.size, start.bands, weights=False)
    taken = start.held + peak(steps, replace(start, rows=start.size[0]))
    if taken <= budget:
        return replace(start, peak=taken)
    return plan_strips(steps, replace(start, held=start.held + kept), budget, lenient)


LOW_ROWS = 64  # rows; images are split into bands of columns before strips become lower than this
MAX_STRIP_PIXELS = 2**21  # more pixels would only exceed the caches
MIN_ROWS = 16  # a lower strip saves little, compared with the rows that layers carry
MIN_TILE = 256  # pixels of a side; a smaller tile has too little context
ALIGN = 32  # pixels; tiles begin on multiples, as the coarsest feature maps do


def plan_strips(steps: OpGraph, start: Plan, budget: int, lenient: bool) -> Plan:
    """Return the plan with the fewest bands of columns for which strips have a useful height.

    Raises:
        MemoryBudgetError: no plan fits the budget, unless `lenient`.
    """
    height, width = start.size
    best: Plan | None = None
    for columns in _widths(width):
        tried = _highest(steps, replace(start, kind="strips", columns=columns), budget)
        if tried.peak <= budget and tried.rows >= min(LOW_ROWS, height):
            return tried
        best = max(tried, best or tried, key=partial(_suitability, budget))
        if best is not tried:  # narrower bands only overlap more
            break
    assert best is not None
    if best.peak > budget and not lenient:
        raise MemoryBudgetError(
            f"an image of {height} x {width} takes this network at least "
            f"{format_bytes_up(best.peak)}, strip by strip; "
            f"the memory given is {format_bytes(budget)}: give it more"
        )
    return best


def plan_tiles(start: Plan, facts: NetworkCost, budget: int) -> Plan:
    """Return the plan with the largest tiles; half of the memory holds overlaps."""
    side = largest_tile(facts, budget - start.held) // ALIGN * ALIGN
    if side < MIN_TILE:
        need = start.held + tile_memory(facts, MIN_TILE)
        raise MemoryBudgetError(
            f"this network takes at least {format_bytes_up(need)} for tiles of "
            f"{MIN_TILE} x {MIN_TILE}; "
            f"the memory given is {format_bytes(budget)}: give it more"
        )
    waiting = int((budget - start.held) / 4 / (9 * facts.classes * start.size[1]))
    overlap = max(ALIGN, min(side // 4, waiting) // ALIGN * ALIGN)
    rows, columns = min(side, start.size[0]), min(side, start.size[1])
    one = (rows, columns) == start.size
    note = (
        f"{facts.refusal}, so parts cannot give exactly the whole-image scores: tiles of "
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
    """Rank plans: those that fit by the height of their strips, others by their memory."""
    return min(0, budget - planned.peak), planned.rows


def _highest(steps: OpGraph, start: Plan, budget: int) -> Plan:
    """Return the plan with the highest strips that fit, or with the lowest if none fit."""

    def tried(rows: int) -> Plan:
        planned = replace(start, rows=rows)
        return replace(planned, peak=start.held + peak(steps, planned))

    most = max(
        LOW_ROWS, min(start.size[0], MAX_STRIP_PIXELS // start.columns) // LOW_ROWS * LOW_ROWS
    )
    high = tried(most)
    if high.peak <= budget:
        return high
    low = tried(most // 2)
    slope = (high.peak - low.peak) / (high.rows - low.rows)
    while low.peak > budget and low.rows > MIN_ROWS:  # memory is nearly linear in the rows
        rows = min(int(low.rows * 0.8), int(low.rows - (low.peak - budget) / max(1.0, slope)))
        rows = max(MIN_ROWS, rows // LOW_ROWS * LOW_ROWS or rows // MIN_ROWS * MIN_ROWS)
        low = tried(max(LOW_ROWS, rows) if low.rows > LOW_ROWS else rows)
    return low


def _widths(width: int) -> Iterator[int]:
    """Yield the widths of bands to try, from wide to narrow."""
    for count in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64):
        if count == 1 or width // count >= SIDE:
            yield ceil(width / count)

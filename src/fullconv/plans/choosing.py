"""Which plan an image gets: whole where it fits, else strips, and tiles for what has no strips."""

from dataclasses import replace
from math import ceil

from torch import nn

from fullconv.memory import SHARE, parse_memory
from fullconv.plans.fitting import ALIGN, in_strips, in_tiles
from fullconv.plans.needs import Facts, facts_of, free_for, peak
from fullconv.plans.planned import Plan, Scaled
from fullconv.plans.trust import disagreement
from fullconv.steps import record

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
    budget = parse_memory(memory) if memory is not None else int(SHARE * free_for(network))
    answer = None if answer == size else answer
    start = Plan("whole", True, size, *size, answer=answer, bands=bands)
    most = _at_most(start)
    if most + 2 * sum(weight.nbytes for weight in network.parameters()) <= budget:
        return replace(start, peak=most)
    facts = facts_of(network, bands)
    start = replace(start, peak=_about(start, facts))
    if start.peak <= budget:
        return start
    refusal = facts.refusal or disagreement(network, bands)
    if refusal:
        facts = facts._replace(refusal=refusal)
        return in_tiles(start, facts, budget if memory is not None else max(budget, 2**30))
    return _step_by_step(network, start, budget, memory is None)


def in_parts(network: nn.Module, size: tuple[int, int], bands: int = 3) -> Plan:
    """A plan with several parts, however small the image: for comparing them with the whole."""
    height, width = size
    refusal = facts_of(network, bands).refusal or disagreement(network, bands)
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
    steps = record(subject, start.size, start.bands, numbers=False)
    taken = peak(steps, replace(start, rows=start.size[0]))
    if taken <= budget:
        return replace(start, peak=taken)
    return in_strips(steps, start, budget, lenient)

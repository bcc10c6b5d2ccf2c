"""How an image will be answered: whole, in strips, or in tiles, by the memory that it may take."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import ceil, isqrt
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.errors import ConfigError, GeometryError
from fullconv.memory import SHARE, free_memory, in_words, parse_memory
from fullconv.steps import Region, Steps, record
from fullconv.strips import PLACES, Flow

SIDE = 512  # pixels; of the image that a network's need per pixel is taken from
LEAST = 64  # rows; strips are cut into bands of columns before they become lower than this
PLENTY = 8192  # bytes a pixel; VGG-16, which takes most, takes a fifth of that
MOST = 2**21  # pixels of a strip: more only leaves the processor's caches earlier
FEW = 8  # rows; a lower strip is mostly the rows that layers carry
TILE = 256  # pixels; a smaller tile sees too little around it
ALIGN = 32  # pixels; tiles begin on multiples, where the networks' coarsest pixels do
# What the sizes say is not all: the allocator holds memory back (measured: up to so much).
SLACK = 1.5
FIXED = 256 * 2**20  # bytes
AGREE = 1e-4  # of the largest score: a wrong rule is off by orders more, rounding by less


@dataclass(frozen=True)
class Plan:
    """How an image of one size will be answered.

    Attributes:
        kind: "whole", "strips" (rows of layers are carried from each to the next) or "tiles"
            (overlapping and weighted).
        exact: whether the answer is the whole image's.
        size: of the image, (height, width).
        rows: of the image in a strip or a tile.
        columns: likewise; less than the width where a whole strip would take too much.
        peak: bytes that it is expected to take at once, beside the network itself.
        note: what the user should know, in a sentence; "" where there is nothing.
        answer: size of the scores, (height, width), to which they are scaled; None is the image's.
        bands: of the image; 3 are RGB.
        overlap: pixels that neighbouring tiles share.
    """

    kind: Literal["whole", "strips", "tiles"]
    exact: bool
    size: tuple[int, int]
    rows: int
    columns: int
    peak: int = 0
    note: str = ""
    answer: tuple[int, int] | None = None
    bands: int = 3
    overlap: int = 0

    @property
    def result(self) -> tuple[int, int]:
        """(height, width) of the scores."""
        return self.answer or self.size


class Scaled(nn.Module):
    """A network whose scores are scaled to another size.

    Args:
        network: an image -> scores.
        size: (height, width) of the scores.
    """

    def __init__(self, network: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, image: Float[Tensor, "B C h w"]) -> Float[Tensor, "B K H W"]:
        """Scores of the wanted size."""
        return F.interpolate(self.network(image), self.size, mode="bilinear", align_corners=False)


class Facts(NamedTuple):
    """What is known of a network, whatever the image's size.

    Attributes:
        per_pixel: bytes that an image's pixel takes, about.
        classes: scores of a pixel.
        refusal: what it does that cannot be done in strips; "" where there is nothing.
    """

    per_pixel: float
    classes: int
    refusal: str


_known: WeakKeyDictionary[nn.Module, dict[int, Facts]] = WeakKeyDictionary()
_checked: WeakKeyDictionary[nn.Module, dict[int, float]] = WeakKeyDictionary()


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
        ConfigError: the memory is less than the smallest part takes.
    """
    budget = parse_memory(memory) if memory is not None else int(SHARE * _free(network))
    answer = None if answer == size else answer
    start = Plan("whole", True, size, *size, answer=answer, bands=bands)
    height, width = start.result
    most = PLENTY * (size[0] + 200) * (size[1] + 200) + 8 * 256 * height * width
    if most + 2 * sum(weight.nbytes for weight in network.parameters()) <= budget:
        return replace(start, peak=most)
    facts = _facts(network, bands)
    scaled = 8 * facts.classes * height * width if answer else 0
    start = replace(start, peak=int(facts.per_pixel * max(1024, size[0] * size[1]) + scaled))
    if start.peak <= budget:
        return start
    refusal = facts.refusal or _disagreement(network, bands)
    if refusal:
        facts = facts._replace(refusal=refusal)
        return _in_tiles(start, facts, budget if memory is not None else max(budget, 2**30))
    subject = Scaled(network, answer) if answer else network
    steps = record(subject, size, bands, numbers=False)
    taken = peak(steps, replace(start, rows=size[0]))
    if taken <= budget:
        return replace(start, peak=taken)
    return _in_strips(steps, start, budget, memory is None)


def in_parts(network: nn.Module, size: tuple[int, int], bands: int = 3) -> Plan:
    """A plan with several parts, however small the image: for comparing them with the whole."""
    height, width = size
    refusal = _facts(network, bands).refusal or _disagreement(network, bands)
    if not refusal:
        return Plan("strips", True, size, ceil(height / 4), ceil(width / 2), bands=bands)
    rows, columns = (max(2 * ALIGN, side * 5 // 8 // ALIGN * ALIGN) for side in size)
    exact = rows >= height and columns >= width
    note = "" if exact else refusal
    return Plan("tiles", exact, size, rows, columns, note=note, bands=bands, overlap=ALIGN)


def flows(steps: Steps, planned: Plan, rows: tuple[int, int] | None = None) -> list[Flow]:
    """The bands of columns, side by side, in which a plan's strips are computed.

    Args:
        steps: of the network at the image's size.
        planned: how.
        rows: of the answer that are wanted; None is all.
    """
    width = planned.result[1]
    count = min(width, ceil(planned.size[1] / planned.columns))
    edges = [width * number // count for number in range(count + 1)]
    wanted = rows or (0, planned.result[0])
    return [
        Flow(steps, Region(wanted, band), planned.rows, PLACES * count) for band in pairwise(edges)
    ]


def peak(steps: Steps, planned: Plan) -> int:
    """Bytes that a plan's strips take at once; `steps` are a network's without numbers."""
    every = flows(steps, planned)
    flow = every[len(every) // 2]
    at, end = flow.image.rows
    columns = flow.image.columns[1] - flow.image.columns[0]
    answers = 0
    while not flow.done and answers < 4:
        high = min(planned.rows, end - at)
        fed = torch.empty(1, planned.bands, high, columns, device="meta") if high else None
        at += high
        answers += flow.advance(fed) is not None
    return int(SLACK * (flow.peak + (len(every) - 1) * flow.most_held)) + FIXED


def _in_strips(steps: Steps, start: Plan, budget: int, lenient: bool) -> Plan:
    """The plan with the fewest bands that allow strips of a decent height, and the highest ones.

    Raises:
        ConfigError: nothing fits, and nobody is lenient about it.
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
        raise ConfigError(
            f"an image of {height} x {width} takes this network at least {in_words(best.peak)}, "
            f"strip by strip; the memory given is {in_words(budget)}: give it more"
        )
    return best


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
        if low.rows > LEAST:
            rows = max(LEAST, rows)
        else:  # so low that trying would take long
            return replace(low, rows=rows, peak=int(low.peak - 0.9 * slope * (low.rows - rows)))
        low = tried(rows)
    return low


def _widths(width: int) -> Iterator[int]:
    """Columns of bands to try, from wide to narrow."""
    for count in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64):
        if count == 1 or width // count >= SIDE:
            yield ceil(width / count)


def _in_tiles(start: Plan, facts: Facts, budget: int) -> Plan:
    """The plan with the largest tiles; half of the memory is for what waits for later tiles."""
    side = isqrt(int(max(0, budget - FIXED) / 2 / facts.per_pixel)) // ALIGN * ALIGN
    if side < TILE:
        need = int(2 * facts.per_pixel * TILE**2) + FIXED
        raise ConfigError(
            f"this network takes at least {in_words(need)} for tiles of {TILE} x {TILE}; the "
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


def _facts(network: nn.Module, bands: int) -> Facts:
    found = _known.setdefault(network, {})
    if bands not in found:
        found[bands] = _look(network, bands)
    return found[bands]


def _look(network: nn.Module, bands: int) -> Facts:
    side = (SIDE, SIDE)
    try:
        steps = record(network, side, bands, numbers=False)
    except GeometryError as error:
        return _measured(network, bands, f"this network {error}")
    per_pixel = peak(steps, Plan("strips", True, side, *side, bands=bands)) / SIDE**2
    return Facts(per_pixel, steps.values[steps.answer].shape[1], "")


def _disagreement(network: nn.Module, bands: int) -> str:
    """Why a network's strips are not to be believed; "" where they add up to the whole.

    The steps are believed only after a look: somebody's layer may do what no rule foresees.
    """
    found = _checked.setdefault(network, {})
    if bands not in found:
        found[bands] = _difference(network, bands)
    return "" if found[bands] <= AGREE else f"this network's parts are {found[bands]:.0e} off"


@torch.inference_mode()
def _difference(network: nn.Module, bands: int) -> float:
    """The largest difference of scores, whole and in strips, as a share of the largest score."""
    size = (83, 45)
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, bands, *size), generator=generator, dtype=torch.float32)
    image = image.to(next(network.parameters()).device)
    if image.is_meta:
        return 0.0
    whole = network(image)
    planned = Plan("strips", True, size, 32, 23, bands=bands)
    every = flows(record(network, size, bands), planned)
    pieces = []
    for flow in every:
        (at, end), (left, right) = flow.image
        found = []
        while not flow.done:
            high = min(planned.rows, end - at)
            part = flow.advance(image[:, :, at : at + high, left:right] if high else None)
            at += high
            found += [] if part is None else [part.clone()]
        pieces.append(torch.cat(found, 2))
    largest = whole.abs().max().clamp(min=1e-20)
    return float((torch.cat(pieces, 3) - whole).abs().max() / largest)


@torch.inference_mode()
def _measured(network: nn.Module, bands: int, refusal: str) -> Facts:
    """What a network takes that cannot be followed, from its layers' results on a small image."""
    side, sizes = 128, [0]

    def note(layer: nn.Module, given: object, result: object) -> None:
        sizes.append(result.nbytes if isinstance(result, Tensor) else 0)

    hooks = [layer.register_forward_hook(note) for layer in network.modules()]
    try:
        image = torch.zeros(1, bands, side, side, device=next(network.parameters()).device)
        score = network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return Facts(SLACK * 4 * max(sizes) / side**2, score.shape[1], refusal)


def _free(network: nn.Module) -> int:
    device = next(network.parameters()).device
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory()


__all__ = ["Plan", "Scaled", "flows", "in_parts", "peak", "plan"]

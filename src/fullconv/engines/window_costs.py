"""Measure what the windows of an engine cost on this machine, in less than a second."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor, nn

from fullconv.config import Size
from fullconv.engines.cache import WindowCosts
from fullconv.engines.proof import sample_image
from fullconv.engines.staged import UNBOUNDED
from fullconv.inference.planner import Plan
from fullconv.inference.planner.memory_cost import network_cost
from fullconv.inference.planner.windows import (
    Cost,
    ShapeOf,
    StagedNetwork,
    divide_stages,
)
from fullconv.inference.runtimes import Run
from fullconv.inference.scores_in_windows import whole_scores
from fullconv.inference.tiling import stream
from fullconv.io.window import Window

SECONDS = 0.8  # for all measurements
TIMES = 2  # that each is timed
LARGEST = 512 * 512  # pixels of an image that is timed
LEAST_SIDE = 64  # pixels
STRIP = 64  # rows of PyTorch's strips

Clock = Callable[[], float]


@torch.inference_mode()
def measure_costs(
    network: nn.Module,
    run: Run,
    staged: StagedNetwork | None,
    clock: Clock = time.perf_counter,
) -> WindowCosts:
    """Time an engine whole and in stages, and PyTorch's strips, each on two small images.

    Args:
        network: in evaluation mode; its strips are PyTorch's.
        run: computes whole images in the engine.
        staged: the network in the engine, in stages; None if it cannot be computed so.
        clock: seconds.
    """

    def run_whole(size: Size) -> float:
        image = sample_image(size).numpy()
        return _least(lambda: run(image), clock)

    sizes = _sizes(run_whole)
    whole = [run_whole(size) for size in sizes]
    stages: list[list[float]] = []
    strips = None
    for size in sizes:
        stages.append(_stage_seconds(network, staged, size, clock) if staged else [])
    if not network_cost(network, 3).refusal:
        strips = _least(lambda: _run_strips(network, sizes[1]), clock) / prod(sizes[1])
    return WindowCosts(
        whole=_line(sizes, whole),
        stages=tuple(_line(sizes, pair) for pair in zip(*stages, strict=True)),
        strips=strips,
    )


def _sizes(seconds: Callable[[Size], float]) -> tuple[Size, Size]:
    """Return the sizes of two images of which all measurements take about `SECONDS`."""
    least = (LEAST_SIDE, LEAST_SIDE)
    rate = max(1e-12, seconds(least) / prod(least))
    # Whole, in stages and in strips, at the size and at a quarter of its pixels.
    pixels = min(LARGEST, SECONDS / ((1 + TIMES) * 3 * 1.25 * rate))
    side = max(2 * LEAST_SIDE, int(pixels**0.5) // LEAST_SIDE * LEAST_SIDE)
    return (side // 2, side // 2), (side, side)


def _least(call: Callable[[], object], clock: Clock) -> float:
    """Return the least seconds of a call, after one that prepares the engine for a size."""
    call()
    took = []
    for _ in range(TIMES):
        start = clock()
        call()
        took.append(clock() - start)
    return min(took)  # other programs disturb it least


def _stage_seconds(
    network: nn.Module, staged: StagedNetwork, size: Size, clock: Clock
) -> list[float]:
    """Return the seconds of each stage for an image of `size`."""
    took: list[list[float]] = [[] for _ in staged.stages]

    def compute(stage: int, maps: Mapping[int, Tensor], shape_of: ShapeOf) -> Sequence[Tensor]:
        start = clock()
        found = staged.compute(stage, maps, shape_of)
        took[stage].append(clock() - start)
        return found

    division = divide_stages(replace(staged, compute=compute), size, UNBOUNDED)
    assert division  # it was compared with PyTorch's scores
    for _ in range(1 + TIMES):
        whole_scores(network, sample_image(size), division)
    return [min(seconds[1:]) for seconds in took]  # the first prepares the engine for the size


def _run_strips(network: nn.Module, size: Size) -> None:
    """Compute an image in PyTorch's strips."""
    pixels = sample_image(size)[0].permute(1, 2, 0).byte().numpy()

    def read(window: Window) -> object:
        return pixels[window.slices]

    for _ in stream(network, read, Plan("strips", True, size, STRIP, size[1])):  # type: ignore[arg-type]
        pass


def _line(sizes: Sequence[Size], seconds: Sequence[float]) -> Cost:
    """Return the seconds per window and per pixel that two measurements give."""
    (few, many), (less, more) = map(prod, sizes), seconds
    pixel = max(more - less, 0.1 * more) / (many - few)
    return Cost(max(0.0, more - pixel * many), pixel)

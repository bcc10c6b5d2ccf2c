"""A plan for the inference of images of one size, and the executors of its strips."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.inference.planner.windows import Windows
from fullconv.inference.streaming.executor import POSITIONS, StreamExecutor
from fullconv.inference.streaming.graph import OpGraph, Region


@dataclass(frozen=True)
class Plan:
    """How images of one size are processed.

    Attributes:
        kind: "whole", "strips" (each layer carries rows from strip to strip), "windows" (an
            engine computes each with its surroundings) or "tiles" (overlapping, with weights).
        exact: whether the result equals that of the whole image.
        size: (height, width) of the image.
        rows: rows of the image per strip, window or tile.
        columns: likewise; less than the width if a strip of full width needs too much memory.
        peak: estimated peak memory in bytes, with `held`, besides the network itself.
        note: a sentence for the user; "" if there is nothing to say.
        resized: (height, width) that the scores are resized to; None for the image's.
        bands: channels of the image.
        overlap: pixels that neighbouring tiles share.
        held: bytes of `peak` that are held during the whole computation.
        windows: of the kind "windows". They are in the plan, since the network may have another
            engine, or none, by the time that they are computed: the scores are the same.
    """

    kind: Literal["whole", "strips", "windows", "tiles"]
    exact: bool
    size: tuple[int, int]
    rows: int
    columns: int
    peak: int = 0
    note: str = ""
    resized: tuple[int, int] | None = None
    bands: int = 3
    overlap: int = 0
    held: int = 0
    windows: Windows | None = None

    @property
    def result(self) -> tuple[int, int]:
        """(height, width) of the scores."""
        return self.resized or self.size

    @property
    def result_columns(self) -> int:
        """Columns of the scores per strip or tile."""
        return max(1, self.columns * self.result[1] // self.size[1])

    def subject(self, network: nn.Module) -> nn.Module:
        """Return the network whose scores have the size of the result."""
        return ScaledNetwork(network, self.resized) if self.resized else network


class ScaledNetwork(nn.Module):
    """A network whose scores are resized.

    Args:
        network: image -> scores.
        size: (height, width) of the scores.
    """

    def __init__(self, network: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, image: Float[Tensor, "B C h w"]) -> Float[Tensor, "B K H W"]:
        """Return the scores, resized to `size` (bilinear, corners not aligned)."""
        return F.interpolate(self.network(image), self.size, mode="bilinear", align_corners=False)


def band_executors(
    steps: OpGraph, planned: Plan, rows: tuple[int, int] | None = None
) -> list[StreamExecutor]:
    """Return an executor for each band of columns of a plan, from left to right.

    Args:
        steps: recorded for the network at the image's size.
        planned: a plan of strips.
        rows: (first, end) of the rows wanted of the scores; None for all.
    """
    width = planned.result[1]
    count = min(width, ceil(planned.size[1] / planned.columns))
    edges = [width * number // count for number in range(count + 1)]
    wanted = rows or (0, planned.result[0])
    return [
        StreamExecutor(steps, Region(wanted, band), planned.rows, POSITIONS * count)
        for band in pairwise(edges)
    ]

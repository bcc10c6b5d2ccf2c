"""A plan: how an image of one size will be answered, and the strips in which that is done."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.inference.streaming.executor import POSITIONS, StreamExecutor
from fullconv.inference.streaming.graph import OpGraph, Region


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


def flows(
    steps: OpGraph, planned: Plan, rows: tuple[int, int] | None = None
) -> list[StreamExecutor]:
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
        StreamExecutor(steps, Region(wanted, band), planned.rows, POSITIONS * count)
        for band in pairwise(edges)
    ]

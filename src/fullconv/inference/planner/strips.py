"""The network of a plan, with resized scores, and the executors of its strips."""

from itertools import pairwise
from math import ceil

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.inference.plan import Plan
from fullconv.inference.streaming.executor import POSITIONS, StreamExecutor
from fullconv.inference.streaming.graph import OpGraph, Region


def planned_network(network: nn.Module, planned: Plan) -> nn.Module:
    """Return the network whose scores have the size of a plan's result."""
    return ScaledNetwork(network, planned.resized) if planned.resized else network


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

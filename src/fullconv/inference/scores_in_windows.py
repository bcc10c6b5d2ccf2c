"""Compute the scores of an image in the windows of a plan: stage by stage, window by window."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.inference.heap import release_heap
from fullconv.inference.planner.windows import Division
from fullconv.inference.streaming.executor import ReadRegion
from fullconv.inference.streaming.graph import Region
from fullconv.networks.geometry import Span


def scores_in_windows(
    network: nn.Module,
    read: ReadRegion,
    division: Division,
    rows: Span,
    wanted: Callable[[Region], bool] = lambda region: True,
) -> Iterator[tuple[Region, Float[Tensor, "K rows columns"]]]:
    """Yield the scores of each window of the last stage.

    Args:
        network: computes the windows of a division in one stage.
        read: reads a region of the image.
        division: how the image is computed.
        rows: (first, end) of the rows of the scores that are wanted.
        wanted: whether the scores of a region, which is in these rows, are wanted.
    """
    run = _Run(network, read, division)
    last = len(division.stages) - 1
    for number in range(last):
        run.keep_stage(number)
        release_heap()  # each stage has maps of other sizes, which do not fit into the same gaps
    for window, region in division.windows[last]:
        first, end = max(window.rows[0], rows[0]), min(window.rows[1], rows[1])
        found = Region((first, end), window.columns)
        if first < end and wanted(found):
            (score,) = run.compute(last, region)
            top, left = region.rows[0], region.columns[0]
            columns = slice(window.columns[0] - left, window.columns[1] - left)
            part = score[0, :, first - top : end - top, columns]
            yield found, part.contiguous()


def whole_scores(
    network: nn.Module, image: Float[Tensor, "1 C H W"], division: Division
) -> Float[Tensor, "1 K H W"]:
    """Return the scores of an image, computed in windows and joined."""

    def read(region: Region) -> Tensor:
        return image[..., slice(*region.rows), slice(*region.columns)]

    whole = torch.empty(0)
    for region, score in scores_in_windows(network, read, division, (0, image.shape[2])):
        whole = whole if len(whole) else score.new_empty(1, len(score), *image.shape[2:])
        whole[0, :, slice(*region.rows), slice(*region.columns)] = score
    return whole


class _Run:
    """The computation of one image, with the maps that are kept between stages."""

    def __init__(self, network: nn.Module, read: ReadRegion, division: Division) -> None:
        assert division.compute or len(division.stages) == 1, "a copied plan has no stages"
        self.network, self.read, self.division = network, read, division
        self.maps: dict[int, Tensor] = {}
        height, width = division.size
        self.whole = Region((0, height), (0, width))

    def keep_stage(self, number: int) -> None:
        """Compute all windows of a stage, and keep its outputs whole."""
        stage, grids = self.division.stages[number], self.division.grids
        self.maps = {index: x for index, x in self.maps.items() if index in stage.kept}
        for wanted, region in self.division.windows[number]:
            for index, x in zip(stage.outputs, self.compute(number, region), strict=True):
                part = grids[index].part(x, region, wanted)
                if wanted == self.whole:
                    self.maps[index] = part
                    continue
                if index not in self.maps:
                    self.maps[index] = x.new_empty(grids[index].value.shape)
                grids[index].part(self.maps[index], self.whole, wanted).copy_(part)

    @torch.inference_mode()  # an engine computes no gradients
    def compute(self, number: int, region: Region) -> Sequence[Tensor]:
        """Return the outputs of a stage for a region of the image."""
        division = self.division
        if division.compute is None:
            return (self.network(self.read(region)),)
        inputs = {}
        for index in division.stages[number].inputs:
            if index == 0:
                inputs[index] = self.read(region)
            else:
                inputs[index] = division.grids[index].part(self.maps[index], self.whole, region)
        return division.compute(number, inputs, lambda index: division.grids[index].shape(region))

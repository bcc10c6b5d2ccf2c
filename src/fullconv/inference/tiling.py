"""Compute a network's scores for images of any size in parts, equal to whole-image inference."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from fullconv.errors import ConfigError
from fullconv.inference.blended_tiles import Spans, TileBlender
from fullconv.inference.planner import (
    ALIGN,
    Plan,
    ScaledNetwork,
    band_executors,
    plan,
    plan_parts,
    planned_network,
)
from fullconv.inference.score_labels import score_labels
from fullconv.inference.scores_in_windows import scores_in_windows
from fullconv.inference.streaming.executor import StreamExecutor, run_side_by_side
from fullconv.inference.streaming.graph import Region, record_ops
from fullconv.io.window import Window

Read = Callable[[Window], Shaped[np.ndarray, "rows columns bands"]]
"""Returns the pixels of a window of an image, RGB in [0, 255]."""

MAX_COMPARED = 2**20  # pixels; a larger crop would not show more


@dataclass(frozen=True)
class PredictedRegion:
    """The prediction for one window of the image.

    Attributes:
        window: position and size in the image.
        labels: class of every pixel.
        score: scores before softmax; None if they were not requested.
        seam: number of pixels predicted by two tiles so far, and of those with different labels;
            (0, 0) without tiles.
    """

    window: Window
    labels: UInt8[np.ndarray, "rows columns"]
    score: Float[Tensor, "K rows columns"] | None = None
    seam: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Verification:
    """A comparison of inference in parts with whole-image inference.

    Attributes:
        size: (height, width) of the crop that was compared.
        parts: number of parts.
        largest: largest difference of a score, relative to the largest score.
        labels: number of pixels with another label.
        exact: whether inference in parts should be exact for this network.
    """

    size: tuple[int, int]
    parts: int
    largest: float
    labels: int
    exact: bool

    def __str__(self) -> str:
        height, width = self.size
        return (
            f"{height} x {width} pixels, whole and in {self.parts} parts: scores differ by at most "
            f"{self.largest:.1e} of the largest, labels at {self.labels} pixels"
        )


ScoredWindows = Iterator[tuple[Window, Tensor, tuple[int, int]]]
"""Windows, their scores (K, rows, columns) on the CPU, and the counts of `PredictedRegion.seam`."""


@torch.inference_mode()
def scored_windows(network: nn.Module, read: Read, planned: Plan) -> ScoredWindows:
    """Compute the scores of an image from top to bottom; the arguments are those of `stream`.

    Yields windows that cover the image once, their scores and the counts of seams so far.
    """
    yield from _COMPUTE[planned.kind](network, read, planned, (0, planned.result[0]))


@torch.inference_mode()
def stream(
    network: nn.Module,
    read: Read,
    planned: Plan,
    *,
    rows: tuple[int, int] | None = None,
    scores: bool = False,
) -> Iterator[PredictedRegion]:
    """Predict an image from top to bottom, without holding all of it in memory.

    Args:
        network: as for `plan`.
        read: returns the pixels of a window; strips are read from top to bottom.
        planned: from `plan`, for this network and the image's size.
        rows: (first, end) of the rows to predict, to resume or to divide work; only the pixels that
            influence them are read. None for all rows.
        scores: also return scores.

    Returns:
        Regions that cover the rows once, from top to bottom, at full width except for windows
        and tiles.

    Raises:
        WeightsError: the scores are not numbers.
    """
    wanted = rows or (0, planned.result[0])
    compute = _COMPUTE[planned.kind]
    for window, score, seam in compute(network, read, planned, wanted):
        yield PredictedRegion(window, score_labels(score), score if scores else None, seam)


def _whole(network: nn.Module, read: Read, planned: Plan, rows: tuple[int, int]) -> ScoredWindows:
    image = image_tensor(read(Window(0, 0, *planned.size)), network)
    score = planned_network(network, planned)(image)[0, :, rows[0] : rows[1]].float().cpu()
    yield Window(rows[0], 0, rows[1] - rows[0], score.shape[2]), score, (0, 0)


def _strips(network: nn.Module, read: Read, planned: Plan, rows: tuple[int, int]) -> ScoredWindows:
    ops = record_ops(planned_network(network, planned), planned.size, planned.bands)
    executors = band_executors(ops, planned, rows)
    top = rows[0]
    for strip in run_side_by_side(executors, lambda region: read_tensor(read, region, network)):
        score = strip[0].float().cpu()
        yield Window(top, 0, score.shape[1], score.shape[2]), score, (0, 0)
        top += score.shape[1]


def _windows(network: nn.Module, read: Read, planned: Plan, rows: tuple[int, int]) -> ScoredWindows:
    if planned.resized:
        yield from _scaled(_windows, network, read, planned, rows)
        return
    assert planned.windows
    parts = scores_in_windows(
        network, lambda region: read_tensor(read, region, network), planned.windows, rows
    )
    for ((first, end), (left, right)), score in parts:
        yield Window(first, left, end - first, right - left), score, (0, 0)


def _tiles(network: nn.Module, read: Read, planned: Plan, rows: tuple[int, int]) -> ScoredWindows:
    if planned.resized:
        yield from _scaled(_tiles, network, read, planned, rows)
        return
    (height, width), overlap = planned.size, planned.overlap
    down = Spans.covering(height, planned.rows, overlap, ALIGN)
    across = Spans.covering(width, planned.columns, overlap, ALIGN)

    def score_tile(window: Window) -> Tensor:
        score: Tensor = network(image_tensor(read(window), network))
        return score[0].float().cpu()

    blend = TileBlender(score_tile, down, across, rows)
    for window, score in blend:
        first, last = max(window.top, rows[0]), min(window.bottom, rows[1])
        if first < last:
            part = score[:, first - window.top : last - window.top]
            seam = (blend.seams.compared, blend.seams.differing)
            yield Window(first, window.left, last - first, window.width), part, seam


def _scaled(
    compute: Callable[..., ScoredWindows],
    network: nn.Module,
    read: Read,
    planned: Plan,
    rows: tuple[int, int],
) -> ScoredWindows:
    """Compute all parts at the smaller size, and upsample the scores strip by strip."""
    assert planned.resized
    height, width = planned.size
    whole, seam = torch.empty(0, 0, 0), (0, 0)
    small = replace(planned, resized=None)
    for window, score, seam in compute(network, read, small, (0, height)):  # noqa: B007
        whole = whole if len(whole) else score.new_empty(len(score), height, width)
        whole[:, *window.slices] = score
    steps = record_ops(ScaledNetwork(nn.Identity(), planned.resized), planned.size, len(whole))
    flow = StreamExecutor(steps, Region(rows, (0, planned.resized[1])), 1)
    top = rows[0]
    for piece in flow.run(lambda region: whole[None, :, slice(*region.rows)]):
        yield Window(top, 0, piece.shape[2], piece.shape[3]), piece[0], seam
        top += piece.shape[2]


_COMPUTE: dict[str, Callable[..., ScoredWindows]] = {
    "whole": _whole,
    "strips": _strips,
    "windows": _windows,
    "tiles": _tiles,
}


@torch.inference_mode()
def verify(
    network: nn.Module,
    image: Shaped[np.ndarray, "H W bands"],
    memory: int | str | None = None,
) -> Verification:
    """Compare inference in parts with whole-image inference, on a central crop of the image.

    Args:
        network: as for `plan`.
        image: downscaled as the network gets it.
        memory: limit in bytes or as "2GiB"; the crop is chosen to fit it whole.
    """
    size = _comparable(network, image, memory)
    top, left = ((whole - part) // 2 for whole, part in zip(image.shape, size, strict=False))
    image = image[top : top + size[0], left : left + size[1]]
    planned = plan_parts(network, size, image.shape[2])
    whole = network(image_tensor(image, network))[0].float().cpu()
    largest, labels, parts = 0.0, 0, 0
    for part in stream(network, lambda window: image[window.slices], planned, scores=True):
        assert part.score is not None
        expected = whole[:, *part.window.slices]
        largest = max(largest, float((expected - part.score).abs().max()))
        labels += int((expected.argmax(0) != part.score.argmax(0)).sum())
        parts += 1
    largest /= float(whole.abs().max().clamp(min=1e-20))
    return Verification(size, parts, largest, labels, planned.exact)


def _comparable(
    network: nn.Module, image: Shaped[np.ndarray, "H W bands"], memory: int | str | None
) -> tuple[int, int]:
    """Return the size of the largest crop that fits the memory whole, up to `MAX_COMPARED`."""
    height, width, bands = image.shape
    share = min(1.0, (MAX_COMPARED / (height * width)) ** 0.5)
    while True:
        size = (max(1, int(height * share)), max(1, int(width * share)))
        with suppress(ConfigError):  # the memory is too small even for strips
            if plan(network, size, memory, bands=bands).kind == "whole":
                return size
        if max(size) <= ALIGN:
            return size
        share *= 0.7


def read_tensor(read: Read, region: Region, network: nn.Module) -> Tensor:
    """Read a region of an image as `image_tensor` gives it."""
    (top, bottom), (left, right) = region
    return image_tensor(read(Window(top, left, bottom - top, right - left)), network)


def image_tensor(pixels: Shaped[np.ndarray, "H W bands"], network: nn.Module) -> Tensor:
    """Return pixels as a network's input (1, bands, H, W), on its device, in its precision."""
    takes_planes = getattr(getattr(network, "engine", None) or network, "takes_planes", None)
    if takes_planes and takes_planes(pixels.shape[:2]):
        # Bytes are rearranged before they become floats: a quarter of the time of the reverse.
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32)
        return torch.from_numpy(planes)[None]
    weight = next(network.parameters())
    rows = torch.from_numpy(np.ascontiguousarray(pixels)).to(weight.device)
    kind = weight.dtype if weight.is_floating_point() else torch.float32
    return rows.permute(2, 0, 1)[None].to(kind)

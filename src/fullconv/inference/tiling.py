"""A network's answer to an image of any size, part by part, as if it had been computed whole."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor, nn

from fullconv.errors import ConfigError
from fullconv.inference.blended_tiles import Spans, TileBlender
from fullconv.inference.planner import ALIGN, Plan, Scaled, flows, in_parts, plan
from fullconv.inference.streaming.executor import StreamExecutor, run_side_by_side
from fullconv.inference.streaming.graph import Region, record_ops
from fullconv.io.window import Window

Read = Callable[[Window], Shaped[np.ndarray, "rows columns bands"]]
"""Gives the pixels of any window of an image, RGB in [0, 255]."""

ENOUGH = 2**20  # pixels; a larger part of the image would prove no more


@dataclass(frozen=True)
class Part:
    """The answer to one window of the image.

    Attributes:
        window: where it lies.
        labels: class of every pixel of the window.
        score: before softmax, where it was asked for.
        seam: pixels that two tiles have answered so far, and how many of them differently; (0, 0)
            where there are no seams.
    """

    window: Window
    labels: UInt8[np.ndarray, "rows columns"]
    score: Float[Tensor, "K rows columns"] | None = None
    seam: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Verification:
    """The same pixels answered whole and in parts.

    Attributes:
        size: (height, width) of the part of the image that was compared.
        parts: how many there were.
        largest: difference of two scores, as a share of the largest score.
        labels: pixels whose class differs.
        exact: whether parts are meant to be exact with this network.
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


Answers = Iterator[tuple[Window, Tensor, tuple[int, int]]]
"""Windows, their scores (K, rows, columns) on the CPU, and the seams so far."""


@torch.inference_mode()
def stream(
    network: nn.Module,
    read: Read,
    planned: Plan,
    *,
    rows: tuple[int, int] | None = None,
    scores: bool = False,
) -> Iterator[Part]:
    """The answer to an image, from top to bottom, without ever holding it whole.

    Args:
        network: as for `plan`.
        read: gives the image's pixels; strips are asked for from top to bottom.
        planned: by `plan`, for this network and the image's size.
        rows: answer only the rows from the first to before the second, reading of the image what
            these see of it: where work goes on after an interruption, or is shared out.
        scores: also give the scores.

    Returns:
        parts that cover the rows once, from top to bottom: full-width ones, but for tiles.
    """
    wanted = rows or (0, planned.result[0])
    ways = {"whole": _whole, "strips": _strips, "tiles": _tiles}
    for window, score, seam in ways[planned.kind](network, read, planned, wanted):
        labels = score.argmax(0).to(torch.uint8).numpy()
        yield Part(window, labels, score if scores else None, seam)


def _whole(network: nn.Module, read: Read, planned: Plan, rows: tuple[int, int]) -> Answers:
    image = image_tensor(read(Window(0, 0, *planned.size)), network)
    subject = Scaled(network, planned.answer) if planned.answer else network
    score = subject(image)[0, :, rows[0] : rows[1]].float().cpu()
    yield Window(rows[0], 0, rows[1] - rows[0], score.shape[2]), score, (0, 0)


def _strips(network: nn.Module, read: Read, planned: Plan, rows: tuple[int, int]) -> Answers:
    subject = Scaled(network, planned.answer) if planned.answer else network
    every = flows(record_ops(subject, planned.size, planned.bands), planned, rows)
    top = rows[0]
    for strip in run_side_by_side(every, lambda region: read_tensor(read, region, network)):
        score = strip[0].float().cpu()
        yield Window(top, 0, score.shape[1], score.shape[2]), score, (0, 0)
        top += score.shape[1]


def _tiles(network: nn.Module, read: Read, planned: Plan, rows: tuple[int, int]) -> Answers:
    if planned.answer:
        yield from _scaled_tiles(network, read, planned, rows)
        return
    (height, width), overlap = planned.size, planned.overlap
    down = Spans.covering(height, planned.rows, overlap, ALIGN)
    across = Spans.covering(width, planned.columns, overlap, ALIGN)

    def answer(window: Window) -> Tensor:
        score: Tensor = network(image_tensor(read(window), network))
        return score[0].float().cpu()

    blend = TileBlender(answer, down, across, rows)
    for window, score in blend:
        first, last = max(window.top, rows[0]), min(window.bottom, rows[1])
        if first < last:
            part = score[:, first - window.top : last - window.top]
            seam = (blend.seams.compared, blend.seams.differing)
            yield Window(first, window.left, last - first, window.width), part, seam


def _scaled_tiles(network: nn.Module, read: Read, planned: Plan, rows: tuple[int, int]) -> Answers:
    """All tiles' scores at the smaller size, enlarged strip by strip."""
    assert planned.answer
    height, width = planned.size
    whole, seam = torch.empty(0, 0, 0), (0, 0)
    small = replace(planned, answer=None)
    for window, score, seam in _tiles(network, read, small, (0, height)):  # noqa: B007
        whole = whole if len(whole) else score.new_empty(len(score), height, width)
        whole[:, *window.slices] = score
    steps = record_ops(Scaled(nn.Identity(), planned.answer), planned.size, len(whole))
    flow = StreamExecutor(steps, Region(rows, (0, planned.answer[1])), 1)
    top = rows[0]
    for piece in flow.run(lambda region: whole[None, :, slice(*region.rows)]):
        yield Window(top, 0, piece.shape[2], piece.shape[3]), piece[0], seam
        top += piece.shape[2]


@torch.inference_mode()
def verify(
    network: nn.Module,
    image: Shaped[np.ndarray, "H W bands"],
    memory: int | str | None = None,
) -> Verification:
    """Compare the answer in parts with the whole image's: on all of it, or on its first million.

    Args:
        network: as for `plan`.
        image: the user's own, as the network gets it (fitted into the size of training).
        memory: likewise; the part that is compared has to fit into it whole.
    """
    size = _comparable(network, image, memory)
    top, left = ((whole - part) // 2 for whole, part in zip(image.shape, size, strict=False))
    image = image[top : top + size[0], left : left + size[1]]
    planned = in_parts(network, size, image.shape[2])
    whole = network(image_tensor(image, network))[0].float().cpu()
    largest, labels, parts = 0.0, 0, 0
    for part in stream(network, lambda window: image[window.slices], planned, scores=True):
        assert part.score is not None
        true = whole[:, *part.window.slices]
        largest = max(largest, float((true - part.score).abs().max()))
        labels += int((true.argmax(0) != part.score.argmax(0)).sum())
        parts += 1
    largest /= float(whole.abs().max().clamp(min=1e-20))
    return Verification(size, parts, largest, labels, planned.exact)


def _comparable(
    network: nn.Module, image: Shaped[np.ndarray, "H W bands"], memory: int | str | None
) -> tuple[int, int]:
    """The size of the image's part that is compared: what fits whole, and is quickly done."""
    height, width, bands = image.shape
    share = min(1.0, (ENOUGH / (height * width)) ** 0.5)
    while True:
        size = (max(1, int(height * share)), max(1, int(width * share)))
        with suppress(ConfigError):  # less than even its strips take
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
    weight = next(network.parameters())
    rows = torch.from_numpy(np.ascontiguousarray(pixels)).to(weight.device)
    kind = weight.dtype if weight.is_floating_point() else torch.float32
    return rows.permute(2, 0, 1)[None].to(kind)

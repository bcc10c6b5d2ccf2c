"""Overlapping, weighted tiles: for networks in which every pixel sees the whole image."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from fullconv.tiles import Spans, Window

Answer = Callable[[Window], Tensor]
"""Gives the scores (K, rows, columns) of a window by itself, on the CPU."""


@dataclass
class Seams:
    """What neighbouring tiles said about the pixels that they share.

    Attributes:
        compared: pixels answered by two neighbours.
        differing: those of them that got different labels.
    """

    compared: int = 0
    differing: int = 0

    def compare(self, one: Tensor, other: Tensor) -> None:
        """Count two arrays of labels of the same pixels."""
        self.compared += one.numel()
        self.differing += int((one != other).sum())


@dataclass
class Blend:
    """Weighted means of overlapping tiles, of which only the overlaps are kept for later tiles.

    Args:
        answer: to one tile.
        rows: where tiles begin and end along the rows.
        columns: likewise.
        wanted: rows of the answer, (first, behind the last); other tiles are left out.
        seams: counts where neighbours disagree.
    """

    answer: Answer
    rows: Spans
    columns: Spans
    wanted: tuple[int, int]
    seams: Seams = field(default_factory=Seams)

    def __iter__(self) -> Iterator[tuple[Window, Float[Tensor, "K rows columns"]]]:
        """The settled part of each tile and its scores: left to right, then top to bottom."""
        above: Edge | None = None
        for top in self.rows.starts:
            if self.rows.end(top) <= self.wanted[0] or top >= self.wanted[1]:
                continue
            below, beside = Edge(), Edge()
            for left in self.columns.starts:
                yield self._settle(top, left, (above, beside, below))
            above = below

    def _settle(
        self, top: int, left: int, edges: tuple["Edge | None", "Edge", "Edge"]
    ) -> tuple[Window, Tensor]:
        """One tile's answer, with what earlier ones left to it, less what it leaves itself."""
        above, beside, below = edges
        window = Window(top, left, self.rows.end(top) - top, self.columns.end(left) - left)
        score = self.answer(window)
        labels = score.argmax(0).to(torch.uint8)
        down = torch.from_numpy(self.rows.weights(top)).view(-1, 1)
        score = score * down * torch.from_numpy(self.columns.weights(left))
        if left:
            shared = beside.labels.shape[1]
            self.seams.compare(labels[:, :shared], beside.labels)
            score[:, :, :shared] += beside.score
        wide, high = self.columns.settled(left) - left, self.rows.settled(top) - top
        beside.score, beside.labels = score[:, :, wide:].clone(), labels[:, wide:].clone()
        score, labels = score[:, :, :wide], labels[:, :wide]
        if above:
            shared, columns = above.labels.shape[0], slice(left, left + wide)
            self.seams.compare(labels[:shared], above.labels[:, columns])
            score[:, :shared] += above.score[:, :, columns]
        below.put(left, self.columns.size, score[:, high:], labels[high:])
        return Window(top, left, high, wide), score[:, :high]


@dataclass
class Edge:
    """What is left to later tiles: weighted scores, and the labels of the tile itself."""

    score: Tensor = field(default_factory=lambda: torch.empty(0, 0, 0))
    labels: Tensor = field(default_factory=lambda: torch.empty(0, 0))

    def put(self, left: int, width: int, score: Tensor, labels: Tensor) -> None:
        """Write the part that begins at column `left` into an edge of `width` columns."""
        if not left:
            self.score = score.new_empty(len(score), score.shape[1], width)
            self.labels = labels.new_empty(len(labels), width)
        self.score[:, :, left : left + score.shape[2]] = score
        self.labels[:, left : left + score.shape[2]] = labels

"""Overlapping tiles, blended at their seams."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fullconv.io.window import Window

Answer = Callable[[Window], Tensor]
"""Gives the scores (K, rows, columns) of a window by itself, on the CPU."""


@dataclass
class SeamStats:
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


@dataclass(frozen=True)
class Spans:
    """How one side of an image is covered: spans of equal length, each overlapping its neighbours.

    Attributes:
        size: of the side, in pixels.
        step: from the start of a span to the next one's.
        overlap: pixels that two neighbours share; 0 where one span is all.
    """

    size: int
    step: int
    overlap: int

    @classmethod
    def covering(cls, size: int, longest: int, overlap: int, align: int = 1) -> "Spans":
        """As few spans as can be, about equally long.

        Args:
            size: of the side.
            longest: a span may be, more than twice the overlap.
            overlap: of neighbours.
            align: all starts are multiples of it; it divides `longest - overlap`.
        """
        if size <= longest:
            return cls(size, size, 0)
        count = ceil((size - overlap) / (longest - overlap))
        step = ceil((size - overlap) / count / align) * align
        return cls(size, step, overlap)

    @property
    def starts(self) -> range:
        """The first pixel of each span."""
        return range(0, max(1, self.size - self.overlap), self.step)

    def end(self, start: int) -> int:
        """The pixel behind the last one of the span that begins at `start`."""
        return min(self.size, start + self.step + self.overlap)

    def settled(self, start: int) -> int:
        """The pixel up to which no later span has a say."""
        return self.size if self.end(start) == self.size else start + self.step

    def weights(self, start: int) -> Float[np.ndarray, " pixels"]:
        """How much each pixel of a span counts, in (0, 1]: with its neighbours', one everywhere."""
        end = self.end(start)
        found = np.ones(end - start, np.float32)
        ramp = (np.arange(self.overlap, dtype=np.float32) + 0.5) / max(1, self.overlap)
        if start:
            found[: self.overlap] = ramp
        if end < self.size:
            found[-self.overlap :] = ramp[::-1]
        return found


@dataclass
class TileBlender:
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
    seams: SeamStats = field(default_factory=SeamStats)

    def __iter__(self) -> Iterator[tuple[Window, Float[Tensor, "K rows columns"]]]:
        """The settled part of each tile and its scores: left to right, then top to bottom."""
        above: Overlap | None = None
        for top in self.rows.starts:
            if self.rows.end(top) <= self.wanted[0] or top >= self.wanted[1]:
                continue
            below, beside = Overlap(), Overlap()
            for left in self.columns.starts:
                yield self._settle(top, left, (above, beside, below))
            above = below

    def _settle(
        self, top: int, left: int, edges: tuple["Overlap | None", "Overlap", "Overlap"]
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
class Overlap:
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

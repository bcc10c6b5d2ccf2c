"""Blend the scores of overlapping tiles."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fullconv.io.window import Window

ScoreTile = Callable[[Window], Tensor]
"""Returns the scores (K, rows, columns) of a window by itself, on the CPU."""


@dataclass
class SeamStats:
    """How well neighbouring tiles agree in their overlaps.

    Attributes:
        compared: pixels predicted by two tiles.
        differing: those with different labels.
    """

    compared: int = 0
    differing: int = 0

    def compare(self, first: Tensor, second: Tensor) -> None:
        """Count the pixels of two label arrays of the same region."""
        self.compared += first.numel()
        self.differing += int((first != second).sum())


@dataclass(frozen=True)
class Spans:
    """Overlapping spans of equal length that cover one side of an image.

    Attributes:
        size: pixels of the side.
        step: pixels between the starts of two spans.
        overlap: pixels that two neighbours share; 0 if there is only one span.
    """

    size: int
    step: int
    overlap: int

    @classmethod
    def covering(cls, size: int, longest: int, overlap: int, align: int = 1) -> "Spans":
        """Return the fewest spans possible, about equally long.

        Args:
            size: pixels of the side.
            longest: maximum length of a span; more than twice the overlap.
            overlap: pixels that neighbours share.
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
        """Return the end (exclusive) of the span that begins at `start`."""
        return min(self.size, start + self.step + self.overlap)

    def final_until(self, start: int) -> int:
        """Return the pixel (exclusive) up to which later spans do not contribute."""
        return self.size if self.end(start) == self.size else start + self.step

    def weights(self, start: int) -> Float[np.ndarray, " pixels"]:
        """Return the weights of a span's pixels in (0, 1]; over all spans, they sum to 1."""
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
    """Average overlapping tiles with weights; only the overlaps are kept for later tiles.

    Args:
        score_tile: computes the scores of one tile.
        rows: spans of the tiles along the rows.
        columns: likewise.
        wanted: (first, end) of the rows wanted; other tiles are skipped.
        seams: counts disagreements of neighbours.
    """

    score_tile: ScoreTile
    rows: Spans
    columns: Spans
    wanted: tuple[int, int]
    seams: SeamStats = field(default_factory=SeamStats)

    def __iter__(self) -> Iterator[tuple[Window, Float[Tensor, "K rows columns"]]]:
        """Yield the final part of each tile with its scores, left to right, then top to bottom."""
        above: Overlap | None = None
        for top in self.rows.starts:
            if self.rows.end(top) <= self.wanted[0] or top >= self.wanted[1]:
                continue
            below, beside = Overlap(), Overlap()
            for left in self.columns.starts:
                yield self._blend(top, left, (above, beside, below))
            above = below

    def _blend(
        self, top: int, left: int, edges: tuple["Overlap | None", "Overlap", "Overlap"]
    ) -> tuple[Window, Tensor]:
        """Score one tile, add the overlaps of earlier tiles, and keep those for later ones."""
        above, beside, below = edges
        window = Window(top, left, self.rows.end(top) - top, self.columns.end(left) - left)
        score = self.score_tile(window)
        labels = score.argmax(0).to(torch.uint8)
        down = torch.from_numpy(self.rows.weights(top)).view(-1, 1)
        score = score * down * torch.from_numpy(self.columns.weights(left))
        if left:
            shared = beside.labels.shape[1]
            self.seams.compare(labels[:, :shared], beside.labels)
            score[:, :, :shared] += beside.score
        wide, high = self.columns.final_until(left) - left, self.rows.final_until(top) - top
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
    """An overlap kept for later tiles: weighted scores, and the labels of the tile itself."""

    score: Tensor = field(default_factory=lambda: torch.empty(0, 0, 0))
    labels: Tensor = field(default_factory=lambda: torch.empty(0, 0))

    def put(self, left: int, width: int, score: Tensor, labels: Tensor) -> None:
        """Write the part that begins at column `left` into an overlap of `width` columns."""
        if not left:
            self.score = score.new_empty(len(score), score.shape[1], width)
            self.labels = labels.new_empty(len(labels), width)
        self.score[:, :, left : left + score.shape[2]] = score
        self.labels[:, left : left + score.shape[2]] = labels

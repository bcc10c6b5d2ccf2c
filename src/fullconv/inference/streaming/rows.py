"""Rows of feature maps that later ops still need."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fullconv.inference.streaming.op import storage_bytes
from fullconv.networks.geometry import Span


class RowBuffer:
    """Consecutive rows of a feature map, as the pieces in which they were computed.

    Attributes:
        begin: the first row that is there, counted from the map's first.
        end: the row after the last.
    """

    def __init__(self, begin: int, dim: int) -> None:
        self.begin = self.end = begin
        self._dim = dim
        self._pieces: list[Tensor] = []
        self._first = begin  # row of the first piece, which may start before `begin`

    def add(self, x: Tensor) -> int:
        """Append rows; return the bytes that they hold."""
        if not self._pieces:
            self._first = self.end
        self._pieces.append(x)
        self.end += x.shape[self._dim]
        return storage_bytes(x)

    def take(self, rows: Span) -> Tensor:
        """Return some of the rows, at least one; a view if one piece holds them all."""
        parts, first = [], self._first
        for piece in self._pieces:
            end = first + piece.shape[self._dim]
            low, high = max(first, rows[0]), min(end, rows[1])
            if low < high:
                parts.append(piece.narrow(self._dim, low - first, high - low))
            first = end
        return parts[0] if len(parts) == 1 else torch.cat(parts, self._dim)

    def drop(self, before: int) -> int:
        """Drop the rows before one; return the bytes that became free."""
        freed = 0
        self.begin = max(self.begin, min(before, self.end))
        while self._pieces and self._first + self._pieces[0].shape[self._dim] <= self.begin:
            piece = self._pieces.pop(0)
            self._first += piece.shape[self._dim]
            freed += storage_bytes(piece)
        if self._pieces:
            freed += self._shrink()
        return freed

    def _shrink(self) -> int:
        # A view of a few rows would keep the whole piece; copying most of its rows costs time.
        piece, dropped = self._pieces[0], self.begin - self._first
        rest = piece.shape[self._dim] - dropped
        if rest > dropped:
            return 0
        self._pieces[0] = in_own_layout(piece.narrow(self._dim, dropped, rest).clone(), ())
        self._first = self.begin
        return storage_bytes(piece) - storage_bytes(self._pieces[0])


def in_own_layout(x: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """Return a result with the strides that it has if it holds numbers.

    Without numbers, a function keeps the strides of its input even if that is a part of a map, from
    which its memory would be overestimated. A view of an input stays one.
    """
    storage = x.untyped_storage()._cdata
    if x.numel() or any(storage == y.untyped_storage()._cdata for y in inputs):
        return x
    return x.new_empty(x.shape)

"""Rows of a value that are kept, piece by piece as they were made, until nobody needs them."""

import torch
from torch import Tensor

from fullconv.reach import Range


class Rows:
    """Consecutive rows of a value, as they were made, until nobody needs them.

    Attributes:
        begin: the first that is there, counted from the whole value's first.
        end: the row behind the last.
    """

    def __init__(self, begin: int, dim: int) -> None:
        self.begin = self.end = begin
        self._dim = dim
        self._pieces: list[Tensor] = []
        self._first = begin  # of the first piece, which may begin before what is still needed

    def add(self, x: Tensor) -> int:
        """Append rows, and say how many bytes they hold."""
        if not self._pieces:
            self._first = self.end
        self._pieces.append(x)
        self.end += x.shape[self._dim]
        return bytes_of(x)

    def take(self, wanted: Range) -> Tensor:
        """Some of the rows, at least one: a view where one piece holds them all."""
        found, first = [], self._first
        for piece in self._pieces:
            behind = first + piece.shape[self._dim]
            low, high = max(first, wanted[0]), min(behind, wanted[1])
            if low < high:
                found.append(piece.narrow(self._dim, low - first, high - low))
            first = behind
        return found[0] if len(found) == 1 else torch.cat(found, self._dim)

    def drop(self, before: int) -> int:
        """Forget the rows before one, and say how many bytes became free."""
        freed = 0
        self.begin = max(self.begin, min(before, self.end))
        while self._pieces and self._first + self._pieces[0].shape[self._dim] <= self.begin:
            piece = self._pieces.pop(0)
            self._first += piece.shape[self._dim]
            freed += bytes_of(piece)
        if self._pieces:
            freed += self._shrink()
        return freed

    def _shrink(self) -> int:
        # A view of a few rows would keep all of the piece's; a copy of most rows would waste time.
        piece, gone = self._pieces[0], self.begin - self._first
        rest = piece.shape[self._dim] - gone
        if rest > gone:
            return 0
        self._pieces[0] = piece.narrow(self._dim, gone, rest).clone()
        self._first = self.begin
        return bytes_of(piece) - bytes_of(self._pieces[0])


def bytes_of(x: Tensor) -> int:
    """What a tensor keeps in memory: all of its storage, though it may be a view of a part."""
    return x.untyped_storage().nbytes()

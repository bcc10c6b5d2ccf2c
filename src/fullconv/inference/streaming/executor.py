"""Line-buffered execution: each layer keeps only the rows still needed."""

from math import ceil

import torch
from torch import Tensor

from fullconv.inference.streaming.ops import Op, OpGraph, Region
from fullconv.inference.streaming.ranges import Range, inside

# A convolution's weights are laid out anew at each call, for few places as for many: one with
# heavy weights waits until it has enough.
PLACES = 4096
HEAVY = 2**18  # bytes


class StreamExecutor:
    """A band of an image's columns on its way through the network.

    Args:
        steps: of the network, at the image's size.
        region: of the answer that is wanted.
        rows: of the image that are fed at a time.
        places: of the whole width that a convolution with heavy weights waits for.

    Attributes:
        image: the region of the image that it takes.
        held: bytes of rows that are kept for later.
        most_held: the most that were, between two strips.
        peak: the most bytes that were in use at once, as far as can be told from the sizes.
        multiply_adds: done so far.
    """

    def __init__(self, steps: OpGraph, region: Region, rows: int, places: int = PLACES) -> None:
        needed = steps.needed(region)
        self.image = needed.get(0, Region((0, 0), (0, 0)))
        self.held = self.most_held = self.peak = self.multiply_adds = 0
        self._answer, self._values = steps.answer, steps.values
        self._like = torch.empty(0)
        self._kept = {
            number: RowBuffer(part.rows[0], steps.values[number].rows)
            for number, part in needed.items()
        }
        self._columns = {number: part.columns for number, part in needed.items()}
        self._turns: list[OpProgress] = []
        self._readers: dict[int, list[tuple[OpProgress, int]]] = {number: [] for number in needed}
        for step in steps.steps:
            outputs = [number for number in step.outputs if number in needed]
            if outputs:
                self._add(OpProgress(step, steps, needed, outputs[0], rows, places), step)

    def _add(self, turn: "OpProgress", step: Op) -> None:
        self._turns.append(turn)
        for position, number in enumerate(step.inputs):
            self._readers[number].append((turn, position))

    @property
    def done(self) -> bool:
        """Whether the whole answer has been given."""
        return all(turn.done == turn.end for turn in self._turns)

    def advance(self, image: Tensor | None) -> Tensor | None:
        """Let every layer do what it now can, for at most one strip.

        Args:
            image: the next rows of `self.image`, (1, C, rows, columns); None behind the last.

        Returns:
            the next rows of the scores, if there are any.
        """
        if image is not None:
            self._like = image
            self._keep(0, image)
        for turn in self._turns:
            wanted = turn.ready([self._kept[number].end for number in turn.step.inputs])
            if wanted[0] < wanted[1]:
                self._take_turn(turn, wanted)
        self.most_held = max(self.most_held, self.held)
        answer = self._kept[self._answer]
        if answer.end == answer.begin:
            return None
        rows = answer.take((answer.begin, answer.end))
        self._drop(self._answer, answer.end)
        return rows

    def _take_turn(self, turn: "OpProgress", wanted: Range) -> None:
        step = turn.step
        region = Region(wanted, turn.columns)
        given = [self._part(number, turn, at, region) for at, number in enumerate(step.inputs)]
        turn.done = wanted[1]
        for number in set(step.inputs):
            self._trim(number)
        made = step.doing.run(given, region)
        results = list(made) if isinstance(made, tuple | list) else [made]
        work = sum(bytes_of(x) for x in (*given, *results)) + step.doing.workspace(given, results)
        self.peak = max(self.peak, self.held + work)
        self.multiply_adds += step.doing.per_output * results[0].numel()
        self.multiply_adds += step.doing.per_input * given[0].numel()
        for number, result in zip(step.outputs, results, strict=True):
            if number in self._kept:
                self._keep(number, result)

    def _part(self, number: int, turn: "OpProgress", position: int, region: Region) -> Tensor:
        rows, columns = turn.reads(position, region)
        whole = self._columns[number]
        if rows[0] == rows[1]:  # it sees only what lies beyond the input's ends
            return self._nothing(number, turn.dims[position], columns)
        part = self._kept[number].take(rows)
        if columns == whole:
            return part
        return part.narrow(turn.dims[position], columns[0] - whole[0], columns[1] - columns[0])

    def _nothing(self, number: int, dim: int, columns: Range) -> Tensor:
        sizes = list(self._values[number].shape)
        sizes[self._values[number].rows], sizes[dim] = 0, columns[1] - columns[0]
        return self._like.new_empty(sizes)

    def _keep(self, number: int, x: Tensor) -> None:
        self.held += self._kept[number].add(x)
        self._trim(number)

    def _trim(self, number: int) -> None:
        if number == self._answer:
            return
        first = [turn.first(position) for turn, position in self._readers[number]]
        self._drop(number, min(first, default=self._kept[number].end))

    def _drop(self, number: int, before: int) -> None:
        self.held -= self._kept[number].drop(before)


class OpProgress:
    """One step's progress down the image.

    Attributes:
        step: the step.
        done: rows of its output that are done, counted from the whole output's first.
        end: rows of it that are wanted.
        columns: of it that are wanted.
        dims: which dimension of each input is its columns.
    """

    def __init__(
        self,
        step: Op,
        steps: OpGraph,
        needed: dict[int, Region],
        output: int,
        rows: int,
        places: int,
    ) -> None:
        self.step = step
        (self.done, self.end), self.columns = needed[output]
        many = ceil(places / max(1, steps.values[output].sides[1]))
        self.quota = max(ceil(rows / steps.values[output].stride), many)
        self.least = min(self.end - self.done, many if step.doing.weights > HEAVY else 1)
        self.sides = [steps.values[number].sides for number in step.inputs]
        self.dims = [steps.values[number].columns for number in step.inputs]

    def reads(self, position: int, region: Region) -> Region:
        """What it reads of one of its inputs for a region of its output."""
        reaches, (height, width) = self.step.doing.reaches[position], self.sides[position]
        rows = inside(reaches[0].reads(region.rows), height)
        return Region(rows, inside(reaches[1].reads(region.columns), width))

    def ready(self, ends: list[int]) -> Range:
        """The next rows of its output that it can do.

        Args:
            ends: of each input, the row behind the last that is there.
        """
        low, high = self.done, min(self.done + self.quota, self.end)
        while low < high:  # the largest end for which every input reaches far enough
            middle = (low + high + 1) // 2
            if all(self._last(at, middle) <= end for at, end in enumerate(ends)):
                low = middle
            else:
                high = middle - 1
        enough = low == self.end or low - self.done >= self.least
        return self.done, low if enough else self.done

    def first(self, position: int) -> int:
        """The first row of an input that it will still read."""
        if self.done == self.end:
            return self.sides[position][0]
        reach = self.step.doing.reaches[position][0]
        return inside(reach.reads((self.done, self.done + 1)), self.sides[position][0])[0]

    def _last(self, position: int, end: int) -> int:
        reach = self.step.doing.reaches[position][0]
        return inside(reach.reads((self.done, end)), self.sides[position][0])[1]


class RowBuffer:
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

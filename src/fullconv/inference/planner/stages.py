"""Divide a network into stages, each of which is computed completely before the next one begins.

What a layer needs around a part of its output adds up over the layers, to hundreds of pixels, while
most of the memory is taken by the first and last layers, whose maps are large. Between the stages,
maps of few bytes are kept whole; so each stage has small surroundings, and the deep layers, which
look far, compute small maps. A mean over the whole image (squeeze-and-excitation) is a stage of its
own, so it is exact.
"""

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from fullconv.inference.streaming.graph import Op, OpGraph
from fullconv.inference.streaming.ops.resize import LinearResize
from fullconv.inference.streaming.ranges import WholeAxis

MOST_KEPT = 48  # bytes per pixel of the image, of the maps between two stages
# Measured: ONNX Runtime takes 0.5 to 1.6 times the maps that an op reads and writes. OpenVINO takes
# up to 2.7 times: it reuses less memory from op to op. Outputs are copied twice.
COPIES, OUTPUT_COPIES = 2, 2


@dataclass(frozen=True)
class Stage:
    """Some ops of a network, which follow only from the image and from earlier stages.

    Attributes:
        ops: indices in the graph, in an order in which they can run.
        inputs: values that it reads of earlier stages; number 0 is the image.
        outputs: values that later stages read, or the scores.
        kept: values that are held whole while it runs: its inputs and outputs but the scores, and
            what later stages read.
        pixel_bytes: bytes per pixel of the image that it takes beside these.
        work: multiply-adds and computed numbers per pixel of the image.
        is_global: whether it computes a value of the whole image, so it runs on all of it at once.
    """

    ops: tuple[int, ...]
    made: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kept: tuple[int, ...]
    pixel_bytes: float
    work: float
    is_global: bool


def whole_stage(graph: OpGraph) -> Stage:
    """Return a network as one stage."""
    return _Schedule(graph, tuple(range(len(graph.ops)))).stage(0, len(graph.ops))


def find_stages(graph: OpGraph, visible: Set[int]) -> tuple[Stage, ...]:
    """Return the stages of a network; they follow from its layers, not from the image's size.

    Args:
        graph: recorded on an image whose sides all strides divide.
        visible: values that may be kept between two stages.
    """
    schedule = _Schedule(graph, _reordered(graph))
    cuts = schedule.cuts(visible)
    return tuple(schedule.stage(first, end) for first, end in pairwise(cuts))


def places(graph: OpGraph) -> set[int]:
    """Return the values whose pixels are those of the image by a stride: before interpolations."""
    exact = {0}
    for op in graph.ops:
        if exact.issuperset(op.inputs) and not any(resizes(op)):
            exact.update(op.outputs)
    return exact


def resizes(op: Op) -> Iterator[LinearResize]:
    """Yield the interpolations of an op."""
    for axes in op.partial.reads:
        yield from (rule for rule in axes if isinstance(rule, LinearResize))


@dataclass(frozen=True)
class _Schedule:
    """A graph's ops in an order in which they can run."""

    graph: OpGraph
    order: tuple[int, ...]

    def stage(self, first: int, end: int) -> Stage:
        """Return the stage of the ops from position `first` to `end` of the order."""
        ops = self.order[first:end]
        made = tuple(index for at in ops for index in self.graph.ops[at].outputs)
        read = {index for at in ops for index in self.graph.ops[at].inputs}
        before, after = self._live(first), self._live(end)
        outputs = after.intersection(made)
        copied = OUTPUT_COPIES * self._bytes(outputs)
        return Stage(
            ops,
            made,
            tuple(sorted(read.difference(made))),
            tuple(sorted(outputs)),
            tuple(sorted((before | after) - {0, self.graph.output})),
            COPIES * self._peak(first, end, before | after) + copied,
            sum(self._work(self.graph.ops[at]) for at in ops) / self._pixels,
            any(self._reads_all(self.graph.ops[at]) for at in ops),
        )

    def cuts(self, visible: Set[int]) -> list[int]:
        """Return the positions at which stages begin, and the end.

        At each stride, maps are kept where they have the fewest bytes; and around what is computed
        of the whole image.
        """
        count, exact = len(self.order), places(self.graph)
        live = {end: self._live(end) for end in range(1, count)}
        allowed = [
            end for end, values in live.items() if values <= visible and values - {0} <= exact
        ]
        chosen = {0, count}
        best: dict[int, int] = {}  # stride -> position
        for end in allowed:
            level = self._level(end)
            if self._bytes(live[end]) < self._bytes(live[best[level]] if level in best else None):
                best[level] = end
        chosen |= {
            end for level, end in best.items() if level > 1 and self._bytes(live[end]) <= MOST_KEPT
        }
        return sorted(chosen | set(self._around_globals(allowed)))

    def _around_globals(self, allowed: Sequence[int]) -> Iterator[int]:
        """Yield where runs of ops whose results have no positions begin and end."""
        kinds = [self._is_global(self.graph.ops[at]) for at in self.order]
        for end in allowed:
            if kinds[end - 1] != kinds[end]:
                yield end

    def _level(self, end: int) -> int:
        """Return the largest stride of the maps computed before a position."""
        values = (
            self.graph.values[i] for at in self.order[:end] for i in self.graph.ops[at].outputs
        )
        return int(max((value.stride for value in values if not value.is_global), default=1))

    def _live(self, end: int) -> set[int]:
        """Return the values computed before a position and read from there on."""
        read = {index for at in self.order[end:] for index in self.graph.ops[at].inputs}
        made = {0} | {index for at in self.order[:end] for index in self.graph.ops[at].outputs}
        return made & (read | {self.graph.output})

    def _peak(self, first: int, end: int, kept: Set[int]) -> float:
        """Return the most bytes per pixel that the values other than `kept` take at a time.

        Parts of the kept ones, inputs and outputs, count while an op reads or writes them.
        """
        last = {i: at for at in range(first, end) for i in self.graph.ops[self.order[at]].inputs}
        held: set[int] = set()
        most = 0.0
        for at in range(first, end):
            op = self.graph.ops[self.order[at]]
            most = max(most, self._bytes(held | set(op.inputs) | set(op.outputs)))
            held |= {index for index in op.outputs if index not in kept}
            held = {index for index in held if last.get(index, -1) > at}
        return most

    def _bytes(self, values: Set[int] | None) -> float:
        """Return the bytes of values per pixel of the image; infinite for None."""
        if values is None:
            return float("inf")
        listed = (self.graph.values[index] for index in values)
        return sum(prod(value.shape) * value.bytes for value in listed) / self._pixels

    def _work(self, op: Op) -> float:
        """Return the multiply-adds of an op and the numbers that it computes."""
        made = sum(prod(self.graph.values[index].shape) for index in op.outputs)
        read = prod(self.graph.values[op.inputs[0]].shape)
        return (1 + op.partial.per_output) * made + op.partial.per_input * read

    @property
    def _pixels(self) -> int:
        return prod(self.graph.values[0].size)

    def _is_global(self, op: Op) -> bool:
        return all(self.graph.values[index].is_global for index in op.outputs)

    def _reads_all(self, op: Op) -> bool:
        pairs = zip(op.inputs, op.partial.reads, strict=True)
        return any(
            isinstance(reads[0], WholeAxis) and not self.graph.values[index].is_global
            for index, reads in pairs
        )


def _reordered(graph: OpGraph) -> tuple[int, ...]:
    """Return an order of the ops in which few bytes are held: the least addition first.

    A skip's scores are recorded late, with the upsampling, but have far fewer bytes than the skip.
    """
    sizes = [prod(value.shape) * value.bytes for value in graph.values]
    unread = Counter(index for op in graph.ops for index in set(op.inputs))
    unread[graph.output] += 1
    made, order = {0}, []
    waiting = list(range(len(graph.ops)))

    def added(at: int) -> int:
        """Return the bytes that an op adds to those that are held."""
        op = graph.ops[at]
        freed = sum(sizes[index] for index in set(op.inputs) if unread[index] == 1)
        return sum(sizes[index] for index in op.outputs) - freed

    while waiting:
        ready = [at for at in waiting if made.issuperset(graph.ops[at].inputs)]
        best = min(ready, key=added)  # the first of equals
        order.append(best)
        waiting.remove(best)
        made.update(graph.ops[best].outputs)
        unread.subtract(set(graph.ops[best].inputs))
    return tuple(order)

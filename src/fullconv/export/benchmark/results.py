"""What measured turns say of each engine: how fast, how much of the peak, how near to the first."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from fullconv.export.benchmark.timing import EngineRunner, Images, Spread, Timing
from fullconv.export.parity import difference

Clock = Literal["wall", "cpu"]
Lanes = dict[str, EngineRunner]
Told = list[dict[str, Timing]]


@dataclass(frozen=True)
class RuntimeResult:
    """One engine.

    Attributes:
        engine: its name.
        precision: of its products.
        seconds: of one image.
        ahead: how many times as fast as the first engine, round by round.
        throughput: images a second, in batches of `Bench.batch`.
        gflop: operations of one image in units of 10^9, two a multiply-add, as it computes them.
        rate: units of 10^9 operations a second.
        share: of what a large matrix product of its precision reaches, round by round.
        memory: bytes that its process held at the most until it had answered the image twice,
            weights and libraries included.
        difference: the largest of a score to the first engine's, relative to the largest score;
            None where no such thing is known.
        agreement: share of the pixels with the first engine's label.
        turns: all that was measured.
    """

    engine: str
    precision: str
    seconds: Spread
    ahead: Spread
    throughput: float
    gflop: float | None
    rate: float | None
    share: float | None
    memory: int
    difference: float | None
    agreement: float | None
    turns: tuple[Timing, ...]


@dataclass(frozen=True)
class Bench:
    """What one run measured.

    Attributes:
        size: (height, width) of the image.
        batch: images of a call for the throughput.
        rounds: so far.
        threads: of every engine.
        clock: wall, or the time of all processors, which tells more on a machine that is shared.
        rows: an engine each; the first is what the others are compared with.
        peaks: precision -> units of 10^9 operations a second of a large matrix product.
        left_out: why an engine is missing, a sentence each.
        machine: what it was measured on.
    """

    size: tuple[int, int]
    batch: int
    rounds: int
    threads: int
    clock: Clock
    rows: tuple[RuntimeResult, ...]
    peaks: dict[str, Spread]
    left_out: tuple[str, ...]
    machine: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        return asdict(self)


class Known:
    """What of the engines does not depend on time: answers, memory and operations."""

    def __init__(self, lanes: Lanes, products: Lanes, images: Images) -> None:
        self.lanes, self.first = lanes, next(iter(lanes))
        self.answers = {name: lane.answer(images) for name, lane in lanes.items()}
        # Counting what is computed takes memory of its own, so this comes first.
        self.memory = {name: lane.peak() for name, lane in lanes.items()}
        self.work = {name: lane.work(images) for name, lane in (lanes | products).items()}

    def row(self, name: str, told: Told, clock: Clock) -> RuntimeResult:
        """What is known of an engine after some rounds."""
        lane, work = self.lanes[name], self.work[name]
        seconds = times(told, name, clock)
        ahead = [a / b for a, b in zip(times(told, self.first, clock), seconds, strict=True)]
        rates = self.rates(name, told, clock)
        peaks = self.rates(product_name(lane.precision), told, clock)
        shares = [rate / peak for rate, peak in zip(rates, peaks, strict=False)]
        return RuntimeResult(
            engine=name,
            precision=lane.precision,
            seconds=Spread.of(seconds),
            ahead=Spread.of(ahead),
            throughput=1 / Spread.of(seconds).median,
            gflop=None if work is None else 2 * work / 1e9,
            rate=Spread.of(rates).median if rates else None,
            share=Spread.of(shares).median if shares else None,
            memory=self.memory[name],
            turns=tuple(turns[name] for turns in told),
            **self._agreement(name),
        )

    def rates(self, name: str, told: Told, clock: Clock) -> list[float]:
        """10^9 operations a second, round by round; none where the work is unknown."""
        work = self.work.get(name)
        return [] if not work else [2e-9 * work / took for took in times(told, name, clock)]

    def _agreement(self, name: str) -> dict[str, float | None]:
        first, own = self.answers[self.first], self.answers[name]
        if own.shape != first.shape or not np.abs(first).max():
            return {"difference": None, "agreement": None}
        same = (first.argmax(1) == own.argmax(1)).mean()
        return {"difference": difference(first, own), "agreement": float(same)}


def times(told: Told, name: str, clock: Clock) -> list[float]:
    """Seconds of an engine's turns, round by round."""
    return [max(1e-9, turns[name].cpu if clock == "cpu" else turns[name].wall) for turns in told]


def product_name(precision: str) -> str:
    """What the matrix product of a precision is called among the engines."""
    return f"{precision} product"

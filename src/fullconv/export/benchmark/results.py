"""Compute latency, throughput, efficiency and agreement from measured rounds."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from fullconv.export.benchmark.timing import EngineRunner, Images, Spread, Timing
from fullconv.export.parity import difference

Clock = Literal["wall", "cpu"]
Runners = dict[str, EngineRunner]
Rounds = list[dict[str, Timing]]


@dataclass(frozen=True)
class RuntimeResult:
    """The results of one engine.

    Attributes:
        engine: its name.
        precision: of its multiplications.
        seconds: latency of one image.
        speedup: speed relative to the reference (the first engine), per round.
        throughput: images per second, in batches of `Bench.batch`.
        gflop: 10^9 operations per image, two per multiply-add, as the engine computes them.
        rate: 10^9 operations per second.
        share: efficiency: rate relative to a large matrix product of the same precision.
        memory: peak bytes of its process after two runs, including weights and libraries.
        difference: largest difference of a score from the reference's, relative to the largest
            score; None if they cannot be compared.
        agreement: share of the pixels with the reference's label.
        timings: of every round.
    """

    engine: str
    precision: str
    seconds: Spread
    speedup: Spread
    throughput: float
    gflop: float | None
    rate: float | None
    share: float | None
    memory: int
    difference: float | None
    agreement: float | None
    timings: tuple[Timing, ...]


@dataclass(frozen=True)
class Bench:
    """The results of one benchmark.

    Attributes:
        size: (height, width) of the image.
        batch: batch size for the throughput.
        rounds: number of rounds so far.
        threads: CPU threads of each engine.
        clock: wall time, or CPU time of all cores, which is steadier on a shared machine.
        rows: one per engine; the first is the reference.
        peaks: precision -> 10^9 operations per second of a large matrix product.
        left_out: reasons why engines are missing.
        machine: date, processor, load and versions.
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
        """Return the results in JSON types."""
        return asdict(self)


class Measurements:
    """What does not depend on time: scores, memory and operations of each engine."""

    def __init__(self, runners: Runners, products: Runners, images: Images) -> None:
        self.runners, self.first = runners, next(iter(runners))
        self.scores = {name: runner.scores(images) for name, runner in runners.items()}
        # Before operations are counted, which takes memory too.
        self.memory = {name: runner.peak() for name, runner in runners.items()}
        self.work = {name: runner.work(images) for name, runner in (runners | products).items()}

    def row(self, name: str, rounds: Rounds, clock: Clock) -> RuntimeResult:
        """Return an engine's results after some rounds."""
        runner, work = self.runners[name], self.work[name]
        seconds = times(rounds, name, clock)
        speedups = [a / b for a, b in zip(times(rounds, self.first, clock), seconds, strict=True)]
        rates = self.rates(name, rounds, clock)
        peaks = self.rates(product_name(runner.precision), rounds, clock)
        shares = [rate / peak for rate, peak in zip(rates, peaks, strict=False)]
        return RuntimeResult(
            engine=name,
            precision=runner.precision,
            seconds=Spread.of(seconds),
            speedup=Spread.of(speedups),
            throughput=1 / Spread.of(seconds).median,
            gflop=None if work is None else 2 * work / 1e9,
            rate=Spread.of(rates).median if rates else None,
            share=Spread.of(shares).median if shares else None,
            memory=self.memory[name],
            timings=tuple(timing[name] for timing in rounds),
            **self._agreement(name),
        )

    def rates(self, name: str, rounds: Rounds, clock: Clock) -> list[float]:
        """Return 10^9 operations per second for each round; [] if the operations are unknown."""
        work = self.work.get(name)
        return [] if not work else [2e-9 * work / took for took in times(rounds, name, clock)]

    def _agreement(self, name: str) -> dict[str, float | None]:
        first, own = self.scores[self.first], self.scores[name]
        if own.shape != first.shape or not np.abs(first).max():
            return {"difference": None, "agreement": None}
        same = (first.argmax(1) == own.argmax(1)).mean()
        return {"difference": difference(first, own), "agreement": float(same)}


def times(rounds: Rounds, name: str, clock: Clock) -> list[float]:
    """Return the seconds of an engine in each round."""
    return [max(1e-9, turns[name].cpu if clock == "cpu" else turns[name].wall) for turns in rounds]


def product_name(precision: str) -> str:
    """Return the name of the matrix product engine of a precision."""
    return f"{precision} product"

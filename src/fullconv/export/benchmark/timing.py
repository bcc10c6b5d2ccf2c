"""Time engines in interleaved rounds.

A machine's speed drifts, so times are compared within a round.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

PAUSE = 0.05  # seconds before a timing: idle threads of the last engine spin for some milliseconds
MIN_SECONDS = 0.1  # of a timing; faster engines are called several times
MAX_CALLS = 100  # of one timing

Images = Float[np.ndarray, "B 3 H W"]  # RGB in [0, 255]


@dataclass(frozen=True)
class ReadyEngine:
    """An engine that is ready to run.

    Attributes:
        run: images (B, 3, H, W) -> scores.
        work: images -> multiply-adds of one run; None if they cannot be counted.
        precision: of its multiplications, fp32 or int8.
    """

    run: Callable[[Images], np.ndarray]
    work: Callable[[Images], int] | None = None
    precision: str = "fp32"


@dataclass(frozen=True)
class Engine:
    """A way to compute scores: a runtime with a model, or PyTorch with some settings.

    Attributes:
        name: for tables.
        start: a module-level function, called in the engine's own process.
        arguments: of `start`.
        environment: environment variables of the process.
    """

    name: str
    start: Callable[..., ReadyEngine]
    arguments: tuple[Any, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: wall time, and CPU time of all cores."""

    wall: float
    cpu: float


@runtime_checkable
class EngineRunner(Protocol):
    """Runs an engine, in this or another process."""

    precision: str

    def scores(self, images: Images) -> np.ndarray:
        """Return the scores of images."""

    def turn(self, images: Images, calls: int) -> Timing:
        """Return the mean time of consecutive calls."""

    def work(self, images: Images) -> int | None:
        """Return the multiply-adds of one run; None if they cannot be counted."""

    def peak(self) -> int:
        """Return the peak memory of the process in bytes."""


def interleaved_rounds(
    runners: Mapping[str, EngineRunner],
    images: Images,
    rounds: int,
    pause: Callable[[], None] = lambda: time.sleep(PAUSE),
) -> Iterator[dict[str, Timing]]:
    """Yield the time of one call of each engine, per round.

    Before the first round, each is called twice: to warm up, and to choose the number of calls per
    round. Each round begins with another engine.
    """
    calls = {}
    for name, runner in runners.items():
        runner.turn(images, 1)
        calls[name] = calls_per_round(runner.turn(images, 1).wall)
    names = list(runners)
    for number in range(rounds):
        first = number % len(names)
        turns = {}
        for name in names[first:] + names[:first]:
            pause()
            turns[name] = runners[name].turn(images, calls[name])
        yield {name: turns[name] for name in names}


def calls_per_round(seconds: float) -> int:
    """Return how many calls of this duration make a timing long enough to be precise."""
    return MAX_CALLS if seconds <= 0 else max(1, min(MAX_CALLS, round(MIN_SECONDS / seconds)))


@dataclass(frozen=True)
class Spread:
    """Median and quartiles: half of the values are between `low` and `high`."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """Compute median and quartiles."""
        if len(values) == 1:
            return Spread(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return Spread(median, low, high)

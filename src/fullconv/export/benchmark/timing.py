"""Engines measured side by side, in turns.

A machine's speed wanders, so what is compared are the times of one round.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

PAUSE = 0.05  # seconds before a turn; idle threads of the last engine spin for some milliseconds
LEAST = 0.1  # seconds of a turn; what takes less is called several times
UNHURRIED = 100  # calls of a turn at the most

Images = Float[np.ndarray, "B 3 H W"]  # RGB in [0, 255]


@dataclass(frozen=True)
class Started:
    """An engine that is ready.

    Attributes:
        run: images (B, 3, H, W) -> scores.
        work: images -> multiply-adds that one run takes; None where nobody can count them.
        precision: of its products, fp32 or int8.
    """

    run: Callable[[Images], np.ndarray]
    work: Callable[[Images], int] | None = None
    precision: str = "fp32"


@dataclass(frozen=True)
class Engine:
    """Something that answers images.

    Attributes:
        name: for tables.
        start: a function of a module, called in the engine's own process.
        arguments: what it is called with.
        environment: variables of its process.
    """

    name: str
    start: Callable[..., Started]
    arguments: tuple[Any, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Timing:
    """What one call took, in seconds: by the clock, and of all processors' time."""

    wall: float
    cpu: float


@runtime_checkable
class EngineRunner(Protocol):
    """Where an engine runs."""

    precision: str

    def answer(self, images: Images) -> np.ndarray:
        """The scores of some images."""

    def turn(self, images: Images, calls: int) -> Timing:
        """The mean time of some calls in a row."""

    def work(self, images: Images) -> int | None:
        """Multiply-adds of one run, where they can be counted."""

    def peak(self) -> int:
        """Bytes of memory that the process has held at the most."""


def interleaved_rounds(
    lanes: Mapping[str, EngineRunner],
    images: Images,
    rounds: int,
    pause: Callable[[], None] = lambda: time.sleep(PAUSE),
) -> Iterator[dict[str, Timing]]:
    """Give, round by round, the time that each engine takes for one call.

    Before the first round each is called twice: to warm up, and to see how many calls a turn needs.
    Each round begins with another engine.
    """
    calls = {}
    for name, lane in lanes.items():
        lane.turn(images, 1)
        calls[name] = enough(lane.turn(images, 1).wall)
    names = list(lanes)
    for number in range(rounds):
        first = number % len(names)
        turns = {}
        for name in names[first:] + names[:first]:
            pause()
            turns[name] = lanes[name].turn(images, calls[name])
        yield {name: turns[name] for name in names}


def enough(seconds: float) -> int:
    """Calls of about so many seconds that make a turn long enough to be measured."""
    return UNHURRIED if seconds <= 0 else max(1, min(UNHURRIED, round(LEAST / seconds)))


@dataclass(frozen=True)
class Spread:
    """The middle of some numbers: half of them lie between `low` and `high`."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """Median and quartiles."""
        if len(values) == 1:
            return Spread(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return Spread(median, low, high)

"""How fast engines answer one image, in turns, beside what the machine reaches at the most."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from fullconv.apart import Apart
from fullconv.errors import EngineError
from fullconv.memory import free_memory, in_words
from fullconv.proof import difference
from fullconv.turns import Engine, Images, Lane, Spread, Started, Turn, in_turns

SIDE = 2048  # rows and columns of the matrices whose product is the machine's peak
ROOM = 1.3  # times what the largest engine holds must be free before the next is started
BATCHES = 3  # rounds that the throughput is measured in
Clock = Literal["wall", "cpu"]
Lanes = dict[str, Lane]
Told = list[dict[str, Turn]]


@dataclass(frozen=True)
class Row:
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
    turns: tuple[Turn, ...]


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
    rows: tuple[Row, ...]
    peaks: dict[str, Spread]
    left_out: tuple[str, ...]
    machine: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        return asdict(self)


def measure(
    engines: Sequence[Engine],
    images: Images,
    *,
    rounds: int = 7,
    threads: int = 1,
    batch: int = 1,
    clock: Clock = "wall",
    left_out: Sequence[str] = (),
) -> Iterator[Bench]:
    """Give what is known after each round; the last is the result.

    Args:
        engines: what is measured; the first is what the others are compared with.
        images: one image (1, 3, H, W), RGB in [0, 255].
        rounds: each engine has a turn in each.
        threads: of every engine.
        batch: images of a call for the throughput; with 1 it follows from the latency.
        clock: see `Bench`.
        left_out: why other engines are missing.

    Raises:
        EngineError: the first engine cannot be started, or one ends on the way.
    """
    missing = list(left_out)
    with started(engines, images, threads, missing) as lanes, _products(lanes, threads) as products:
        known = Known(lanes, products, images)
        told: Told = []
        throughput: dict[str, float] = {}
        for turns in in_turns(lanes | products, images, rounds):
            told.append(turns)
            rows = tuple(known.row(name, told, clock) for name in lanes)
            if batch > 1 and len(told) == rounds:
                throughput = _throughput(lanes, images, batch, clock)
            yield Bench(
                size=(images.shape[2], images.shape[3]),
                batch=batch,
                rounds=len(told),
                threads=threads,
                clock=clock,
                rows=tuple(_with(row, throughput) for row in rows),
                peaks={
                    lane.precision: Spread.of(known.rates(name, told, clock))
                    for name, lane in products.items()
                },
                left_out=tuple(missing),
                machine=machine(),
            )


@contextmanager
def started(
    engines: Sequence[Engine], images: Images, threads: int, left_out: list[str]
) -> Iterator[Lanes]:
    """Each engine in its process, after a first answer; those that give none are left out.

    Raises:
        EngineError: the first gives none.
    """
    lanes: Lanes = {}
    largest = 0
    with ExitStack() as open_processes:
        for engine in engines:
            free = free_memory()
            if free < ROOM * largest:
                left_out.append(f"{engine.name}: only {in_words(free)} of memory are free for it")
                continue
            try:
                lane = Apart(engine, threads)
                open_processes.callback(lane.close)
                lane.answer(images)
                largest = max(largest, lane.peak())
            except EngineError as error:
                if not lanes:
                    raise
                left_out.append(str(error))
            else:
                lanes[engine.name] = lane
        yield lanes


def product(precision: str) -> Started:
    """A large matrix product, which comes as near to a processor's peak as anything does."""
    torch.manual_seed(0)
    whole = torch.randint(-127, 128, (2, SIDE, SIDE), dtype=torch.int8)
    single = whole.float()

    def run(images: Images) -> np.ndarray:
        if precision == "int8":
            torch._int_mm(whole[0], whole[1].t())
        else:
            torch.mm(single[0], single[1])
        return images

    return Started(run, lambda images: SIDE**3, precision)


def machine() -> dict[str, str]:
    """Date, processor, load and versions, for the record."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), name)
    facts = {"date": str(date.today()), "processor": name, "cores": str(os.cpu_count())}
    facts["load"] = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    for package in ("fullconv", "torch", "onnxruntime", "openvino"):
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return facts


class Known:
    """What of the engines does not depend on time: answers, memory and operations."""

    def __init__(self, lanes: Lanes, products: Lanes, images: Images) -> None:
        self.lanes, self.first = lanes, next(iter(lanes))
        self.answers = {name: lane.answer(images) for name, lane in lanes.items()}
        # Counting what is computed takes memory of its own, so this comes first.
        self.memory = {name: lane.peak() for name, lane in lanes.items()}
        self.work = {name: lane.work(images) for name, lane in (lanes | products).items()}

    def row(self, name: str, told: Told, clock: Clock) -> Row:
        """What is known of an engine after some rounds."""
        lane, work = self.lanes[name], self.work[name]
        seconds = _times(told, name, clock)
        ahead = [a / b for a, b in zip(_times(told, self.first, clock), seconds, strict=True)]
        rates = self.rates(name, told, clock)
        peaks = self.rates(_name(lane.precision), told, clock)
        shares = [rate / peak for rate, peak in zip(rates, peaks, strict=False)]
        return Row(
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
        return [] if not work else [2e-9 * work / took for took in _times(told, name, clock)]

    def _agreement(self, name: str) -> dict[str, float | None]:
        first, own = self.answers[self.first], self.answers[name]
        if own.shape != first.shape or not np.abs(first).max():
            return {"difference": None, "agreement": None}
        same = (first.argmax(1) == own.argmax(1)).mean()
        return {"difference": difference(first, own), "agreement": float(same)}


@contextmanager
def _products(lanes: Mapping[str, Lane], threads: int) -> Iterator[Lanes]:
    """The matrix products of the lanes' precisions."""
    products: Lanes = {}
    with ExitStack() as open_processes:
        for precision in sorted({lane.precision for lane in lanes.values()}):
            lane = Apart(Engine(_name(precision), product, (precision,)), threads)
            open_processes.callback(lane.close)
            products[_name(precision)] = lane
        yield products


def _throughput(lanes: Lanes, images: Images, batch: int, clock: Clock) -> dict[str, float]:
    """Images a second, in batches."""
    many = np.repeat(images, batch, 0)
    told = list(in_turns(lanes, many, BATCHES))
    return {name: batch / Spread.of(_times(told, name, clock)).median for name in lanes}


def _with(row: Row, throughput: Mapping[str, float]) -> Row:
    return replace(row, throughput=throughput.get(row.engine, row.throughput))


def _times(told: Told, name: str, clock: Clock) -> list[float]:
    return [max(1e-9, turns[name].cpu if clock == "cpu" else turns[name].wall) for turns in told]


def _name(precision: str) -> str:
    return f"{precision} product"

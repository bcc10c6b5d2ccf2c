"""How fast engines answer one image, in turns, beside what the machine reaches at the most."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from fullconv.errors import EngineError
from fullconv.export.benchmark.results import (
    Bench,
    Clock,
    Known,
    Lanes,
    RuntimeResult,
    Told,
    product_name,
    times,
)
from fullconv.export.benchmark.timing import (
    Engine,
    EngineRunner,
    Images,
    Spread,
    Started,
    interleaved_rounds,
)
from fullconv.export.benchmark.worker import WorkerProcess
from fullconv.hardware import free_memory, usable_cores
from fullconv.units import format_bytes

SIDE = 2048  # rows and columns of the matrices whose product is the machine's peak
ROOM = 1.3  # times what the largest engine holds must be free before the next is started
BATCHES = 3  # rounds that the throughput is measured in


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
        for turns in interleaved_rounds(lanes | products, images, rounds):
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
                left_out.append(f"{engine.name}: only {format_bytes(free)} of memory is free")
                continue
            try:
                lane = WorkerProcess(engine, threads)
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
    facts = {"date": str(date.today()), "processor": name, "cores": str(usable_cores())}
    if hasattr(os, "getloadavg"):  # Windows has none
        facts["load"] = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    for package in ("fullconv", "torch", "onnxruntime", "openvino"):
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return facts


@contextmanager
def _products(lanes: Mapping[str, EngineRunner], threads: int) -> Iterator[Lanes]:
    """The matrix products of the lanes' precisions."""
    products: Lanes = {}
    with ExitStack() as open_processes:
        for precision in sorted({lane.precision for lane in lanes.values()}):
            lane = WorkerProcess(Engine(product_name(precision), product, (precision,)), threads)
            open_processes.callback(lane.close)
            products[product_name(precision)] = lane
        yield products


def _throughput(lanes: Lanes, images: Images, batch: int, clock: Clock) -> dict[str, float]:
    """Images a second, in batches."""
    many = np.repeat(images, batch, 0)
    told = list(interleaved_rounds(lanes, many, BATCHES))
    return {name: batch / Spread.of(times(told, name, clock)).median for name in lanes}


def _with(row: RuntimeResult, throughput: Mapping[str, float]) -> RuntimeResult:
    return replace(row, throughput=throughput.get(row.engine, row.throughput))

"""Measure the speed of engines in interleaved rounds, relative to the machine's peak."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date

import numpy as np
import torch
from torch import Tensor

from fullconv.errors import EngineError
from fullconv.export.benchmark.results import (
    Bench,
    Clock,
    Measurements,
    Rounds,
    Runners,
    RuntimeResult,
    product_name,
    times,
)
from fullconv.export.benchmark.timing import (
    Engine,
    EngineRunner,
    Images,
    ReadyEngine,
    Spread,
    interleaved_rounds,
)
from fullconv.export.benchmark.worker import WorkerProcess
from fullconv.export.onnx_edit import LEFT, matrix_product_file
from fullconv.hardware import free_memory, installed_versions, processor_name, usable_cores
from fullconv.inference.runtimes.onnx import run_onnx_stage
from fullconv.units import format_bytes

Kernel = Callable[[], object]

SIDE = 2048  # rows and columns of the matrices whose product measures the machine's peak
ROOM = 1.3  # times the memory of the largest engine must be free before the next one starts
BATCHES = 3  # rounds for the throughput
TRIES = 3  # of each kernel for the peak


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
    """Yield the results after each round; the last ones are final.

    Args:
        engines: the first is the reference that the others are compared with.
        images: one image (1, 3, H, W), RGB in [0, 255].
        rounds: in each, every engine is timed once.
        threads: CPU threads of each engine.
        batch: batch size for the throughput; with 1 it follows from the latency.
        clock: see `Bench`.
        left_out: reasons why other engines are missing.

    Raises:
        EngineError: the reference cannot be started, or an engine ends during the measurement.
    """
    missing = list(left_out)
    with (
        start_runners(engines, images, threads, missing) as runners,
        _products(runners, threads) as products,
    ):
        known = Measurements(runners, products, images)
        measured: Rounds = []
        throughput: dict[str, float] = {}
        for timings in interleaved_rounds(runners | products, images, rounds):
            measured.append(timings)
            rows = tuple(known.row(name, measured, clock) for name in runners)
            if batch > 1 and len(measured) == rounds:
                throughput = _throughput(runners, images, batch, clock)
            yield Bench(
                size=(images.shape[2], images.shape[3]),
                batch=batch,
                rounds=len(measured),
                threads=threads,
                clock=clock,
                rows=tuple(_with(row, throughput) for row in rows),
                peaks={
                    runner.precision: Spread.of(known.rates(name, measured, clock))
                    for name, runner in products.items()
                },
                left_out=tuple(missing),
                machine=machine(),
            )


@contextmanager
def start_runners(
    engines: Sequence[Engine], images: Images, threads: int, left_out: list[str]
) -> Iterator[Runners]:
    """Yield a process for each engine, after a first run; those that fail are left out.

    Raises:
        EngineError: the first engine fails.
    """
    runners: Runners = {}
    largest = 0
    with ExitStack() as open_processes:
        for engine in engines:
            free = free_memory()
            if free < ROOM * largest:
                left_out.append(f"{engine.name}: only {format_bytes(free)} of memory is free")
                continue
            try:
                runner = WorkerProcess(engine, threads)
                open_processes.callback(runner.close)
                runner.scores(images)
                largest = max(largest, runner.peak())
            except EngineError as error:
                if not runners:
                    raise
                left_out.append(str(error))
            else:
                runners[engine.name] = runner
        yield runners


def matrix_product(precision: str) -> ReadyEngine:
    """Return an engine that multiplies large matrices, which comes close to a processor's peak.

    Of the kernels of PyTorch and ONNX Runtime, it is the fastest on this machine: PyTorch's usual
    library for matrices reaches less than half of what oneDNN does on some AMD processors, and its
    product of integers is a hundred times slower than ONNX Runtime's on processors that have no
    instructions for it.
    """
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randint(-127, 128, (2, SIDE, SIDE), dtype=torch.int8, generator=generator)
    # The second has 7 bits, as the weights of exported int8 files: processors without VNNI add
    # pairs of products in 16 bits.
    second = second.div(2, rounding_mode="floor")
    make = _int8_products if precision == "int8" else _fp32_products
    kernel = fastest(make(first, second))

    def run(images: Images) -> np.ndarray:
        kernel()
        return images

    return ReadyEngine(run, lambda images: SIDE**3, precision)


def _fp32_products(first: Tensor, second: Tensor) -> list[Kernel]:
    """Return functions that multiply two matrices of integers as floating-point numbers."""
    first, second = first.float(), second.float()
    kernels = [lambda: torch.mm(first, second), _onnx_product("MatMul", first, second)]
    if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        packed = torch.ops.mkldnn._reorder_linear_weight(second.t().contiguous())
        product = torch.ops.mkldnn._linear_pointwise
        kernels.append(lambda: product(first, packed, None, "none", [], ""))
    return kernels


def _int8_products(first: Tensor, second: Tensor) -> list[Kernel]:
    """Return functions that multiply two matrices of 8-bit integers.

    ONNX Runtime's adds 128 to the first one, as exported int8 files do: instructions for integers
    multiply one without a sign by one with a sign.
    """
    shifted = first.view(torch.uint8) ^ 128
    return [
        lambda: torch._int_mm(first, second),
        _onnx_product("MatMulInteger", shifted, second),
    ]


def _onnx_product(operator: str, first: Tensor, second: Tensor) -> Kernel:
    """Return a function that multiplies two matrices with ONNX Runtime; the second is a weight."""
    left = first.numpy()
    multiply = run_onnx_stage(matrix_product_file(operator, left, second.numpy()))
    return lambda: multiply({LEFT: left})[0]


def fastest(
    calls: Sequence[Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> Callable[[], object]:
    """Return the call that takes least, of the second to fourth run of each."""

    def least(call: Callable[[], object]) -> float:
        took = []
        call()
        for _ in range(TRIES):
            start = clock()
            call()
            took.append(clock() - start)
        return min(took)

    return calls[0] if len(calls) == 1 else min(calls, key=least)


def machine() -> dict[str, str]:
    """Return date, processor, load and versions."""
    facts = {"date": str(date.today()), "processor": processor_name()}
    facts["cores"] = str(usable_cores())
    if hasattr(os, "getloadavg"):  # Windows has none
        facts["load"] = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return facts | installed_versions(("fullconv", "torch", "onnxruntime", "openvino"))


@contextmanager
def _products(runners: Mapping[str, EngineRunner], threads: int) -> Iterator[Runners]:
    """Yield a matrix product engine for each precision of the runners."""
    products: Runners = {}
    with ExitStack() as open_processes:
        for precision in sorted({runner.precision for runner in runners.values()}):
            runner = WorkerProcess(
                Engine(product_name(precision), matrix_product, (precision,)), threads
            )
            open_processes.callback(runner.close)
            products[product_name(precision)] = runner
        yield products


def _throughput(runners: Runners, images: Images, batch: int, clock: Clock) -> dict[str, float]:
    """Return images per second, in batches."""
    many = np.repeat(images, batch, 0)
    measured = list(interleaved_rounds(runners, many, BATCHES))
    return {name: batch / Spread.of(times(measured, name, clock)).median for name in runners}


def _with(row: RuntimeResult, throughput: Mapping[str, float]) -> RuntimeResult:
    return replace(row, throughput=throughput.get(row.engine, row.throughput))

"""Shared by the benchmarks: models, interleaved rounds, medians of paired ratios, the machine."""

import os
import platform
import statistics
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import torch

import fullconv as fc

Variants = Mapping[str, Callable[[], object]]


def options(description: str, sides: str = "256 500", **numbers: float | str) -> Namespace:
    """Parse the command line; `numbers` are a benchmark's own options, with their defaults."""
    parser = ArgumentParser(description=description)
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of PyTorch and of other runtimes"
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="rounds; each runs every variant once"
    )
    parser.add_argument(
        "--cpu", action="store_true", help="CPU time, which varies less on a shared machine"
    )
    parser.add_argument(
        "--sides", type=int, nargs="*", default=[int(s) for s in sides.split()], help="image sides"
    )
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    return chosen


def interleaved(variants: Variants, rounds: int, cpu: bool = False) -> dict[str, list[float]]:
    """Return the seconds of each variant in each round; each runs once before, to warm up."""
    clock = process_time if cpu else perf_counter
    for run in variants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return seconds


def table(seconds: Mapping[str, list[float]], *bases: str) -> str:
    """Format one row per variant: median seconds, and the paired speed-up over each base."""
    rows = [f"{'':34} {'median s':>9}" + "".join(f" {'x ' + base:>24}" for base in bases)]
    for name, times in seconds.items():
        row = f"{name:34} {statistics.median(times):9.3f}"
        for base in bases:
            ratios = [slow / fast for slow, fast in zip(seconds[base], times, strict=True)]
            spread = f"({min(ratios):.2f}-{max(ratios):.2f})"
            row += f" {statistics.median(ratios):10.2f} {spread:>13}"
        rows.append(row)
    return "\n".join(rows)


def machine(threads: int) -> str:
    """Describe the machine: date, processor, threads, PyTorch version and load."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        model = next((line.split(": ")[1] for line in lines if "model name" in line), model)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{date.today()}, {model}, {threads} threads, torch {torch.__version__}, load {load}"


def open_model(name: str, classes: int = 11, **settings: Any) -> fc.Model:
    """Load a model file, or create a network with random weights."""
    if Path(name).exists():
        return fc.load(name)
    torch.manual_seed(0)
    network = fc.create_model(name, classes=classes, **settings).eval()
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight, std=0.01)
    return fc.Model(network, [f"class {number}" for number in range(classes)])

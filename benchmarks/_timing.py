"""What the benchmarks share: interleaved rounds, medians of paired ratios, and the machine."""

import os
import platform
import statistics
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from time import perf_counter, process_time

import torch

Ways = Mapping[str, Callable[[], object]]


def options(description: str, sides: str = "256 500", **numbers: float) -> Namespace:
    """The command line of a benchmark; `numbers` are options of its own, with their defaults."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch and of other engines")
    parser.add_argument("--rounds", type=int, default=7, help="each runs every way once, in turn")
    parser.add_argument(
        "--cpu", action="store_true", help="CPU time, which tells more on a machine that is shared"
    )
    parser.add_argument("--sides", type=int, nargs="*", default=[int(s) for s in sides.split()])
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    return chosen


def interleaved(ways: Ways, rounds: int, cpu: bool = False) -> dict[str, list[float]]:
    """Seconds of each way in each round; every way runs once before the first."""
    clock = process_time if cpu else perf_counter
    for run in ways.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            began = clock()
            run()
            seconds[name].append(clock() - began)
    return seconds


def table(seconds: Mapping[str, list[float]], *bases: str) -> str:
    """A row a way: median seconds, and how many times as fast as each base, round by round."""
    rows = [f"{'':34} {'median s':>9}" + "".join(f" {'x ' + base:>24}" for base in bases)]
    for name, own in seconds.items():
        row = f"{name:34} {statistics.median(own):9.3f}"
        for base in bases:
            ratios = [theirs / mine for theirs, mine in zip(seconds[base], own, strict=True)]
            spread = f"({min(ratios):.2f}-{max(ratios):.2f})"
            row += f" {statistics.median(ratios):10.2f} {spread:>13}"
        rows.append(row)
    return "\n".join(rows)


def machine(threads: int) -> str:
    """Date, processor, threads, version and load, for the record."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        model = next((line.split(": ")[1] for line in lines if "model name" in line), model)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{date.today()}, {model}, {threads} threads, torch {torch.__version__}, load {load}"

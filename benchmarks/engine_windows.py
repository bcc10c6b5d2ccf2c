"""Photos that are larger than an engine has memory for: exact windows, for families of networks.

    python benchmarks/engine_windows.py                      # all families at 12 megapixels
    python benchmarks/engine_windows.py fcn4s-resnet18 --size 2000x3000 --memory 1GiB --threads 1
    python benchmarks/engine_windows.py --plan               # the work only, in seconds

Prints what the planner chose and how many windows, the work relative to the whole image, the CPU
time of the prediction and the memory that it adds, and at how many pixels the labels differ from
PyTorch's of the whole image. Each prediction has a process of its own. Takes less than ten minutes
on a quiet machine.
"""

import multiprocessing
import time
from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import fullconv as fc
from fullconv.conversion.stage_graphs import staged_graphs
from fullconv.engines import TITLES, installed_engines
from fullconv.hardware import peak_memory
from fullconv.inference.planner import Plan
from fullconv.inference.planner.memory_cost import runtime_pixel_bytes
from fullconv.inference.planner.windows import StagedNetwork, divide, divide_stages
from fullconv.units import format_bytes, parse_bytes

FAMILIES = (
    "fcn4s-resnet18",
    "fcn4s-tf_efficientnet_lite0",
    "fcn4s-mobilenetv3_large_100",
    "fcn4s-efficientnet_b0",
    "fcn4s-convnext_tiny",
    "fcn8s-vgg16",
)
CLASSES = 11
TIE = 1e-5  # of the largest score, between the two largest of a pixel


@dataclass(frozen=True)
class Task:
    """What a process computes: a network's prediction by an engine, within some memory."""

    network: str
    engine: str
    size: tuple[int, int]
    memory: int
    threads: int


@dataclass(frozen=True)
class Measured:
    """A prediction, and what it took.

    Attributes:
        labels: of every pixel.
        ties: where the two largest scores are equal but for rounding; None if it is not known.
        plan: how the image was computed.
        cpu: seconds of CPU time, without the preparation of the engine.
        peak: bytes that the process took at most, beside those that it held before.
    """

    labels: np.ndarray
    ties: np.ndarray | None
    plan: Plan
    cpu: float
    peak: float


def main() -> None:
    """Measure each network."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", nargs="*", default=FAMILIES)
    parser.add_argument("--size", default="3000x4000", help="HxW")
    parser.add_argument("--memory", default="2GiB", help="of an engine, for one image")
    parser.add_argument("--reference", default="10GiB", help="of PyTorch, likewise")
    parser.add_argument("--engines", nargs="*", default=installed_engines()[:1])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--plan", action="store_true", help="print the work, and compute nothing")
    chosen = parser.parse_args()
    height, width = map(int, chosen.size.split("x"))
    if chosen.plan:
        for name in chosen.networks:
            print_work(name, (height, width))
        return
    memory, most = parse_bytes(chosen.memory), parse_bytes(chosen.reference)
    print(
        f"{height} x {width} pixels, {format_bytes(memory)} for an engine, {chosen.threads} threads"
    )
    for name in chosen.networks:
        reference = run(Task(name, "torch", (height, width), most, chosen.threads))
        report(name, "torch", reference, reference)
        for engine in chosen.engines:
            task = Task(name, engine, (height, width), memory, chosen.threads)
            report(name, engine, run(task), reference)


def print_work(name: str, size: tuple[int, int]) -> None:
    """Print the work of a network as one stage and in stages, relative to the whole image."""
    network = create(name).network
    made = staged_graphs(network)
    staged = StagedNetwork(made.network, made.stages, lambda *_: ())
    for memory in (2**30, 2**31, 2**32):
        one = divide(network, size, memory, runtime_pixel_bytes(network))
        several = divide_stages(staged, size, memory)
        ways = {"one stage": one, f"{len(made.stages)} stages": several}
        works = [f"{way} {found.work:.3f}" if found else f"{way} -" for way, found in ways.items()]
        print(f"{name}, {format_bytes(memory)}: {', '.join(works)}", flush=True)


def report(name: str, engine: str, found: Measured, reference: Measured) -> None:
    """Print a line of the table."""
    way = found.plan.kind
    if division := found.plan.windows:
        counts = "+".join(str(windows.count) for windows in division.windows)
        kind = "one stage" if len(division.stages) == 1 else "stages"
        way = f"{kind}: {counts} windows, work {division.work:.3f}"
    unequal = found.labels != reference.labels
    differing = f"{int(unequal.sum())} labels differ"
    if reference.ties is not None:
        differing += f", {int((unequal & ~reference.ties).sum())} but for ties"
    print(
        f"{name}, {TITLES[engine]}: {way}; CPU {found.cpu:.1f} s; {found.peak / 2**30:.1f} GiB"
        f"; {differing}",
        flush=True,
    )


def run(task: Task) -> Measured:
    """Compute a task in a process of its own, whose peak memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(compute, task).result()


def compute(task: Task) -> Measured:
    """Predict the image; PyTorch's tells also which pixels are ties."""
    torch.set_num_threads(task.threads)
    model = create(task.network)
    image = photo(task.size)
    scores = task.engine == "torch"
    if scores:
        limits = {"memory": task.memory}
    else:
        model.optimize(task.engine, memory=task.memory)
        model.engine_takes(task.size)  # converts the stages and measures, once
        limits = {}
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on; Linux only
    held, start = peak_memory(), time.process_time()
    found = model.predict(image, scores=scores, **limits)
    cpu = time.process_time() - start
    peak = peak_memory() - held  # before the ties are found
    ties = None
    if found.score is not None:
        first, second = found.score.topk(2, 0).values
        ties = (first - second <= TIE * float(found.score.abs().max())).numpy()
    plan = found.plan
    assert plan is not None
    return Measured(found.labels, ties, plan, cpu, peak)


def create(name: str) -> fc.Model:
    """Return a network with random weights of the size that trained ones have."""
    torch.manual_seed(0)
    padding = 100 if "vgg" in name else "same"
    network = fc.create_model(name, CLASSES, padding=padding).eval()
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight, std=0.1)
    return fc.Model(network, [str(number) for number in range(CLASSES)])


def photo(size: tuple[int, int]) -> np.ndarray:
    """Return an image with areas and noise, RGB in [0, 255]."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 236, (size[0] // 40 + 1, size[1] // 40 + 1, 3), dtype=np.uint8)
    areas = np.kron(coarse, np.ones((40, 40, 1), np.uint8))[: size[0], : size[1]]
    return areas + random.integers(0, 20, areas.shape, dtype=np.uint8)


if __name__ == "__main__":
    main()

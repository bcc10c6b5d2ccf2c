"""Each engine alone, and `Model.predict` with it: what is lost around the engine.

    python benchmarks/engines.py models/camvid/fcn4s-lite2.safetensors --threads 2 --rounds 9

For a network's name (fcn4s-resnet18) weights are random. Engines and `Model.predict` are timed in
turns: medians, and medians of the ratios within a round. Then what the first conversion takes, the
comparison of scores each time that an engine is opened, and the opening.
"""

import json
import statistics
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _timing import open_model

import fullconv as fc
from fullconv.engines import TITLES, installed_engines
from fullconv.engines.proof import SIZES, compare
from fullconv.hardware import processor_name

BOUND = 1.25  # Model.predict should take at most so many times the engine's own time


def main() -> None:
    """Measure each model at each size, and print a table."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", help="model files, or names of networks")
    parser.add_argument("--sizes", nargs="+", default=["360x480"], help="HxW")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cpu", action="store_true", help="CPU time, for a shared machine")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    clock = time.process_time if chosen.cpu else time.perf_counter
    print(f"{processor_name()}, {chosen.threads} threads, {'CPU' if chosen.cpu else 'wall'} time")
    results = []
    for name in chosen.models:
        for size in chosen.sizes:
            height, width = map(int, size.split("x"))
            seconds = measure(name, (height, width), chosen.rounds, clock)
            engines = [key for key in seconds if key in TITLES]
            facts = {"model": name, "size": f"{height} x {width}", "engines": engines}
            results.append({**facts, "seconds": seconds})
            if chosen.json:
                chosen.json.write_text(json.dumps(results, indent=1))


def measure(
    name: str, size: tuple[int, int], rounds: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Print the table of one model at one size; return the seconds of the rounds."""
    print(f"\n{name}, {size[0]} x {size[1]}")
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    models, calls = {}, {}
    for engine in ("torch", *installed_engines()):
        models[engine] = open_model(name)
        start = clock()
        models[engine].optimize(engine)
        print(f"  {TITLES[engine]}: {clock() - start:.2f} s to prepare it, or from the cache")
        calls |= run_and_predict(engine, models[engine], photo)
    seconds: dict[str, list[float]] = {key: [] for key in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for key, call in calls.items():
            start = clock()
            call()
            seconds[key].append(clock() - start)
    print_table(seconds, list(models))
    reference = open_model(name).network.eval()
    for engine, model in models.items():
        if engine != "torch":
            start = clock()
            found = compare(reference, model.network.engine.run)
            print(
                f"  {TITLES[engine]}: scores differ by {found:.1e} of the largest at {len(SIZES)} "
                f"sizes; {1e3 * (clock() - start):.0f} ms to compare them"
            )
    return seconds


def run_and_predict(
    engine: str, model: fc.Model, photo: np.ndarray
) -> dict[str, Callable[[], object]]:
    """Return the engine alone, on an input in its layout, and the whole prediction."""
    image = torch.from_numpy(model.network_input(photo)).permute(2, 0, 1)[None].float()
    planes = image.contiguous().numpy()

    @torch.inference_mode()
    def alone() -> object:
        return model.network(image) if engine == "torch" else model.network.engine.run(planes)

    return {engine: alone, f"{engine} predict": lambda: model.predict(photo).labels}


def print_table(seconds: dict[str, list[float]], engines: list[str]) -> None:
    """Print milliseconds, the share around the engine, and the speed relative to PyTorch."""
    print(f"  {'':14}{'alone, ms':>11}{'predict, ms':>13}{'predict/alone':>15}{'x PyTorch':>11}")
    for engine in engines:
        alone, predict = seconds[engine], seconds[f"{engine} predict"]
        around = median_ratio(predict, alone)
        faster = median_ratio(seconds["torch predict"], predict)
        mark = "" if around <= BOUND else f"  more than {BOUND}"
        print(
            f"  {TITLES[engine]:14}{1e3 * statistics.median(alone):11.1f}"
            f"{1e3 * statistics.median(predict):13.1f}{around:15.2f}{faster:11.2f}{mark}"
        )


def median_ratio(first: list[float], second: list[float]) -> float:
    """Return the median of the ratios within a round."""
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


if __name__ == "__main__":
    main()

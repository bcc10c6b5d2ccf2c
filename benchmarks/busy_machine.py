"""How much longer training and prediction take while other programs use all cores.

Run: python benchmarks/busy_machine.py [--rounds 5] [--seconds 1.5] [--load CORES].
Measures a step of training on the included photos of nuclei with the default network, an
evaluation of eight photos, and single predictions with the model that comes with fullconv, plain
and optimized, on 360 x 480 pixels. Each setting has its own process, which sleeps while the others
compute; all run in turns, first on the machine as it is, then beside `--load` processes that never
wait. The setting "PyTorch's" has its own waiting of threads and computes each batch whole.
"""

import os
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MODEL = Path(__file__).parents[1] / "models/camvid/fcn4s-lite0.safetensors"
SETTINGS = {"fullconv's": {}, "PyTorch's": {"GOMP_SPINCOUNT": "300000", "WHOLE": "1"}}
LIMIT = 2.5  # times as long: more is printed with a mark


def tasks() -> dict[str, Callable[[], object]]:
    """Return what is measured, in this process."""
    import numpy as np

    import fullconv as fc
    from fullconv.config import RunConfig
    from fullconv.evaluation.scored_samples import score_samples
    from fullconv.training.initial_model import start_model
    from fullconv.training.resolve import resolve
    from fullconv.training.resolve_network import resolve_network
    from fullconv.training.trainer import Trainer

    photos = fc.open_data("samples:nuclei", "train")
    parts = 1 if os.environ.get("WHOLE") else None
    given = RunConfig(data=photos.source, steps=10**6, ema=0.99, parallel_parts=parts)
    config, _ = resolve_network(resolve(given, photos)[0], photos)
    model, _ = start_model(config, photos)
    steps = Trainer(model, photos, config).run()
    plain, optimized = fc.load(MODEL), fc.load(MODEL).optimize()
    image = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
    other = fc.Model(fc.create_model("fcn4s-efficientnet_lite2", 2), photos.classes)
    return {
        "step of training": lambda: next(steps),
        "evaluation of 8 photos": lambda: list(score_samples(other, photos.take(range(8)))),
        "Model.predict": lambda: plain.predict(image),
        "Model.predict, optimized": lambda: optimized.predict(image),
    }


def work() -> None:
    """Measure what each line of standard input asks for: "NUMBER SECONDS"."""
    found = list(tasks().items())
    for _, run in found:
        run()
    print(*(name for name, _ in found), sep="\t", flush=True)
    for line in sys.stdin:
        number, seconds = line.split()
        times: list[float] = []
        while len(times) < 2 or sum(times) < float(seconds):
            began = time.perf_counter()
            found[int(number)][1]()
            times.append(time.perf_counter() - began)
        print(statistics.median(times), flush=True)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep this many cores busy."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


@contextmanager
def worker(settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start a process that measures."""
    command = [sys.executable, __file__, "--work"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, env=os.environ | settings, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure every setting, idle and beside other programs."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--load", type=int, default=os.cpu_count(), help="processes beside")
    parser.add_argument("--work", action="store_true", help="used by the benchmark itself")
    chosen = parser.parse_args()
    if chosen.work:
        work()
        return
    with worker(SETTINGS["fullconv's"]) as ours, worker(SETTINGS["PyTorch's"]) as theirs:
        workers = {"fullconv's": ours, "PyTorch's": theirs}
        names, _ = (p.stdout.readline().rstrip("\n").split("\t") for p in workers.values())
        times: dict[tuple[str, int, bool], list[float]] = {}
        for loaded in (False, True):
            with busy(chosen.load if loaded else 0):
                for _ in range(chosen.rounds):
                    for number in range(len(names)):
                        for name, process in workers.items():
                            process.stdin.write(f"{number} {chosen.seconds}\n")
                            process.stdin.flush()
                            seconds = float(process.stdout.readline())
                            times.setdefault((name, number, loaded), []).append(seconds)
    print(f"{'':26} {'setting':12} {'idle ms':>9} {'busy ms':>9} {'times as long':>14}")
    for number, task in enumerate(names):
        for name in workers:
            idle, loaded = (
                statistics.median(times[name, number, state]) for state in (False, True)
            )
            mark = " *" if loaded > LIMIT * idle else ""
            row = f"{1e3 * idle:9.1f} {1e3 * loaded:9.1f} {loaded / idle:14.2f}{mark}"
            print(f"{task:26} {name:12} {row}")
    print(f"* more than {LIMIT} times; {chosen.load} processes beside, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()

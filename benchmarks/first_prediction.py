"""Seconds from the start of a program to its first prediction, with an empty and a filled cache.

    python benchmarks/first_prediction.py models/camvid/fcn4s-lite2.safetensors --rounds 3

Each trial is a new process: it imports fullconv, loads the model, prepares the engine
(`Model.optimize`) and predicts a photo twice. `as it is` prepares nothing, like `fullconv predict`
of one photo. With an empty cache a network is converted, compared and, with `auto`, timed; with a
filled one it is opened and compared. Medians of the rounds, in turns; the machine's file cache is
warm. The weights of a network that is given by name are random.
"""

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from statistics import median
from typing import Any

from _timing import open_model

from fullconv.engines import TITLES, installed_engines
from fullconv.hardware import processor_name, usable_cores
from fullconv.units import format_bytes

PLAIN = "as it is"
TRIAL = """
import json, sys, time
start = time.perf_counter()
took = {}
def passed(name):
    global start
    now = time.perf_counter()
    took[name], start = now - start, now
import numpy, torch
import fullconv as fc
passed("import")
model = fc.load(sys.argv[1])
passed("load")
if sys.argv[2] != "as it is":
    model.optimize(sys.argv[2])
passed("prepare")
height, width = map(int, sys.argv[3].split("x"))
photo = numpy.random.default_rng(0).integers(0, 256, (height, width, 3), numpy.uint8)
for name in ("first photo", "second photo"):
    model.predict(photo).labels
    passed(name)
from fullconv.hardware import peak_memory
print(json.dumps({**took, "memory": peak_memory(), "engine": model.engine}))
"""
PARTS = ("import", "load", "prepare", "first photo", "second photo")


def trial(file: Path, engine: str, size: str, cache: Path) -> dict[str, Any]:
    """Run a program and return the seconds of its parts, the peak of its memory and its engine."""
    command = [sys.executable, "-c", TRIAL, str(file), engine, size]
    environment = os.environ | {"FULLCONV_CACHE": str(cache)}
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(file: Path, size: str, rounds: int, root: Path) -> None:
    """Print a line for each engine and state of the cache."""
    names = (PLAIN, "torch", *installed_engines(), "auto")
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for number in range(rounds):
        for name in names:
            cache = root / f"{number} {name}"
            for state in ("empty", "filled"):
                found.setdefault((name, state), []).append(trial(file, name, size, cache))
    heads = ("engine", "cache", "first prediction, s", *PARTS, "memory")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for (name, state), results in found.items():
        if name in (PLAIN, "torch") and state == "filled":  # they use no cache
            continue
        seconds = {part: median(one[part] for one in results) for part in PARTS}
        total = median(sum(one[part] for part in PARTS[:-1]) for one in results)
        chosen = TITLES[results[-1]["engine"]]
        title = f"{name} ({chosen})" if name in (PLAIN, "auto") else TITLES[name]
        memory = format_bytes(median(one["memory"] for one in results))
        parts = " | ".join(f"{seconds[part]:.2f}" for part in PARTS)
        print(f"| {title} | {state} | {total:.2f} | {parts} | {memory} |", flush=True)


def main() -> None:
    """Measure each model."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", help="model files, or names of networks")
    parser.add_argument("--size", default="360x480", help="HxW of the photo")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(f"{processor_name()}, {usable_cores()} cores, a photo of {chosen.size}")
    for name in chosen.models:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(name)
            if not file.is_file():
                file = Path(folder, f"{name}.safetensors")
                open_model(name).save(file)
            print(f"\n{name}\n")
            measure(file, chosen.size, chosen.rounds, Path(folder))


if __name__ == "__main__":
    main()

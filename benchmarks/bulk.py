"""Photos a second of `fullconv predict` over many, against a plain loop of the same model.

Run: python benchmarks/bulk.py [FOLDER] [MODEL]. Without a folder, 500 photos of CamVid's size
(360 x 480) are drawn; without a model, FCN-8s on VGG-16 with batch norm at a quarter of its width,
untrained (time does not ask for sense).

All read the same files, optimise the model once, and write the same labels and overlays, whole or
not at all. In each of the rounds everybody answers the same part of the photos, in turn; the ratio
is of one round's times, so that a machine that is busy for a while is busy for all.

- loop: read, predict, write, one photo after the other.
- predict: as many photos at once as there are cores, each by one thread, while others are read and
  written; what `fullconv predict` does with many photos.
- all threads: all for one photo, others being read and written meanwhile (`--threads 2`).
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

import fullconv as fc
from fullconv.batch.inputs import Input, resolve_inputs
from fullconv.batch.job import create_job
from fullconv.batch.names import output_files
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import run_job
from fullconv.batch.writers import writers
from fullconv.hardware import usable_cores
from fullconv.inference.cpu.optimize import MIN_IMAGES
from fullconv.io.atomic import write_bytes
from fullconv.io.images import encode_jpeg
from fullconv.model import Model

PHOTOS, ROUNDS = 500, 5
SCENES = 25  # that are really different
KINDS = ("labels", "overlay")


def draw(folder: Path) -> Path:
    """Photos as a camera would leave them."""
    data = fc.open_data(f"scenes:{SCENES}@360x480")
    for number in range(PHOTOS):
        sample = data[number % SCENES]
        write_bytes(folder / f"{number:03d}.jpg", encode_jpeg(sample.image))
    return folder


def untrained(path: Path) -> Path:
    """The network that `fullconv train` takes unless told otherwise, of CamVid's 11 classes."""
    torch.manual_seed(0)
    network = fc.create_model("fcn8s-vgg16_bn", classes=11, width=0.25)
    fc.Model(network, [f"class {number}" for number in range(11)]).save(path)
    return path


def loop(model: Model, inputs: Sequence[Input], out: Path) -> None:
    """What one writes by hand."""
    for item in inputs:
        answer = model.predict(item.where)
        named = replace(item, name=Path(item.where).stem)
        for kind, name in output_files(named, KINDS).items():
            write_bytes(out / name, writers[kind].encode(answer))


def predict(path: Path, inputs: Sequence[Input], out: Path, threads: int | None) -> None:
    """What `fullconv predict` does."""
    job = create_job(fc.load(path), path, inputs, out=out, kinds=KINDS, threads=threads)
    if len(list(run_job(plan_resume(job, inputs)))) != len(inputs):
        raise SystemExit("not every photo was answered")


def main() -> None:
    """Measure, and print photos a second and ratios."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if sys.argv[1:] else draw(Path(scratch, "photos"))
        path = Path(sys.argv[2]) if sys.argv[2:] else untrained(Path(scratch, "m.safetensors"))
        photos = resolve_inputs([str(folder)])[:PHOTOS]
        model, all_threads = fc.load(path).optimize(), torch.get_num_threads()
        ways: dict[str, Callable[[Sequence[Input], Path], None]] = {
            "loop": lambda part, out: loop(model, part, out),
            "predict": lambda part, out: predict(path, part, out, None),
            "all threads": lambda part, out: predict(path, part, out, all_threads),
        }
        for name, way in ways.items():  # what happens once is not measured
            way(photos[:MIN_IMAGES], Path(scratch, "warm", name))
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS):
            part = photos[number::ROUNDS]
            for name, way in ways.items():
                began = perf_counter()
                way(part, Path(scratch, str(number), name))
                seconds[name].append(perf_counter() - began)
    print(f"{len(photos)} photos, {usable_cores()} cores, {all_threads} threads, {ROUNDS} rounds")
    for name, times in seconds.items():
        ratios = sorted(a / b for a, b in zip(seconds["loop"], times, strict=True))
        rate = len(photos) / sum(times)
        print(
            f"{name:16} {rate:6.2f} photos/s   {median(ratios):.2f} times the loop "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()

"""Images per second of `fullconv predict` on many images, compared with a plain loop.

Run: python benchmarks/bulk.py [FOLDER] [MODEL]. Without a folder, 500 synthetic images of CamVid's
size (360 x 480) are drawn; without a model, an untrained FCN-8s on VGG-16 with batch norm at a
quarter of its width is used, since speed does not depend on the weights.

All variants read the same files, optimize the model once, and atomically write the same labels and
overlays. In each round every variant predicts the same part of the images; ratios are taken within
a round, so a load that lasts longer than a round affects all variants alike.

- loop: read, predict and write, one image after the other.
- predict: one image per core at the same time, one thread each, while others are read and written;
  the default of `fullconv predict` for many images.
- all threads: all threads work on one image, while others are read and written (`--threads 2`).
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
from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import Input, resolve_inputs
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
SCENES = 25  # distinct ones
KINDS = ("labels", "overlay")


def draw(folder: Path) -> Path:
    """Draw synthetic street scenes as JPEG files."""
    data = fc.open_data(f"scenes:{SCENES}@360x480")
    for number in range(PHOTOS):
        sample = data[number % SCENES]
        write_bytes(folder / f"{number:03d}.jpg", encode_jpeg(sample.image))
    return folder


def untrained(path: Path) -> Path:
    """Save the default network of `fullconv train` for 11 classes, with random weights."""
    torch.manual_seed(0)
    network = fc.create_model("fcn8s-vgg16_bn", classes=11, width=0.25)
    fc.Model(network, [f"class {number}" for number in range(11)]).save(path)
    return path


def loop(model: Model, inputs: Sequence[Input], out: Path) -> None:
    """Predict with a hand-written loop."""
    for item in inputs:
        prediction = model.predict(item.where)
        named = replace(item, name=Path(item.where).stem)
        for kind, name in output_files(named, KINDS).items():
            write_bytes(out / name, writers[kind].encode(prediction))


def predict(path: Path, inputs: Sequence[Input], out: Path, threads: int | None) -> None:
    """Predict as `fullconv predict` does."""
    job = create_job(fc.load(path), path, inputs, out=out, kinds=KINDS, threads=threads)
    if len(list(run_job(plan_resume(job, inputs)))) != len(inputs):
        raise SystemExit("some images have no prediction")


def main() -> None:
    """Print images per second and the ratios."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if sys.argv[1:] else draw(Path(scratch, "photos"))
        path = Path(sys.argv[2]) if sys.argv[2:] else untrained(Path(scratch, "m.safetensors"))
        photos = resolve_inputs([str(folder)])[:PHOTOS]
        model, all_threads = fc.load(path).optimize(), torch.get_num_threads()
        variants: dict[str, Callable[[Sequence[Input], Path], None]] = {
            "loop": lambda part, out: loop(model, part, out),
            "predict": lambda part, out: predict(path, part, out, None),
            "all threads": lambda part, out: predict(path, part, out, all_threads),
        }
        for name, run in variants.items():  # warm up
            run(photos[:MIN_IMAGES], Path(scratch, "warm", name))
        seconds: dict[str, list[float]] = {name: [] for name in variants}
        for number in range(ROUNDS):
            part = photos[number::ROUNDS]
            for name, run in variants.items():
                start = perf_counter()
                run(part, Path(scratch, str(number), name))
                seconds[name].append(perf_counter() - start)
    print(f"{len(photos)} images, {usable_cores()} cores, {all_threads} threads, {ROUNDS} rounds")
    for name, times in seconds.items():
        ratios = sorted(a / b for a, b in zip(seconds["loop"], times, strict=True))
        rate = len(photos) / sum(times)
        print(
            f"{name:16} {rate:6.2f} images/s   {median(ratios):.2f} times the loop "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()

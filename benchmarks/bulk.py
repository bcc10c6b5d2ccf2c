"""Photos per second of `fullconv predict` on many photos, compared with a plain loop.

    python benchmarks/bulk.py                        500 of 360 x 480 and 100 of 3000 x 4000 pixels
    python benchmarks/bulk.py --texture camvid/val --small 200 --large 20 --engines onnx openvino

The photos are mosaics of parts of real ones (--texture; by default those of `samples:nuclei`),
which take as long to decode and to encode as photos do. The model is a file, or an untrained
network by its name: speed does not depend on the weights.

Both variants read the same files, use the same engine, which is opened before, and atomically
write the same labels and overlays. In each round both predict the same part of the photos.

- loop: read, predict and write, one photo after the other; the engine uses all cores.
- predict: what `fullconv predict FOLDER` does: as many photos at the same time as there are cores,
  or as the memory holds whole, while others are read and written.

"Cores busy" is CPU time by wall time and cores; other programs take from it. "Bound" is how many
times the loop's speed `predict` would have if it kept all cores busy with the same work.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from _timing import machine, open_model

import fullconv as fc
from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import Input, resolve_inputs
from fullconv.batch.names import output_files
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import run_job
from fullconv.batch.stage_times import StageTimes
from fullconv.batch.writers import writers
from fullconv.engines import installed_engines
from fullconv.hardware import usable_cores
from fullconv.inference.cpu.optimize import MIN_IMAGES
from fullconv.io.atomic import write_bytes
from fullconv.io.images import encode_jpeg, read_image
from fullconv.model import Model

SIZES = {"small": (360, 480), "large": (3000, 4000)}
DISTINCT = 10  # of each size
PART = 300  # pixels of a side of the largest part of a mosaic
KINDS = ("labels", "overlay")


def texture(source: str) -> list[np.ndarray]:
    """Return the photos of a folder or a data set."""
    if Path(source).is_dir():
        paths = sorted(path for path in Path(source).iterdir() if path.is_file())
        return [read_image(path) for path in paths[:DISTINCT]]
    data = fc.open_data(source)
    return [data[number].image for number in range(min(len(data), DISTINCT))]


def mosaic(photos: Sequence[np.ndarray], size: tuple[int, int], seed: int) -> np.ndarray:
    """Return an image of parts of photos, at their own scale, each mirrored or not."""
    random = np.random.default_rng(seed)
    side = min(PART, *(min(photo.shape[:2]) for photo in photos))
    image = np.empty((*size, 3), np.uint8)
    for top in range(0, size[0], side):
        for left in range(0, size[1], side):
            photo = photos[random.integers(len(photos))][:, :: random.choice((-1, 1))]
            height, width = (min(side, end - at) for end, at in zip(size, (top, left), strict=True))
            row = random.integers(photo.shape[0] - height + 1)
            column = random.integers(photo.shape[1] - width + 1)
            part = photo[row : row + height, column : column + width]
            image[top : top + height, left : left + width] = part
    return image


def draw(folder: Path, photos: Sequence[np.ndarray], size: tuple[int, int], count: int) -> Path:
    """Write mosaics as JPEG files."""
    files = [encode_jpeg(mosaic(photos, size, seed)) for seed in range(min(count, DISTINCT))]
    for number in range(count):
        write_bytes(folder / f"{number:03d}.jpg", files[number % len(files)])
    return folder


def prepare_loop(model: Model, inputs: Sequence[Input], out: Path) -> Callable[[], object]:
    """Return a hand-written loop over the photos."""

    def loop() -> None:
        for item in inputs:
            prediction = model.predict(item.where)
            named = replace(item, name=Path(item.where).stem)
            for kind, name in output_files(named, KINDS).items():
                write_bytes(out / name, writers[kind].encode(prediction))

    return loop


def prepare_job(
    path: Path, engine: str, inputs: Sequence[Input], out: Path, times: StageTimes
) -> Callable[[], object]:
    """Return what `fullconv predict` does with the photos; its model and engine are opened."""
    job = create_job(fc.load(path), path, inputs, out=out, kinds=KINDS, engine=engine)
    job.prepare()
    pending = replace(plan_resume(job, inputs), times=times)

    def run() -> None:
        if len(list(run_job(pending))) != len(inputs):
            raise SystemExit("some images have no prediction")

    return run


def measure(
    path: Path, engine: str, photos: Sequence[Input], rounds: int, threads: int
) -> dict[str, Any]:
    """Return the seconds of each round, and what follows from them.

    Args:
        path: of the model.
        engine: that computes it.
        photos: all of them.
        rounds: each takes its share of the photos.
        threads: of the loop. A job leaves fewer, one per core, and an engine is opened for them.
    """
    torch.set_num_threads(threads)
    model, times = fc.load(path).optimize(engine), StageTimes()
    variants: dict[str, Callable[[Sequence[Input], Path], Callable[[], object]]] = {
        "loop": lambda part, out: prepare_loop(model, part, out),
        "predict": lambda part, out: prepare_job(path, engine, part, out, times),
    }
    wall: dict[str, list[float]] = {name: [] for name in variants}
    cpu: dict[str, list[float]] = {name: [] for name in variants}
    with tempfile.TemporaryDirectory() as scratch:
        for name, prepare in variants.items():  # warm up
            prepare(photos[:MIN_IMAGES], Path(scratch, "warm", name))()
        times.seconds |= dict.fromkeys(times.seconds, 0.0)
        for number in range(rounds):
            for name, prepare in variants.items():
                torch.set_num_threads(threads)
                run = prepare(photos[number::rounds], Path(scratch, str(number), name))
                start, used = perf_counter(), process_time()
                run()
                wall[name].append(perf_counter() - start)
                cpu[name].append(process_time() - used)
    ratio = median(a / b for a, b in zip(wall["loop"], wall["predict"], strict=True))
    busy = {name: sum(cpu[name]) / sum(wall[name]) / usable_cores() for name in variants}
    return {
        "engine": engine,
        "photos": len(photos),
        "seconds": wall,
        "rates": {name: len(photos) / sum(taken) for name, taken in wall.items()},
        "ratio": ratio,
        "busy": busy,
        "cpu": {name: sum(taken) / len(photos) for name, taken in cpu.items()},
        "bound": ratio / busy["predict"],
        "shares": times.shares,
    }


def print_result(result: dict[str, Any]) -> None:
    """Print one row."""
    rates, busy = result["rates"], result["busy"]
    shares = ", ".join(f"{stage} {share:.0%}" for stage, share in result["shares"].items())
    print(
        f"{result['size']:>11} {result['engine']:9} loop {rates['loop']:6.2f}/s, cores busy "
        f"{busy['loop']:.0%}; predict {rates['predict']:6.2f}/s, {busy['predict']:.0%}: "
        f"{result['ratio']:.2f} times the loop, bound {result['bound']:.2f}; {shares}",
        flush=True,
    )


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="models/camvid/fcn4s-lite2.safetensors")
    parser.add_argument("--texture", default="samples:nuclei", help="folder of photos, or data set")
    parser.add_argument("--small", type=int, default=500, help="photos of 360 x 480")
    parser.add_argument("--large", type=int, default=100, help="photos of 3000 x 4000")
    parser.add_argument("--engines", nargs="+", default=["torch", *installed_engines()])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    """Measure each engine at each size."""
    chosen = options()
    results: list[dict[str, Any]] = []
    threads = torch.get_num_threads()
    print(f"{chosen.model}, {machine(threads)}")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(chosen.model)
        if not path.exists():
            path = Path(scratch, "model.safetensors")
            open_model(chosen.model).save(path)
        photos = texture(chosen.texture)
        for name, (height, width) in SIZES.items():
            if not (count := getattr(chosen, name)):
                continue
            folder = draw(Path(scratch, name), photos, (height, width), count)
            for engine in chosen.engines:
                found = resolve_inputs([str(folder)])
                result = measure(path, engine, found, chosen.rounds, threads)
                result = {"model": chosen.model, "size": f"{height} x {width}"} | result
                results.append(result)
                print_result(result)
                if chosen.json:
                    chosen.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

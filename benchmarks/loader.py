"""Samples loaded per second, and the time that training waits for them.

Run: python benchmarks/loader.py [DATA] [WIDTH]. DATA is any source of `fullconv train`; without it,
street scenes are drawn as JPEG with PNG masks. Loading is decoding, augmenting (the defaults, and
then with rotation, blur and class crops) and collating batches of 4 at 360 x 480, in the training
process (0 workers) or in 1 or 2 workers. The share of waiting is the part of the training time of a
small network (fcn8s-vgg11_bn, width WIDTH, default 0.25) that is spent waiting for a batch.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import torch
from PIL import Image

import fullconv.training.trainer as training_module
from fullconv.config import TrainConfig
from fullconv.data.batches import Batch
from fullconv.data.formats import open_data
from fullconv.data.sample import Data
from fullconv.data.transforms import augmentation, fit, generator
from fullconv.io.images import scale_image, scale_labels
from fullconv.training.initial_model import initial_model
from fullconv.training.sampler import batches
from fullconv.training.trainer import Trainer

SIZE = (360, 480)
BATCHES = 20  # of 4 images, to measure the loader alone
STEPS = 7  # training steps; the first is not counted, since it starts the workers
CONFIG = TrainConfig(model="fcn8s-vgg11_bn", crop=SIZE, batch=4, device="cpu")
FULL = {"rotate": 10.0, "blur": 1.5, "class_crops": 0.5}


def draw(folder: Path, number: int = 40) -> Data:
    """Write synthetic scenes to folders of images and masks."""
    for name in ("images/train", "masks/train"):
        (folder / name).mkdir(parents=True)
    data = open_data(f"scenes:{number}", "train")
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in data.classes))
    for sample in data:
        image = Image.fromarray(scale_image(sample.image, SIZE))
        image.save(folder / f"images/train/{sample.name}.jpg", quality=90)
        mask = Image.fromarray(scale_labels(sample.labels, SIZE))
        mask.save(folder / f"masks/train/{sample.name}.png")
    return open_data(folder, "train")


def print_stages(data: Data) -> None:
    """Print the time of each stage per sample, in one thread."""
    indices = range(0, len(data), max(1, len(data) // 24))
    samples, lines = [], []
    start = perf_counter()
    for index in indices:
        samples.append(fit(data[index], CONFIG.size))
    lines.append(("decode", perf_counter() - start))
    for step in augmentation(CONFIG.model_copy(update=FULL), SIZE):
        start = perf_counter()
        changed = [step(sample, generator(0, 1, i)) for i, sample in enumerate(samples)]
        lines.append((type(step).__name__.lower(), perf_counter() - start))
        samples = changed
    for name, seconds in lines:
        print(f"  {name:8} {1000 * seconds / len(indices):6.2f} ms")


def loading_rate(data: Data, config: TrainConfig) -> float:
    """Return the images per second of the loader alone."""
    loader = batches(data, config, config.batch, range(BATCHES))
    next(loader)
    start = perf_counter()
    number = sum(len(batch.names) for batch in loader)
    return number / (perf_counter() - start)


def waiting(data: Data, config: TrainConfig) -> tuple[float, float]:
    """Return the share of the training time spent waiting for batches, and images per second."""
    waits: list[float] = []

    def timed_batches(*arguments: object) -> Iterator[Batch]:
        loader = batches(*arguments)  # type: ignore[arg-type]
        while True:
            start = perf_counter()
            batch = next(loader, None)
            if batch is None:
                return
            waits.append(perf_counter() - start)
            yield batch

    training_module.batches = timed_batches
    training = Trainer(initial_model(config, data), data, config)
    seconds = [step.seconds for step in training.run()]
    training_module.batches = batches
    total = sum(seconds[1:])
    return sum(waits[1:]) / total, config.batch * len(seconds[1:]) / total


def measure(data: Data, width: float) -> None:
    """Print the stages, and a line for each number of workers."""
    print(
        f"{data.source}: {len(data)} samples, {torch.get_num_threads()} threads; time per sample:"
    )
    print_stages(data)
    config = CONFIG.model_copy(update={"steps": STEPS, "width": width, "hidden": 256})
    print("augmentation  workers  images/s alone  images/s in training  waiting for data")
    for name, more in (("default", {}), ("all", FULL)):
        for workers in (0, 1, 2):
            chosen = config.model_copy(update={"workers": workers, **more})
            share, speed = waiting(data, chosen)
            print(
                f"{name:12}  {workers:7}  {loading_rate(data, chosen):14.0f}  {speed:20.1f}  "
                f"{100 * share:14.1f} %"
            )


def main() -> None:
    """Measure the given data, or synthetic scenes."""
    width = float(sys.argv[2]) if sys.argv[2:] else 0.25
    if sys.argv[1:]:
        measure(open_data(sys.argv[1], "train"), width)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(draw(Path(folder)), width)


if __name__ == "__main__":
    main()

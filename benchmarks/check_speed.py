"""Images with masks per second that `fullconv check` reads, with threads and with processes.

Run: python benchmarks/check_speed.py [DATA]. Without DATA it draws scenes of 480 x 360 as JPEG, PNG
and lossless WebP with PNG masks, and as YOLO polygons, which the format rasterizes. The goal is 200
per second on 2 cores, that is 10 ms of CPU time each. CPU time is printed next to wall time because
it depends less on what else the machine does.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from PIL import Image

from fullconv.data.formats import inventory, open_data
from fullconv.data.sample import Pair
from fullconv.data.survey.parallel import parallel_map
from fullconv.data.survey.reading import Scan, create_scanner
from fullconv.data.survey.scan import scan
from fullconv.io.images import scale_image, scale_labels

PHOTOS = 200
SIZE = (360, 480)


def draw(folder: Path, suffix: str) -> list[Pair]:
    """Write synthetic scenes as image and mask files."""
    data = open_data(f"scenes:{PHOTOS}", "train")
    pairs = []
    for number in range(PHOTOS):
        sample = data[number % len(data)]
        pair = Pair(str(number), folder / f"{number}{suffix}", folder / f"{number}_mask.png")
        options = {"lossless": True} if suffix == ".webp" else {}
        Image.fromarray(scale_image(sample.image, SIZE)).save(pair.photo, **options)
        Image.fromarray(scale_labels(sample.labels, SIZE)).save(pair.mask)
        pairs.append(pair)
    return pairs


def draw_polygons(folder: Path) -> None:
    """Write synthetic scenes as a YOLO data set."""
    data = open_data(f"scenes:{PHOTOS}", "train")
    for name in ("images/train", "labels/train"):
        (folder / name).mkdir(parents=True)
    names = ", ".join(data.classes)
    (folder / "data.yaml").write_text(f"train: images/train\nnames: [{names}]\n")
    for number in range(PHOTOS):
        sample = data[number % len(data)]
        image = Image.fromarray(scale_image(sample.image, SIZE))
        image.save(folder / f"images/train/{number}.jpg")
        labels = scale_labels(sample.labels, SIZE)
        lines = [line for label in range(len(data.classes)) for line in stripes(labels, label)]
        (folder / f"labels/train/{number}.txt").write_text("".join(lines))


def stripes(labels: np.ndarray, label: int) -> Iterable[str]:
    """Yield polygons of 12 corners or more, about as many as annotators draw."""
    for top in range(0, SIZE[0], 60):
        rows, columns = np.nonzero(labels[top : top + 60] == label)
        if rows.size < 50:
            continue
        edge = sorted({*rows.tolist()})[::6]
        left = [(columns[rows == row].min(), top + row) for row in edge]
        right = [(columns[rows == row].max() + 1, top + row) for row in edge[::-1]]
        points = [f"{x / SIZE[1]:.5f} {y / SIZE[0]:.5f}" for x, y in left + right]
        if len(points) > 2:
            yield f"{label} {' '.join(points)}\n"


def measure(what: str, pairs: list[Pair], work: Scan = scan) -> None:
    """Print a line each for serial reading, threads and processes."""

    def time_run(how: str, run: Callable[[list[Pair]], Iterable[object]]) -> None:
        wall, cpu = perf_counter(), process_time()
        number = len(list(run(pairs)))
        wall, cpu = perf_counter() - wall, process_time() - cpu
        cpu_time = f"{1000 * cpu / number:5.1f} ms CPU each" if "process" not in how else ""
        print(f"{what:14} {how:12} {number / wall:6.0f} per second  {cpu_time}")

    time_run("serial", lambda items: map(work, items))
    time_run("2 threads", lambda items: parallel_map(work, items, 2, python=False))
    time_run("2 processes", lambda items: parallel_map(work, items, 2, python=True))


def measure_data(source: str | Path) -> None:
    """Measure a data set, read as the check reads it."""
    stock = inventory(source)
    stock.keep(None)
    pairs = [pair for pairs in stock.splits.values() for pair in pairs]
    name = Path(source).name if isinstance(source, str) else "yolo"
    measure(name, pairs, scan if stock.read is None else create_scanner(stock))


def main() -> None:
    """Measure the given data, or synthetic scenes."""
    torch.set_num_threads(1)
    if sys.argv[1:]:
        measure_data(sys.argv[1])
        return
    for suffix in (".jpg", ".png", ".webp"):
        with tempfile.TemporaryDirectory() as folder:
            measure(f"480x360 {suffix}", draw(Path(folder), suffix))
    with tempfile.TemporaryDirectory() as folder:
        draw_polygons(Path(folder))
        measure_data(Path(folder))


if __name__ == "__main__":
    main()

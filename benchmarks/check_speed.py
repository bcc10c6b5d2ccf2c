"""How many photos with masks a second `fullconv check` reads: threads against processes.

Run: python benchmarks/check_speed.py [FOLDER]. Without a folder it draws scenes of 480 x 360 as
JPEG, PNG and lossless WebP with PNG masks. The goal is 200 a second on 2 cores. CPU time stands
beside wall time, since on a busy machine only the former says what the work costs.
"""

import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, process_time

import torch
from PIL import Image

from fullconv.checks._inventory import take
from fullconv.checks._scan import scan
from fullconv.formats import open_data, recognise
from fullconv.formats._pairs import Pair
from fullconv.images import scale_image, scale_labels

PHOTOS = 200
SIZE = (360, 480)


def draw(folder: Path, suffix: str) -> list[Pair]:
    """Drawn scenes as files."""
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


def measure(what: str, pairs: list[Pair]) -> None:
    """One line for each way of working."""

    def timed(how: str, work: Callable[[list[Pair]], Iterable[object]]) -> None:
        wall, cpu = perf_counter(), process_time()
        number = len(list(work(pairs)))
        wall, cpu = perf_counter() - wall, process_time() - cpu
        own = f"{1000 * cpu / number:5.1f} ms CPU each" if "process" not in how else ""
        print(f"{what:14} {how:12} {number / wall:6.0f} a second  {own}")

    timed("serial", lambda items: map(scan, items))
    with ThreadPoolExecutor(2) as pool:
        timed("2 threads", lambda items: pool.map(scan, items))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as processes:
        timed("2 processes", lambda items: processes.map(scan, items, chunksize=8))


def main() -> None:
    """Measure the folder that is given, or drawn scenes."""
    torch.set_num_threads(1)
    if sys.argv[1:]:
        folder = Path(sys.argv[1])
        stock = take(folder, recognise(folder))
        if stock is None:
            raise SystemExit("only folders, voc and camvid are read file by file")
        stock.keep(None)
        measure(folder.name, [pair for pairs in stock.splits.values() for pair in pairs])
        return
    for suffix in (".jpg", ".png", ".webp"):
        with tempfile.TemporaryDirectory() as folder:
            measure(f"480x360 {suffix}", draw(Path(folder), suffix))


if __name__ == "__main__":
    main()

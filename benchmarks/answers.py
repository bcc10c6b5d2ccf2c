"""Answers as files: `python benchmarks/answers.py`.

Polygons: label rasters of random sizes are traced, drawn again by GDAL and compared; then the time
of a 2048 x 1024 answer's files, and of the tracing beside rasterio's (GDAL's) in turns. Averaging:
the largest difference of a probability to a loop written down here. Video: frames a second of
reading, drawing and writing, without a network.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from rasterio.features import rasterize, shapes

from fullconv.batch.video import overlay_video
from fullconv.batch.writers import writers
from fullconv.batch.writers._polygonize import polygonize
from fullconv.inference.predictor import Prediction
from fullconv.inference.tta import SCALES, average_score
from fullconv.io.video import record_video

ROUNDS = 5
CLASSES = 19


def exact(count: int = 500) -> str:
    """How many random label rasters come back whole."""
    rng = np.random.default_rng(0)
    right = regions = 0
    for _ in range(count):
        size = tuple(rng.integers(1, 60, 2).tolist())
        labels = rng.integers(0, rng.integers(1, 6), size).astype(np.uint8)
        labels[rng.random(size) < 0.1] = 255
        again = np.full(size, 255, np.uint8)
        for one in polygonize(labels):
            rings = [[(c, r) for r, c in [*ring.tolist(), ring[0].tolist()]] for ring in one.rings]
            mask = rasterize([{"type": "Polygon", "coordinates": rings}], size).astype(bool)
            again[mask] = np.where(again[mask] == 255, one.label, 254)  # 254: in two polygons
            regions += 1
        right += bool((again == labels).all())
    return f"{right} of {count} random label rasters, {regions:,} regions, drawn again by GDAL"


def answer(cell: int, height: int = 1024, width: int = 2048) -> Prediction:
    """A smooth random answer whose regions are about `cell` pixels wide."""
    rng = np.random.default_rng(0)
    coarse = rng.random((CLASSES, height // cell + 2, width // cell + 2)).astype(np.float32)
    size = (width, height)
    fine = [Image.fromarray(one).resize(size, Image.Resampling.BICUBIC) for one in coarse]
    score = torch.from_numpy(np.stack([np.asarray(one) for one in fine])) * 20
    names = tuple(f"class {number}" for number in range(CLASSES))
    palette = tuple((number * 13, 255 - number * 13, 99) for number in range(CLASSES))
    return Prediction(np.full((height, width, 3), 90, np.uint8), score, names, palette)


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def times(cell: int) -> None:
    """One answer's files, and the tracing beside rasterio's."""
    found = answer(cell)
    count = sum(1 for _ in polygonize(found.labels))
    print(f"\n2048 x 1024 pixels, {count:,} regions")
    for kind in writers:
        took = statistics.median(seconds(lambda k=kind: writers[k].encode(found)) for _ in range(3))
        print(f"  {kind:15} {took:6.2f} s  {len(writers[kind].encode(found)) / 2**20:6.1f} MiB")
    ratios = []
    for _ in range(ROUNDS):
        own = seconds(lambda: list(polygonize(found.labels)))
        ratios.append(own / seconds(lambda: list(shapes(found.labels, connectivity=4))))
    shown = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    print(f"  tracing: {shown} times rasterio's time, median of {ROUNDS} turns")


def averaging() -> str:
    """The largest difference to a plain loop, in double precision."""
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, CLASSES, 7, padding=3).requires_grad_(False)
    image = np.random.default_rng(0).integers(0, 256, (211, 317, 3)).astype(np.uint8)

    def score(view: np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(view).permute(2, 0, 1)[None]
        return network(pixels / 64)[0]

    total = np.zeros((CLASSES, 211, 317))
    for scale in SCALES:
        for mirrored in (False, True):
            size = (round(317 * scale), round(211 * scale))
            view = np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
            said = score(view[:, ::-1].copy() if mirrored else view)
            said = F.interpolate(said[None], (211, 317), mode="bilinear")[0].double().numpy()
            exponential = np.exp(said[:, :, ::-1] if mirrored else said)
            total += exponential / exponential.sum(0)
    own = average_score(score, image).softmax(0).numpy()
    return (
        f"largest difference of a probability to a plain loop: {np.abs(own - total / 6).max():.1e}"
    )


def video(height: int = 480, width: int = 640, frames: int = 60) -> str:
    """Frames a second of reading, drawing and writing."""
    said = answer(64, height, width)
    with tempfile.TemporaryDirectory() as folder:
        with record_video(Path(folder) / "in.mp4", 25) as add:
            for number in range(frames):
                add(Fraction(number, 25), np.roll(said.overlay(legend=False), 3 * number, 1))
        out = Path(folder) / "out.mp4"
        took = seconds(lambda: list(overlay_video(Path(folder) / "in.mp4", out, lambda _: said)))
    return f"{frames / took:.0f} frames of {height} x {width} a second, without a network"


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    print("polygons:", exact())
    for cell in (128, 32):
        times(cell)
    print("\naveraging:", averaging())
    print("video:", video())


if __name__ == "__main__":
    main()

"""Correctness and speed of prediction files: `python benchmarks/output_files.py`.

Polygons: random label rasters are polygonized, rasterized again by GDAL and compared; then the time
to encode each kind of file for a 2048 x 1024 prediction, and of polygonization compared with
rasterio's (GDAL's) in interleaved rounds. TTA: the largest difference of an averaged probability
from a plain loop. Video: frames per second of reading, drawing and writing, without a network.
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
from fullconv.data.labels.polygonize import polygonize
from fullconv.inference.prediction import Prediction
from fullconv.inference.tta import average_score
from fullconv.inference.tta_scales import SCALES
from fullconv.io.video import record_video

ROUNDS = 5
CLASSES = 19


def polygon_round_trip(count: int = 500) -> str:
    """Count the random label rasters that polygons reproduce exactly."""
    rng = np.random.default_rng(0)
    equal = regions = 0
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
        equal += bool((again == labels).all())
    return f"{equal} of {count} random label rasters ({regions:,} regions) are reproduced by GDAL"


def random_prediction(cell: int, height: int = 1024, width: int = 2048) -> Prediction:
    """Return a smooth random prediction whose regions are about `cell` pixels wide."""
    rng = np.random.default_rng(0)
    coarse = rng.random((CLASSES, height // cell + 2, width // cell + 2)).astype(np.float32)
    size = (width, height)
    fine = [Image.fromarray(one).resize(size, Image.Resampling.BICUBIC) for one in coarse]
    score = torch.from_numpy(np.stack([np.asarray(one) for one in fine])) * 20
    names = tuple(f"class {number}" for number in range(CLASSES))
    palette = tuple((number * 13, 255 - number * 13, 99) for number in range(CLASSES))
    return Prediction(np.full((height, width, 3), 90, np.uint8), score.numpy(), names, palette)


def seconds(function: Callable[[], object]) -> float:
    """Return the duration of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def encoding_times(cell: int) -> None:
    """Print the time of each kind of file, and of polygonization relative to rasterio's."""
    prediction = random_prediction(cell)
    count = sum(1 for _ in polygonize(prediction.labels))
    print(f"\n2048 x 1024 pixels, {count:,} regions")
    for kind in writers:
        elapsed = statistics.median(
            seconds(lambda k=kind: writers[k].encode(prediction)) for _ in range(3)
        )
        size = len(writers[kind].encode(prediction)) / 2**20
        print(f"  {kind:15} {elapsed:6.2f} s  {size:6.1f} MiB")
    ratios = []
    for _ in range(ROUNDS):
        own = seconds(lambda: list(polygonize(prediction.labels)))
        ratios.append(own / seconds(lambda: list(shapes(prediction.labels, connectivity=4))))
    shown = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    print(f"  polygonization: {shown} times rasterio's time, median of {ROUNDS} rounds")


def tta_error() -> str:
    """Compare TTA with a plain loop in double precision."""
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
            scores = score(view[:, ::-1].copy() if mirrored else view)
            scores = F.interpolate(scores[None], (211, 317), mode="bilinear")[0].double().numpy()
            exponential = np.exp(scores[:, :, ::-1] if mirrored else scores)
            total += exponential / exponential.sum(0)
    own = average_score(score, image).softmax(0).numpy()
    largest = np.abs(own - total / 6).max()
    return f"largest difference of a probability from a plain loop: {largest:.1e}"


def video(height: int = 480, width: int = 640, frames: int = 60) -> str:
    """Measure the frames per second of reading, drawing and writing."""
    prediction = random_prediction(64, height, width)
    with tempfile.TemporaryDirectory() as folder:
        with record_video(Path(folder) / "in.mp4", 25) as add:
            for number in range(frames):
                add(Fraction(number, 25), np.roll(prediction.overlay(legend=False), 3 * number, 1))
        out = Path(folder) / "out.mp4"
        elapsed = seconds(
            lambda: list(overlay_video(Path(folder) / "in.mp4", out, lambda _: prediction))
        )
    return f"{frames / elapsed:.0f} frames per second at {height} x {width}, without a network"


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    print("polygons:", polygon_round_trip())
    for cell in (128, 32):
        encoding_times(cell)
    print("\nTTA:", tta_error())
    print("video:", video())


if __name__ == "__main__":
    main()

"""Time to count one confusion matrix: `python benchmarks/metrics.py [ROUNDS]`.

Needs opencv-python-headless and torchmetrics, which fullconv itself does not.

Ground truth and predictions of 2048 x 1024 pixels and 19 classes, one thread, interleaved rounds;
medians of CPU time, which depends less on other load, and the ratio to OpenCV's calcHist. Compared
with

- calcHist: OpenCV's joint histogram of two uint8 rasters, counted in float32, without copies.
- fast_hist: the method of the paper's authors: omit the ignore label, convert to int64, bincount.
- torchmetrics: the update of its multiclass confusion matrix, with 255 as its `ignore_index`.

The labels are synthetic: enlarged street scenes (long runs of one class, as in real labels), the
same with 1 % of random pixels, and noise.
"""

import sys
import warnings
from collections.abc import Callable
from statistics import median
from time import thread_time

import cv2
import numpy as np
import torch
from torchmetrics.classification import MulticlassConfusionMatrix

from fullconv.data.formats import open_data
from fullconv.evaluation.metrics import Confusion
from fullconv.io.images import scale_labels
from fullconv.io.palettes import VOID

SIZE = (1024, 2048)
CLASSES = 19
Rasters = tuple[np.ndarray, np.ndarray]  # ground truth and prediction, both uint8


def ours(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count with fullconv's confusion matrix."""
    confusion = Confusion(CLASSES)
    confusion.add(target, predicted)
    return confusion.counts[:, :CLASSES]


def calc_hist(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count with OpenCV's joint histogram."""
    bounds = [0, CLASSES, 0, CLASSES]
    return cv2.calcHist([target, predicted], [0, 1], None, [CLASSES, CLASSES], bounds)


def fast_hist(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count as the paper's authors do."""
    target, predicted = target.ravel(), predicted.ravel()
    known = target < CLASSES
    pairs = CLASSES * target[known].astype(np.int64) + predicted[known]
    return np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def torch_metrics(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count with torchmetrics."""
    metric = MulticlassConfusionMatrix(CLASSES, ignore_index=VOID)
    metric.update(torch.from_numpy(predicted), torch.from_numpy(target))
    return metric.confmat.numpy()


METHODS: tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], ...] = (
    *(ours, calc_hist, fast_hist, torch_metrics),
)


def cases() -> dict[str, Rasters]:
    """Return the ground truth and prediction of each case."""
    random = np.random.default_rng(0)
    scenes = open_data("scenes:10@256x512", "train")
    target, predicted = (scale_labels(scenes[index].labels, SIZE) for index in (0, 1))
    predicted = np.where(predicted == VOID, 0, predicted).astype(np.uint8)
    noise = random.integers(0, CLASSES, (2, *SIZE)).astype(np.uint8)
    stray = np.where(random.random(SIZE) < 0.01, noise[0], predicted)
    return {
        "street scenes": (target, predicted),
        "street scenes, 1 % stray": (target, stray),
        "noise": (noise[0], noise[1]),
    }


def measure(rasters: Rasters, rounds: int) -> dict[str, float]:
    """Return the median seconds of each method, after checking that the counts are equal."""
    counts = [method(*rasters) for method in METHODS]
    assert all((other == counts[0]).all() for other in counts), "the methods disagree"
    seconds: dict[str, list[float]] = {method.__name__: [] for method in METHODS}
    for _ in range(rounds):
        for method in METHODS:
            start = thread_time()
            method(*rasters)
            seconds[method.__name__].append(thread_time() - start)
    return {name: median(times) for name, times in seconds.items()}


def main(rounds: int) -> None:
    """Print the table, as Markdown."""
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    print(f"| {SIZE[0]} x {SIZE[1]} x {CLASSES}, {rounds} rounds | ms | over calcHist | ", end="")
    print("speed-up over fast_hist |\n|---|---|---|---|")
    for case, rasters in cases().items():
        seconds = measure(rasters, rounds)
        for name, value in seconds.items():
            over, speedup = value / seconds["calc_hist"], seconds["fast_hist"] / value
            print(
                f"| {case}: {name} | {1e3 * value:.2f} | {over:.2f} | {speedup:.2f} |", flush=True
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 15)

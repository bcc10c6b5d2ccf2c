"""How long counting one confusion matrix takes: `python benchmarks/metrics.py [ROUNDS]`.

Needs opencv-python-headless and torchmetrics, which the product does not.

Labels and answers of 2048 x 1024 pixels and 19 classes, one thread, all in turn in every round;
medians of CPU time, which a busy machine does not stretch, and how many times as long each takes as
OpenCV's calcHist. Compared with

- calcHist: OpenCV's joint histogram of two uint8 rasters, counted in float32; it copies no label.
- fast_hist: our version of what the paper's authors do: leave void out, widen to int64, bincount.
- torchmetrics: the update of its multiclass confusion matrix, with void as its `ignore_index`.

The labels are drawn: street scenes enlarged (long runs of one class, as real labels have), the
same with 1 % of stray pixels, and noise, where no two neighbours are alike.
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
Rasters = tuple[np.ndarray, np.ndarray]  # truth, answer; both uint8


def ours(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """The counts that `fullconv evaluate` reads its numbers off."""
    confusion = Confusion(CLASSES)
    confusion.add(truth, answer)
    return confusion.counts[:, :CLASSES]


def calc_hist(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """OpenCV's joint histogram."""
    bounds = [0, CLASSES, 0, CLASSES]
    return cv2.calcHist([truth, answer], [0, 1], None, [CLASSES, CLASSES], bounds)


def fast_hist(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """The authors' way."""
    truth, answer = truth.ravel(), answer.ravel()
    known = truth < CLASSES
    pairs = CLASSES * truth[known].astype(np.int64) + answer[known]
    return np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def torch_metrics(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Somebody else's well-known metric."""
    metric = MulticlassConfusionMatrix(CLASSES, ignore_index=VOID)
    metric.update(torch.from_numpy(answer), torch.from_numpy(truth))
    return metric.confmat.numpy()


WAYS: tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], ...] = (
    *(ours, calc_hist, fast_hist, torch_metrics),
)


def cases() -> dict[str, Rasters]:
    """What is counted."""
    random = np.random.default_rng(0)
    scenes = open_data("scenes:10@256x512", "train")
    truth, answer = (scale_labels(scenes[index].labels, SIZE) for index in (0, 1))
    answer = np.where(answer == VOID, 0, answer).astype(np.uint8)
    noise = random.integers(0, CLASSES, (2, *SIZE)).astype(np.uint8)
    stray = np.where(random.random(SIZE) < 0.01, noise[0], answer)
    return {
        "street scenes": (truth, answer),
        "street scenes, 1 % stray": (truth, stray),
        "noise": (noise[0], noise[1]),
    }


def measure(rasters: Rasters, rounds: int) -> dict[str, float]:
    """Median seconds of every way, after one round that only compares their counts."""
    counts = [way(*rasters) for way in WAYS]
    assert all((other == counts[0]).all() for other in counts), "they do not count the same"
    seconds: dict[str, list[float]] = {way.__name__: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            began = thread_time()
            way(*rasters)
            seconds[way.__name__].append(thread_time() - began)
    return {name: median(times) for name, times in seconds.items()}


def main(rounds: int) -> None:
    """Print the table, as Markdown."""
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    print(f"| {SIZE[0]} x {SIZE[1]} x {CLASSES}, {rounds} rounds | ms | over calcHist | ", end="")
    print("times as fast as fast_hist |\n|---|---|---|---|")
    for case, rasters in cases().items():
        seconds = measure(rasters, rounds)
        for name, taken in seconds.items():
            over, ahead = taken / seconds["calc_hist"], seconds["fast_hist"] / taken
            print(f"| {case}: {name} | {1e3 * taken:.2f} | {over:.2f} | {ahead:.2f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 15)

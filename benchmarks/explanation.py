"""Measure what `fullconv evaluate --explain --suspects` takes for one photo, besides predicting it.

    python benchmarks/explanation.py                       # 4,000 x 3,000 pixels, 20 classes
    python benchmarks/explanation.py --size 360x480 --classes 11

Labels and predictions are drawn: regions of about a twentieth of the height, and predictions of
which about 8 % are wrong. Prints processor time of one thread, which other processes hardly change,
and by how much the largest memory of the process grew.
"""

import argparse
import resource
import time

import numpy as np
import torch
from torch.nn import functional

from fullconv.evaluation.explanation import ExplanationBuilder
from fullconv.evaluation.suspects import SuspectFinder
from fullconv.io.palettes import VOID

NOISE = 0.04  # of the scores that predict, against those of the labels: 8 % of the pixels differ


def draw(height, width, classes):
    """Return labels, the predicted classes, and scores."""
    random = torch.Generator().manual_seed(0)

    def smooth(cell, channels):
        size = height // cell + 2, width // cell + 2
        values = torch.rand(1, channels, *size, generator=random)
        return functional.interpolate(values, (height, width), mode="bilinear")[0]

    cell = max(8, height // 20)
    score = smooth(cell, classes)
    labels = score.argmax(0).byte().numpy()
    for channel in range(classes):
        score[channel] += NOISE * smooth(max(4, cell // 4), 1)[0]
    score *= 12
    labels[:, : width // 50] = VOID
    return labels, score.argmax(0).byte().numpy(), score


def main():
    """Print time and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="3000x4000", help="height x width")
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many is printed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    height, width = map(int, options.size.split("x"))
    labels, predicted, score = draw(height, width, options.classes)
    share = np.mean(labels != predicted)
    print(f"{height} x {width} pixels, {options.classes} classes, {share:.1%} wrong or ignored")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(options.rounds):
        builder = ExplanationBuilder(tuple(map(str, range(options.classes))))
        start = time.process_time()
        builder.add(labels, predicted, score)
        middle = time.process_time()
        SuspectFinder(50).add("photo", labels, predicted, score)
        times.append((middle - start, time.process_time() - middle))
    explain, suspects = np.min(times, 0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(f"explain {explain:.2f} s, suspects {suspects:.2f} s, memory +{grown:.2f} GiB")


if __name__ == "__main__":
    main()

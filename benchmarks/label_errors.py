"""Measure how well `fullconv evaluate --suspects` finds label errors that are put into a data set.

    python benchmarks/label_errors.py models/camvid/fcn4s-lite2.safetensors camvid:CamVid --step 3

In half of the images one region of 150 to 20,000 pixels gets another class: a random one, or that
of its surroundings. What the labels themselves have wrong counts as a false alarm, so the figures
are lower bounds.
"""

import argparse

import numpy as np
from scipy.ndimage import binary_dilation, label

import fullconv as fc
from fullconv.evaluation.suspects import suspects_in
from fullconv.io.palettes import VOID

SMALLEST, LARGEST = 150, 20_000  # pixels of a region that gets another class


def inject(labels, classes, random):
    """Return labels in which one region has another class, and the region; None without one."""
    for value in random.permutation(np.unique(labels[labels != VOID])):
        index, _ = label(labels == value, np.ones((3, 3)))
        sizes = np.bincount(index.ravel())
        fitting = [n for n in range(1, len(sizes)) if SMALLEST <= sizes[n] <= LARGEST]
        if not fitting:
            continue
        region = index == random.choice(fitting)
        ring = labels[binary_dilation(region, iterations=3) & ~region]
        ring = ring[(ring != VOID) & (ring != value)]
        new = int(random.choice([c for c in range(classes) if c != value]))
        if ring.size and random.random() < 0.5:
            new = int(np.bincount(ring).argmax())
        return np.where(region, np.uint8(new), labels), region
    return None


def rank_auc(positive, negative):
    """Return the area under the ROC curve: the share of pairs in the right order."""
    pairs = np.subtract.outer(np.array(positive), np.array(negative))
    return float(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def measure(samples, scores, classes, seed):
    """Return image AUROC, precision at N, and the share of errors found in the first 2 N."""
    random = np.random.default_rng(seed)
    chosen = set(random.permutation(len(samples))[: len(samples) // 2].tolist())
    regions, found, image_scores = {}, [], []
    for index, (sample, score) in enumerate(zip(samples, scores, strict=True)):
        labels = sample.labels
        if index in chosen and (injected := inject(labels, classes, random)):
            labels, regions[index] = injected
        predicted = score.argmax(0).numpy().astype(np.uint8)
        suspects = list(suspects_in(str(index), labels, predicted, score))
        found += suspects
        image_scores.append(max((suspect.score for suspect in suspects), default=0.0))
    found.sort(key=lambda suspect: -suspect.score)

    def hits(suspect):
        region = regions.get(int(suspect.name))
        return region is not None and region[suspect.crop][suspect.mask].mean() > 0.5

    number = len(regions)
    with_error = [image_scores[i] for i in range(len(samples)) if i in regions]
    without = [image_scores[i] for i in range(len(samples)) if i not in regions]
    precision = np.mean([hits(suspect) for suspect in found[:number]])
    early = {suspect.name for suspect in found[: 2 * number] if hits(suspect)}
    return rank_auc(with_error, without), precision, len(early) / number


def main():
    """Print the figures of each seed, and their means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--split", default="val")
    parser.add_argument("--step", type=int, default=1, help="use every so many-th image")
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    model = fc.load(options.model).optimize()
    data = fc.open_data(options.data, options.split)
    samples = [data[index] for index in range(0, len(data), options.step)]
    scores = [model.predict(sample.image, scores=True).score for sample in samples]
    rows = [measure(samples, scores, len(data.classes), seed) for seed in range(options.seeds)]
    for name, values in (*enumerate(rows), ("mean", np.mean(rows, 0))):
        auc, precision, early = values
        print(f"{name!s:>5}  AUROC {auc:.2f}  precision at N {precision:.2f}  in 2 N {early:.2f}")


if __name__ == "__main__":
    main()

"""Labels with smooth outlines and ignored pixels, and predictions that differ from them."""

import numpy as np

from fullconv.io.palettes import VOID


def smooth(random, count, scale, size):
    """Return `count` maps of blurred squares of side `scale`."""
    height, width = size
    maps = random.random((count, height // scale + 2, width // scale + 2))
    maps = maps.repeat(scale, 1).repeat(scale, 2)[:, :height, :width]
    kernel = np.ones(scale) / scale
    for axis in (1, 2):
        maps = np.apply_along_axis(lambda line: np.convolve(line, kernel, "same"), axis, maps)
    return maps


def labels_and_prediction(seed, classes=4):
    """Return labels, and a prediction whose ignored pixels have any class."""
    random = np.random.default_rng(seed)
    size = int(random.integers(60, 110)), int(random.integers(60, 110))
    maps = smooth(random, classes, 16, size)
    target = maps.argmax(0).astype(np.uint8)
    prediction = (maps + 0.25 * smooth(random, classes, 6, size) - 0.1).argmax(0)
    target[smooth(random, 1, 12, size)[0] > 0.8] = VOID
    return target, prediction.astype(np.uint8)

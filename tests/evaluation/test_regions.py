"""Connected regions, against scipy, and thickness, against a loop."""

import numpy as np
from scipy import ndimage

from fullconv.evaluation.regions import connected_regions, thickness


def blobs(seed, size):
    """Return labels with ragged edges: smooth noise quantized to four classes."""
    random = np.random.default_rng(seed)
    coarse = random.random((size[0] // 8 + 1, size[1] // 8 + 1)).repeat(8, 0).repeat(8, 1)
    fine = coarse[: size[0], : size[1]] + 0.15 * random.random(size)
    return np.digitize(fine, [0.3, 0.55, 0.8]).astype(np.uint8)


def test_pixels_connect_along_edges_only():
    labels = np.zeros((40, 60), np.uint8)
    labels[5:15, 5:11] = 1  # 10 high
    labels[15:20, 11:40] = 1  # touches it at a corner only: 29 wide
    labels[30:32, 50:53] = 1  # 6 pixels: too small
    labels[25, 10:30] = labels[26:36, 29] = 2  # an L: 20 wide, 11 high
    found = connected_regions(labels)
    assert sorted(found[1].tolist()) == [[10, 60], [29, 145]]
    assert found[2].tolist() == [[20, 30]]
    assert found[0][:, 0].tolist() == [60]


def test_regions_equal_scipy():
    labels = blobs(5, (90, 130))
    found = connected_regions(labels)
    for label in range(4):
        numbered, _ = ndimage.label(labels == label)
        boxes = ndimage.find_objects(numbered)
        large = [
            [
                max(box[0].stop - box[0].start, box[1].stop - box[1].start),
                (numbered == number).sum(),
            ]
            for number, box in enumerate(boxes, 1)
            if (numbered == number).sum() >= 16
        ]
        assert sorted(found[label].tolist()) == sorted(large)


def test_half_of_a_class_is_thinner_than_its_thickness():
    labels = np.full((60, 80), 255, np.uint8)
    labels[3:7] = 1  # a line of 4 x 80
    labels[10:50, 20:23] = labels[10:50, 40:43] = 2  # posts of 3 x 40
    labels[10:20, 60:70] = 2
    labels[55, 1:9] = 3  # too few pixels
    assert thickness(labels) == {1: 4.0, 2: 3.0}


def test_thickness_equals_a_loop():
    labels = blobs(3, (40, 56))
    found: dict[int, list[int]] = {}
    for row, column in np.ndindex(labels.shape):
        label = int(labels[row, column])
        lengths = []
        for line, at in ((labels[row], column), (labels[:, column], row)):
            other = np.flatnonzero(line != label)
            before, after = other[other < at], other[other > at]
            lengths.append(
                (after[0] if after.size else line.size) - (before[-1] + 1 if before.size else 0)
            )
        found.setdefault(label, []).append(min(lengths))
    assert thickness(labels) == {label: float(np.median(widths)) for label, widths in found.items()}

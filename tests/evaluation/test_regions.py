"""Connected regions, against scipy."""

import numpy as np
from scipy import ndimage

from fullconv.evaluation.regions import connected_regions


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

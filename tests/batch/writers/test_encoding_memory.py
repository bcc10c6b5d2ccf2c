"""The memory of files that depends on the labels is bounded for any labels."""

import tracemalloc

import numpy as np
import pytest

from fullconv.batch.writers import writers
from fullconv.inference.prediction import Prediction

KINDS = ["geojson", "coco", "cvat", "labelme", "labelme-masks"]
SIDE = 48
ROWS, COLUMNS = np.indices((SIDE, SIDE))
DRAW = np.random.default_rng(0)

LABELS = {
    "one region": ROWS * 0,
    "noise of two classes": DRAW.integers(0, 2, (SIDE, SIDE)),
    "noise of many classes": DRAW.integers(0, 20, (SIDE, SIDE)),
    "noise without labels": np.where(DRAW.random((SIDE, SIDE)) < 0.5, 255, 0),
    "checkerboard": (ROWS + COLUMNS) % 2,
    "rows": ROWS % 2,
    "columns": COLUMNS % 2,
    "pixels in one region": (ROWS % 2 == 1) & (COLUMNS % 2 == 1),
    "comb": (ROWS % 2 == 0) | (COLUMNS == 0),
    "stairs of one region": np.where(COLUMNS == 0, 0, (ROWS + COLUMNS) // 2 % 2),
}


def prediction(labels, name):
    classes = tuple(f"{number:02}{name}" for number in range(20))
    image = np.zeros((*labels.shape, 3), np.uint8)
    return Prediction(image, None, classes, ((1, 2, 3),) * 20, labels.astype(np.uint8))


@pytest.mark.parametrize("name", ["a", "雨" * 498])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_encoding_takes_at_most_the_planned_memory(labels, kind, name):
    found, writer = prediction(labels, name), writers[kind]
    writer.encode(prediction(labels[:3, :3], name))  # imports and caches
    tracemalloc.start()
    content = writer.encode(found)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    overhead = 2**16  # of class names and small objects, whatever the size
    assert len(content) <= peak <= writer.encoding_bytes(found) + overhead


@pytest.mark.parametrize("kind", KINDS)
def test_usual_labels_take_what_is_planned_before_they_are_known(kind):
    blocks = np.kron(DRAW.integers(0, 20, (20, 20)), np.ones((32, 32), int))
    found, writer = prediction(blocks, "name"), writers[kind]
    assert writer.encoding_bytes(found) <= writer.pixel_bytes * blocks.size

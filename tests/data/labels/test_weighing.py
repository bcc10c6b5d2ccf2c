"""Labels are counted class by class, void left out, and make the weights of the loss."""

import numpy as np
import pytest
import torch

from fullconv.data.labels.class_weights import MAX_SAMPLES, class_weights, count_labels
from fullconv.data.sample import Data, Sample

CPU = torch.device("cpu")


def drawn(*labels):
    def read(index):
        truth = np.array(labels[index], np.uint8)
        return Sample(np.zeros((*truth.shape, 3), np.uint8), truth, f"n{index}")

    names = tuple(f"n{index}" for index in range(len(labels)))
    return Data("drawn", None, ("a", "b", "c"), ((0, 0, 0),) * 3, names, read)


def test_pixels_and_the_photos_they_are_in():
    counts = count_labels(drawn([[0, 0, 1]], [[0, 255], [1, 1]], [[255]]))
    assert counts.pixels.tolist() == [3, 3, 0]
    assert counts.present.tolist() == [7, 7, 0], "void counts to the size of a photo"


def test_many_samples_are_counted_in_part():
    seen = []
    data = drawn(*[[[0]]] * (3 * MAX_SAMPLES))
    read = data.read
    counted = Data(
        data.source,
        None,
        data.classes,
        data.palette,
        data.names,
        lambda i: seen.append(i) or read(i),
    )
    assert count_labels(counted).pixels.tolist() == [MAX_SAMPLES, 0, 0]
    assert seen == list(range(0, 3 * MAX_SAMPLES, 3))


def test_no_rule_is_no_weights_and_an_absent_class_weighs_nothing():
    data = drawn([[0, 0, 0, 1]])
    assert class_weights(data, "none", CPU) is None
    weights = class_weights(data, "median-freq", CPU)
    # The median of the frequencies 3/4 and 1/4 is 1/2.
    assert weights.tolist() == pytest.approx([2 / 3, 2, 0])

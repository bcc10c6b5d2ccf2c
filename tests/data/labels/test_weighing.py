"""Class weights of the loss from the counted labels; ignored pixels are excluded."""

import numpy as np
import pytest
import torch

from fullconv.data.labels.class_weights import MAX_SAMPLES, class_weights, count_labels
from fullconv.data.sample import Data, Sample

CPU = torch.device("cpu")


def drawn(*labels):
    def read(index):
        target = np.array(labels[index], np.uint8)
        return Sample(np.zeros((*target.shape, 3), np.uint8), target, f"n{index}")

    names = tuple(f"n{index}" for index in range(len(labels)))
    return Data("drawn", None, ("a", "b", "c"), ((0, 0, 0),) * 3, names, read)


def test_pixels_and_images_of_each_class_are_counted():
    counts = count_labels(drawn([[0, 0, 1]], [[0, 255], [1, 1]], [[255]]))
    assert counts.pixels.tolist() == [3, 3, 0]
    assert counts.present.tolist() == [7, 7, 0], "void counts to the size of a photo"


def test_of_many_samples_a_part_is_counted():
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


def test_without_a_rule_there_are_no_weights_and_an_absent_class_has_weight_zero():
    data = drawn([[0, 0, 0, 1]])
    assert class_weights(data, "none", CPU) is None
    weights = class_weights(data, "median-freq", CPU)
    # The median of the frequencies 3/4 and 1/4 is 1/2.
    assert weights.tolist() == pytest.approx([2 / 3, 2, 0])

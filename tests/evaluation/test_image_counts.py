"""mIoU over data set, images and classes, against the authors' code (JDTLosses), whose values are
stored as numbers."""

import numpy as np
import pytest

from fullconv.evaluation.image_counts import (
    ImageCounts,
    class_counts,
    class_f1,
    class_iou,
    class_precision,
    worst_mean,
)
from fullconv.evaluation.metrics import Confusion
from fullconv.io.palettes import VOID


def drawn(seed, images, classes):
    """Return pairs of labels and predictions: squares with noise and ignored pixels."""
    random = np.random.default_rng(seed)
    pairs = []
    for _ in range(images):
        target = random.integers(0, classes, (4, 4)).repeat(3, 0).repeat(3, 1)
        noise = random.random(target.shape) < 0.35
        predicted = np.where(noise, random.integers(0, classes, target.shape), target)
        pairs.append((np.where(random.random(target.shape) < 0.1, VOID, target), predicted))
    return pairs


def counts_of(pairs, classes):
    values = []
    for target, predicted in pairs:
        confusion = Confusion(classes)
        confusion.add(target.astype(np.uint8), predicted.astype(np.uint8))
        values.append(class_counts(confusion))
    return ImageCounts(tuple(map(str, range(len(pairs)))), np.array(values))


def many():
    """23 images: one has ignored pixels only, every second one lacks class 4."""
    pairs = drawn(0, 23, 5)
    pairs[7] = (np.full((12, 12), VOID), pairs[7][1])
    for index in range(0, 23, 2):
        target, predicted = pairs[index]
        pairs[index] = (np.where(target == 4, 0, target), predicted)
    return counts_of(pairs, 5)


def mean_of_worst(metric):
    return np.mean([metric(percent) for percent in range(10, 101, 10)])


def test_means_equal_the_authors_code():
    counts = many()
    found = [counts.mean_iou, counts.mean_iou_images(), counts.mean_iou_classes()]
    assert found == pytest.approx([0.4915829202919878, 0.5262079623648348, 0.529282266233505])
    worst = [counts.mean_iou_images(5), counts.mean_iou_classes(5)]
    assert worst == pytest.approx([0.44339402427637714, 0.30827777777777776], abs=1e-12)
    worst = [counts.mean_iou_images(20), counts.mean_iou_classes(20)]
    assert worst == pytest.approx([0.449492076605560, 0.35788563728119584], abs=1e-12)
    means = [mean_of_worst(counts.mean_iou_images), mean_of_worst(counts.mean_iou_classes)]
    assert means == pytest.approx([0.48293021360273485, 0.4390980890354814], abs=1e-12)


def test_one_image_has_one_value():
    counts = counts_of(drawn(1, 1, 4), 4)
    values = [counts.mean_iou, counts.mean_iou_images(5), counts.mean_iou_classes(5)]
    assert values == pytest.approx([0.57392187644288484] * 3, abs=1e-12)


def test_foreground_alone_equals_the_authors_binary_mode():
    pairs = drawn(2, 15, 2)
    for index in (3, 4):  # without foreground; the prediction has some in one of them
        pairs[index] = (np.zeros((12, 12), int), pairs[index][1] * (index == 3))
    counts = counts_of(pairs, 2)
    values = counts.foreground_iou(1)
    assert (values[3], values[4]) == (0, 1)
    assert class_iou(counts.total)[1] == pytest.approx(0.6477768090671316, abs=1e-12)
    assert values.mean() == pytest.approx(0.664459512810978, abs=1e-12)
    worst = mean_of_worst(lambda percent: worst_mean(values, percent))
    assert worst == pytest.approx(0.5072323034001768, abs=1e-12)


def test_ignored_pixels_change_nothing():
    pairs = drawn(3, 4, 3)
    painted = [(t, np.where(t == VOID, 2 - p, p)) for t, p in pairs]
    assert (counts_of(pairs, 3).values == counts_of(painted, 3).values).all()


def test_the_cost_of_an_image_is_what_mean_iou_gains_without_it():
    counts = many()
    for index in (0, 5, 7):
        others = [i for i in range(23) if i != index]
        expected = counts.take(others).mean_iou - counts.mean_iou
        assert counts.cost[index] == pytest.approx(expected, abs=1e-12)
    assert counts.cost[7] == 0


def test_an_absent_class_is_invented_and_counts_over_the_data_set_only():
    target = np.zeros((4, 4), int)
    predicted = target.copy()
    predicted[0] = 1
    counts = counts_of([(target, predicted), (target + 1, target + 1)], 3)
    assert counts.invented.tolist() == [0, 1, 0]
    assert counts.image_iou.tolist() == [12 / 16, 1]
    assert class_iou(counts.total)[:2].tolist() == [12 / 16, 16 / 20]
    assert np.isnan(class_iou(counts.total)[2])
    assert class_precision(counts.total)[1] == 16 / 20 and class_f1(counts.total)[1] == 32 / 36

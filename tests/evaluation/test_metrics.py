"""The paper's metrics, against scikit-learn and against a pixel-by-pixel count."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, jaccard_score

from fullconv.errors import ConfigError, GeometryError
from fullconv.evaluation.metrics import (
    CHUNK,
    Confusion,
    check_labels,
    format_percent,
    merge_confusions,
)


def label_maps(seed=0, classes=5, size=(37, 41)):
    random = np.random.default_rng(seed)
    target = random.integers(0, classes, size).astype(np.uint8)
    prediction = np.where(random.random(size) < 0.6, target, random.integers(0, classes, size))
    return target, prediction.astype(np.uint8)


def count(target, prediction, classes=5):
    confusion = Confusion(classes)
    confusion.add(target, prediction)
    return confusion


def test_metrics_equal_scikit_learn():
    target, prediction = label_maps()
    target[:9] = 255
    confusion = count(target, prediction)
    t, p = target[target != 255], prediction[target != 255]
    ious = jaccard_score(t, p, average=None)
    assert confusion.pixel_accuracy == pytest.approx(accuracy_score(t, p), abs=1e-12)
    assert confusion.mean_accuracy == pytest.approx(balanced_accuracy_score(t, p), abs=1e-12)
    assert confusion.iou == pytest.approx(ious, abs=1e-12)
    assert confusion.mean_iou == pytest.approx(ious.mean(), abs=1e-12)
    weighted = jaccard_score(t, p, average="weighted")
    assert confusion.frequency_weighted_iou == pytest.approx(weighted, abs=1e-12)


def test_counts_are_exact_integers():
    target, prediction = label_maps(1)
    counts = count(target, prediction).counts
    assert counts.dtype == np.int64 and counts.sum() == target.size
    assert counts[2, 3] == ((target == 2) & (prediction == 3)).sum()


def test_an_absent_class_is_excluded_from_the_means():
    target, prediction = label_maps(2, classes=4)
    five = count(target, prediction, 5)
    four = count(target, prediction, 4)
    assert np.isnan(five.iou[4]) and np.isnan(five.accuracy[4])
    assert five.mean_iou == four.mean_iou and five.mean_accuracy == four.mean_accuracy


def test_predicting_an_absent_class_lowers_only_the_others():
    target = np.zeros((2, 2), np.uint8)
    prediction = np.array([[0, 1], [0, 0]], np.uint8)
    confusion = count(target, prediction, 2)
    assert confusion.iou[0] == 0.75 and np.isnan(confusion.iou[1]) and confusion.mean_iou == 0.75


def test_a_pixel_predicted_as_no_class_is_an_error():
    target = np.zeros((1, 4), np.uint8)
    prediction = np.array([[0, 0, 0, 255]], np.uint8)
    confusion = count(target, prediction, 2)
    assert confusion.pixel_accuracy == 0.75 and confusion.counts[0].tolist() == [3, 0, 1]


def test_ignored_pixels_alone_give_nan():
    confusion = count(np.full((3, 3), 255, np.uint8), np.zeros((3, 3), np.uint8))
    assert all(np.isnan(value) for value in confusion.paper_metrics().values())
    assert format_percent(confusion.mean_iou) == "-"


def test_confusion_matrices_add_up():
    pairs = [label_maps(seed) for seed in range(3)]
    parts = merge_confusions((count(*pair) for pair in pairs), 5)
    whole = count(np.concatenate([t for t, _ in pairs]), np.concatenate([a for _, a in pairs]))
    assert (parts.counts == whole.counts).all()


def test_different_shapes_are_refused():
    with pytest.raises(
        GeometryError, match=r"shape \(3, 2\), the labels \(2, 3\); expected equal shapes"
    ):
        count(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_percent():
    assert format_percent(0.7134) == "71.3 %"


def count_pixel_by_pixel(target, prediction, classes):
    counts = np.zeros((classes, classes + 1), np.int64)
    for true, predicted in zip(target.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if 0 <= true < classes:
            counts[true, predicted if 0 <= predicted < classes else classes] += 1
    return counts


@given(
    st.integers(1, 7),
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int32, np.int64, ">i2"]),
    st.integers(0, 50),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_every_pixel_is_counted_once_for_any_type_and_run_length(classes, kind, size, run, seed):
    random = np.random.default_rng(seed)
    least = 0 if np.dtype(kind).kind == "u" else -2
    drawn = random.integers(least, classes + 3, (2, size)).astype(kind)
    target, prediction = np.repeat(drawn, run, axis=1)
    counts = count(target, prediction, classes).counts
    assert (counts == count_pixel_by_pixel(target, prediction, classes)).all()


@pytest.mark.parametrize("pixels", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 77])
@pytest.mark.parametrize("run", [1, 100])
def test_chunks_cover_every_pixel(pixels, run):
    random = np.random.default_rng(pixels)
    drawn = random.choice([*range(19), 19, 255], (2, pixels // run + 1)).astype(np.uint8)
    target, prediction = np.repeat(drawn, run, axis=1)[:, :pixels]
    expected = np.zeros((256, 256), np.int64)
    np.add.at(expected, (target, prediction), 1)
    counts = count(target, prediction, 19).counts
    assert (counts[:, :19] == expected[:19, :19]).all()
    assert (counts[:, 19] == expected[:19, 19:].sum(1)).all()


@pytest.mark.parametrize("classes", [1, 2, 180, 181, 254, 255])
@pytest.mark.parametrize("run", [1, 9])
def test_all_pairs_of_bytes_are_counted_for_any_number_of_classes(classes, run):
    target, prediction = (np.repeat(axis, run) for axis in np.indices((256, 256), np.uint8))
    counts = count(target, prediction, classes).counts
    assert (counts[:, :classes] == run).all()
    assert (counts[:, classes] == run * (256 - classes)).all()


def test_more_than_256_classes():
    target = np.array([0, 299, 300, 1000, 7], np.uint16)
    prediction = np.array([299, 299, 0, 0, 300], np.uint16)
    counts = count(target, prediction, 300).counts
    assert counts.sum() == 3 and counts[0, 299] == counts[299, 299] == counts[7, 300] == 1


def test_labels_are_not_copied_to_int64():
    target, prediction = label_maps(3, size=(1024, 2048))
    confusion = Confusion(5)
    tracemalloc.start()
    confusion.add(target, prediction)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < target.size


def test_mean_iu_is_an_alias():
    confusion = count(*label_maps(4))
    assert confusion.mean_iu == confusion.mean_iou == confusion.paper_metrics()["mean_iou"]


@pytest.mark.parametrize("wrong", [np.zeros((2, 2)), [[0, 0], [0, 0]], torch.zeros(2, 2).long()])
def test_labels_that_are_no_arrays_of_whole_numbers_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"target is of the type .*; expected an array of whole"):
        check_labels("target", wrong)
    check_labels("target", np.zeros(3, bool))

"""The four numbers, against scikit-learn and against what the paper's authors count."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, jaccard_score

from fullconv.errors import GeometryError
from fullconv.evaluation.metrics import PIECE, Confusion, percent, total


def rasters(seed=0, classes=5, size=(37, 41)):
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, size).astype(np.uint8)
    answer = np.where(random.random(size) < 0.6, truth, random.integers(0, classes, size))
    return truth, answer.astype(np.uint8)


def counted(truth, answer, classes=5):
    confusion = Confusion(classes)
    confusion.add(truth, answer)
    return confusion


def test_the_numbers_are_scikit_learns():
    truth, answer = rasters()
    truth[:9] = 255
    confusion = counted(truth, answer)
    t, p = truth[truth != 255], answer[truth != 255]
    ious = jaccard_score(t, p, average=None)
    assert confusion.pixel_accuracy == pytest.approx(accuracy_score(t, p), abs=1e-12)
    assert confusion.mean_accuracy == pytest.approx(balanced_accuracy_score(t, p), abs=1e-12)
    assert confusion.iu == pytest.approx(ious, abs=1e-12)
    assert confusion.mean_iu == pytest.approx(ious.mean(), abs=1e-12)
    weighted = jaccard_score(t, p, average="weighted")
    assert confusion.frequency_weighted_iu == pytest.approx(weighted, abs=1e-12)


def test_counts_are_exact_whole_numbers():
    truth, answer = rasters(1)
    counts = counted(truth, answer).counts
    assert counts.dtype == np.int64 and counts.sum() == truth.size
    assert counts[2, 3] == ((truth == 2) & (answer == 3)).sum()


def test_an_absent_class_is_left_out_of_the_means():
    truth, answer = rasters(2, classes=4)
    five = counted(truth, answer, 5)
    four = counted(truth, answer, 4)
    assert np.isnan(five.iu[4]) and np.isnan(five.accuracy[4])
    assert five.mean_iu == four.mean_iu and five.mean_accuracy == four.mean_accuracy


def test_a_class_answered_where_it_is_absent_costs_only_the_others():
    truth = np.zeros((2, 2), np.uint8)
    answer = np.array([[0, 1], [0, 0]], np.uint8)
    confusion = counted(truth, answer, 2)
    assert confusion.iu[0] == 0.75 and np.isnan(confusion.iu[1]) and confusion.mean_iu == 0.75


def test_an_answer_without_a_class_is_a_miss_and_not_left_out():
    truth = np.zeros((1, 4), np.uint8)
    answer = np.array([[0, 0, 0, 255]], np.uint8)
    confusion = counted(truth, answer, 2)
    assert confusion.pixel_accuracy == 0.75 and confusion.counts[0].tolist() == [3, 0, 1]


def test_all_void_gives_no_number():
    confusion = counted(np.full((3, 3), 255, np.uint8), np.zeros((3, 3), np.uint8))
    assert all(np.isnan(value) for value in confusion.numbers().values())
    assert percent(confusion.mean_iu) == "-"


def test_the_whole_is_the_sum_of_its_parts():
    pairs = [rasters(seed) for seed in range(3)]
    parts = total((counted(*pair) for pair in pairs), 5)
    whole = counted(np.concatenate([t for t, _ in pairs]), np.concatenate([a for _, a in pairs]))
    assert (parts.counts == whole.counts).all()


def test_other_sizes_are_refused():
    with pytest.raises(GeometryError, match="must have one size"):
        counted(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_percent():
    assert percent(0.7134) == "71.3 %"


def one_by_one(truth, answer, classes):
    counts = np.zeros((classes, classes + 1), np.int64)
    for right, said in zip(truth.ravel().tolist(), answer.ravel().tolist(), strict=True):
        if 0 <= right < classes:
            counts[right, said if 0 <= said < classes else classes] += 1
    return counts


@given(
    st.integers(1, 7),
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int32, np.int64, ">i2"]),
    st.integers(0, 50),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_every_pixel_is_counted_once_whatever_the_type_and_the_runs(classes, kind, size, run, seed):
    random = np.random.default_rng(seed)
    least = 0 if np.dtype(kind).kind == "u" else -2
    drawn = random.integers(least, classes + 3, (2, size)).astype(kind)
    truth, answer = np.repeat(drawn, run, axis=1)
    counts = counted(truth, answer, classes).counts
    assert (counts == one_by_one(truth, answer, classes)).all()


@pytest.mark.parametrize("pixels", [1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 77])
@pytest.mark.parametrize("run", [1, 100])
def test_pieces_leave_no_pixel_out(pixels, run):
    random = np.random.default_rng(pixels)
    drawn = random.choice([*range(19), 19, 255], (2, pixels // run + 1)).astype(np.uint8)
    truth, answer = np.repeat(drawn, run, axis=1)[:, :pixels]
    expected = np.zeros((256, 256), np.int64)
    np.add.at(expected, (truth, answer), 1)
    counts = counted(truth, answer, 19).counts
    assert (counts[:, :19] == expected[:19, :19]).all()
    assert (counts[:, 19] == expected[:19, 19:].sum(1)).all()


@pytest.mark.parametrize("classes", [1, 2, 180, 181, 254, 255])
@pytest.mark.parametrize("run", [1, 9])
def test_any_number_of_classes_keeps_all_pairs_of_bytes_apart(classes, run):
    truth, answer = (np.repeat(axis, run) for axis in np.indices((256, 256), np.uint8))
    counts = counted(truth, answer, classes).counts
    assert (counts[:, :classes] == run).all()
    assert (counts[:, classes] == run * (256 - classes)).all()


def test_more_classes_than_a_byte_holds():
    truth = np.array([0, 299, 300, 1000, 7], np.uint16)
    answer = np.array([299, 299, 0, 0, 300], np.uint16)
    counts = counted(truth, answer, 300).counts
    assert counts.sum() == 3 and counts[0, 299] == counts[299, 299] == counts[7, 300] == 1


def test_labels_are_not_copied_to_whole_numbers_of_eight_bytes():
    truth, answer = rasters(3, size=(1024, 2048))
    confusion = Confusion(5)
    tracemalloc.start()
    confusion.add(truth, answer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < truth.size

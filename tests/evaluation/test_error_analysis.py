"""Kinds of errors, against stored counts of mxbh/beyond-iou; repairs, against recomputed IoU."""

import hashlib

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label

from drawn_labels import labels_and_prediction
from fullconv.evaluation.error_analysis import (
    Regions,
    analyse_errors,
    mean_iou,
    pair_gains,
    repaired,
    repairs_by_kind,
    repairs_by_pair,
)
from fullconv.evaluation.image_table import near_boundary
from fullconv.evaluation.metrics import Confusion
from fullconv.io.palettes import VOID


def pair(seed):
    target, prediction = labels_and_prediction(seed)
    return target, np.where(target == VOID, np.uint8(VOID), prediction)


def errors(seed):
    target, prediction = pair(seed)
    return analyse_errors(target, prediction, 4, near_boundary(target, 3))


def test_kinds_by_class_equal_beyond_iou():
    rows = [errors(seed).by_class for seed in range(50)]
    assert hashlib.sha256(np.array(rows).tobytes()).hexdigest()[:16] == "e5a6cf02e3bb0448"
    assert sum(rows)[0].tolist() == [[6529, 5589, 1526], [6483, 6659, 137]]


def test_kinds_by_class_of_neighbouring_frames_equal_beyond_iou(shared):
    """Each of eight CamVid masks, "predicted" as the next one."""
    folder = shared("camvid")
    names = [line.split()[1] for line in (folder / "tiny_val.txt").read_text().splitlines()]
    masks = [np.array(Image.open(folder / name)) for name in names]
    masks = [np.where(mask == 11, VOID, mask).astype(np.uint8) for mask in masks]
    rows = []
    for target, following in zip(masks, [*masks[1:], masks[0]], strict=True):
        prediction = np.where(following == VOID, np.uint8(3), following)
        prediction[target == VOID] = VOID
        rows.append(analyse_errors(target, prediction, 11, near_boundary(target, 3)).by_class)
    assert hashlib.sha256(np.array(rows).tobytes()).hexdigest()[:16] == "83d807c41799ab4a"
    assert sum(rows)[2].tolist() == [[252, 55, 5910], [355, 157, 6487]]


def test_iou_and_errors_sum_to_one():
    target, prediction = pair(7)
    confusion = Confusion(4)
    confusion.add(target, prediction)
    union = confusion.pixels + confusion.counts[:, :-1].sum(0) - confusion.counts.diagonal()
    shares = errors(7).by_class.sum((1, 2)) / union
    assert confusion.iou + shares == pytest.approx(np.ones(4), abs=1e-12)


def test_every_wrong_pixel_has_one_kind_in_order():
    target, prediction = pair(8)
    found = analyse_errors(target, prediction, 4, near_boundary(target, 3)).kind
    wrong = (target != prediction) & (target != VOID)
    assert ((found >= 0) == wrong).all()
    near = near_boundary(target, 3)
    assert (found[wrong & near] == 0).all() and (found[wrong & ~near] > 0).all()
    right = target == prediction
    for value in range(4):
        for labels, kind in ((target, 1), (prediction, 2)):
            regions, count = label(labels == value, np.ones((3, 3)))
            for index in range(1, count + 1):
                region = regions == index
                if not (region & right & (target != VOID)).any():
                    expected = {0, 1} if kind == 1 else {0, 1, 2}
                    assert set(found[region & wrong]) <= expected
                elif kind == 1:
                    assert 1 not in found[region & wrong]


def test_regions_are_numbered_over_all_classes():
    labels = np.array([[0, 0, 1], [1, 0, 1], [VOID, 1, 0]], np.uint8)
    regions = Regions.of(labels)
    assert regions.count == 2 and regions.index[2, 0] == 0
    assert regions.touched(labels == 1).tolist() == [[0, 0, 1], [1, 0, 1], [0, 1, 0]]


@pytest.fixture
def confusion():
    return Confusion(4, np.random.default_rng(0).integers(0, 99, (4, 5)))


def test_the_gain_of_a_pair_is_that_of_the_repaired_matrix(confusion):
    gains = pair_gains(confusion)
    for one, other in ((0, 1), (2, 3), (3, 0)):
        part = np.zeros_like(confusion.counts)
        part[one, other] = confusion.counts[one, other]
        expected = mean_iou(repaired(confusion.counts, part)) - confusion.mean_iou
        assert gains[one, other] == pytest.approx(expected, abs=1e-12)
    assert (gains.diagonal() == 0).all()


def test_all_repairs_together_make_everything_right(confusion):
    wrong = confusion.counts.copy()
    np.fill_diagonal(wrong, 0)
    kinds = np.stack([wrong // 2, wrong - wrong // 2, 0 * wrong, 0 * wrong])
    found = repairs_by_kind(confusion, kinds)
    assert found[-1].after == 1 and sum(repair.pixels for repair in found) == wrong.sum()
    assert [repair.what for repair in found][1:] == ["missed", "invented", "mixed up"]
    pairs = repairs_by_pair(confusion, tuple("abcd"), 99)
    assert len(pairs) == 12 and [r.gain for r in pairs] == sorted(r.gain for r in pairs)[::-1]
    assert sum(repair.pixels for repair in pairs) == wrong[:, :4].sum()
    assert {"a predicted as b", "d predicted as c"} <= {repair.what for repair in pairs}

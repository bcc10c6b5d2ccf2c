import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from fullconv.advisor import FIELD, MOST_MASKS, STRIDES, advise, chosen, coarse, object_sizes
from fullconv.anatomy import anatomy, on_meta
from fullconv.config import Architecture, Normalisation


def blobs(seed, size=(72, 100), classes=4):
    rng = np.random.default_rng(seed)
    coarse_noise = torch.from_numpy(rng.random((1, classes, 9, 12)))
    return interpolate(coarse_noise, size, mode="bilinear")[0].argmax(0).numpy().astype(np.uint8)


def test_one_class_is_given_back_whole():
    labels = np.full((45, 70), 2, np.uint8)
    assert all((answer == labels).all() for answer in coarse(labels).values())


def test_no_stride_answers_a_class_that_is_not_there():
    labels = blobs(0)
    labels[labels == 1] = 3
    for answer in coarse(labels).values():
        assert set(np.unique(answer)) <= {0, 2, 3}


def test_straight_borders_on_the_grid_survive_stride_4():
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    assert (coarse(labels)[4] == labels).all()


def test_a_line_is_lost_at_a_stride_far_wider_than_it():
    labels = np.zeros((64, 96), np.uint8)
    labels[:, 40:42] = 1
    answers = coarse(labels)
    assert not (answers[32] == 1).any()
    assert (answers[4] == 1).any() == (2 / 4 > 0.5)  # a half is no majority


def test_the_finer_the_stride_the_higher_the_bound():
    advice = advise((blobs(seed) for seed in range(8)), ["a", "b", "c", "d"])
    means = [advice.bounds[stride].mean_iu for stride in STRIDES]
    assert means == sorted(means) and len(set(means)) == len(STRIDES)
    assert advice.masks == 8


def test_the_rule_by_another_way():
    labels = blobs(3, (64, 96))
    expected = {}
    for stride in STRIDES:
        shares = np.stack(
            [
                (labels == label).reshape(64 // stride, stride, 96 // stride, stride).mean((1, 3))
                for label in range(4)
            ]
        )
        rows = np.clip((np.arange(64) + 0.5) / stride - 0.5, 0, 64 // stride - 1)
        columns = np.clip((np.arange(96) + 0.5) / stride - 0.5, 0, 96 // stride - 1)
        expected[stride] = tents(shares, rows, columns).argmax(0)
    for stride, answer in coarse(labels).items():
        assert (answer == expected[stride]).mean() > 0.999  # ties fall either way


def tents(shares, rows, columns):
    def weights(places, number):
        return np.clip(1 - np.abs(places[:, None] - np.arange(number)), 0, None)

    vertical = weights(rows, shares.shape[1])
    horizontal = weights(columns, shares.shape[2])
    return np.einsum("hr,krc,wc->khw", vertical, shares, horizontal)


def test_void_is_neither_answered_nor_counted():
    labels = blobs(1)
    labels[:40] = 255
    advice = advise([labels], ["a", "b", "c", "d"])
    assert advice.bounds[8].counts.sum() == (labels != 255).sum()
    assert not (coarse(labels)[8] == 255).any()
    empty = advise([np.full((8, 8), 255, np.uint8)], ["a"])
    assert np.isnan(empty.bounds[4].mean_iu) and empty.sentences() == []


def test_objects_are_the_regions_that_touch_along_an_edge():
    labels = np.zeros((40, 60), np.uint8)
    labels[5:15, 5:11] = 1  # 10 high
    labels[15:20, 11:40] = 1  # touches it at a corner only: 29 wide
    labels[30:32, 50:53] = 1  # 6 pixels: too small
    labels[25, 10:30] = labels[26:36, 29] = 2  # an L: 20 wide, 11 high
    sizes = object_sizes(labels)
    assert sorted(sizes[1]) == [10, 29]
    assert sizes[2].tolist() == [20]
    assert sizes[0].tolist() == [60]


def test_regions_are_scipys():
    ndimage = pytest.importorskip("scipy.ndimage")
    labels = blobs(5, (90, 130))
    found = object_sizes(labels)
    for label in range(4):
        regions, _ = ndimage.label(labels == label)
        boxes = ndimage.find_objects(regions)
        large = [
            max(box[0].stop - box[0].start, box[1].stop - box[1].start)
            for number, box in enumerate(boxes, 1)
            if (regions == number).sum() >= 16
        ]
        assert sorted(found[label]) == sorted(large)


def test_the_sample_is_fixed_and_bounded():
    names = [f"frame {number}" for number in range(1000)]
    picked = chosen(names, 100)
    assert len(picked) == MOST_MASKS
    assert picked == chosen(names, 100)
    assert len(chosen(names, 5_000_000)) == 4
    backwards = chosen(names[::-1], 100)
    assert {names[i] for i in picked} == {names[::-1][i] for i in backwards}


def test_what_is_lost_is_said_with_its_number():
    labels = np.zeros((96, 96), np.uint8)
    labels[:, 48:50] = 1
    advice = advise([labels], ["road", "pole"])
    assert any("FCN-32s cannot exceed 0.0 % on pole" in line for line in advice.sentences())


def test_the_field_is_that_of_vggs_fc7():
    architecture = Architecture(name="fcn8s-vgg16", classes=2, width=0.02)
    normalisation = Normalisation(mean=(0, 0, 0), std=(1, 1, 1))
    rows = {row.name: row for row in anatomy(on_meta(architecture, normalisation), 500, 500)}
    assert rows["fc7"].field == FIELD

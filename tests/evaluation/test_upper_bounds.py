import numpy as np
import torch
from torch.nn.functional import interpolate

from fullconv.config import Architecture, Normalization
from fullconv.evaluation.upper_bounds import (
    FIELD,
    MOST_MASKS,
    STRIDES,
    chosen,
    coarse,
    upper_bounds,
)
from fullconv.networks.fcn.summary import anatomy, on_meta


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
    advice = upper_bounds((blobs(seed) for seed in range(8)), ["a", "b", "c", "d"])
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
    advice = upper_bounds([labels], ["a", "b", "c", "d"])
    assert advice.bounds[8].counts.sum() == (labels != 255).sum()
    assert not (coarse(labels)[8] == 255).any()
    empty = upper_bounds([np.full((8, 8), 255, np.uint8)], ["a"])
    assert np.isnan(empty.bounds[4].mean_iu) and empty.sentences() == []


def test_fragments_do_not_hide_how_large_objects_are():
    labels = np.zeros((500, 500), np.uint8)
    labels[20:480, 20:480] = 1  # 460 wide
    labels[::10, :4] = labels[1::10, :4] = labels[2::10, :4] = labels[3::10, :4] = 1
    advice = upper_bounds([labels], ["ground", "field"])
    assert advice.size(1, 0.5) == 4
    assert advice.usual_size(1) == 460
    (line,) = [line for line in advice.sentences() if "sees it" in line or "in part" in line]
    assert "field" in line and "404" in line
    small = upper_bounds([labels[::2, ::2]], ["ground", "field"])
    assert not any("in part" in line for line in small.sentences())


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
    advice = upper_bounds([labels], ["road", "pole"])
    assert any("FCN-32s cannot exceed 0.0 % on pole" in line for line in advice.sentences())


def test_few_lost_classes_are_named_and_many_counted():
    def said(number):
        labels = np.zeros((96, 96), np.uint8)
        for label in range(1, number + 1):
            labels[:, 8 * label] = label
        names = ["road", *(f"pole{label}" for label in range(1, number + 1))]
        return next(
            line for line in upper_bounds([labels], names).sentences() if "FCN-32s cannot" in line
        )

    assert said(4).count("pole") == 4 and "more" not in said(4)
    assert said(6).count("pole") == 3 and said(6).endswith("; 3 more stay below 60.0 %")


def test_a_large_background_is_no_reason_for_smaller_photos():
    sky = np.zeros((500, 500), np.uint8)
    assert any("in part" in line for line in upper_bounds([sky], ["sky"]).sentences())
    for name in ("background", "_background_"):
        assert not any("in part" in line for line in upper_bounds([sky], [name]).sentences())


def test_the_field_is_that_of_vggs_fc7():
    architecture = Architecture(name="fcn8s-vgg16", classes=2, width=0.02)
    normalization = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
    rows = {row.name: row for row in anatomy(on_meta(architecture, normalization), 500, 500)}
    assert rows["fc7"].field == FIELD

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from fullconv.config import Architecture, Normalization
from fullconv.evaluation import upper_bounds as upper_bounds_of
from fullconv.evaluation.upper_bounds import (
    FC7_RECEPTIVE_FIELD,
    MAX_MASKS,
    STRIDES,
    coarsened,
    sample_indices,
    upper_bounds,
)
from fullconv.networks.fcn.summary import on_meta, summarize


def blobs(seed, size=(72, 100), classes=4):
    rng = np.random.default_rng(seed)
    coarse_noise = torch.from_numpy(rng.random((1, classes, 9, 12)))
    return interpolate(coarse_noise, size, mode="bilinear")[0].argmax(0).numpy().astype(np.uint8)


def test_a_single_class_is_unchanged():
    labels = np.full((45, 70), 2, np.uint8)
    assert all((prediction == labels).all() for prediction in coarsened(labels).values())


def test_no_stride_predicts_an_absent_class():
    labels = blobs(0)
    labels[labels == 1] = 3
    for prediction in coarsened(labels).values():
        assert set(np.unique(prediction)) <= {0, 2, 3}


def test_straight_borders_on_the_grid_survive_stride_4():
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    assert (coarsened(labels)[4] == labels).all()


def test_a_line_is_lost_at_a_stride_much_larger_than_its_width():
    labels = np.zeros((64, 96), np.uint8)
    labels[:, 40:42] = 1
    predictions = coarsened(labels)
    assert not (predictions[32] == 1).any()
    assert (predictions[4] == 1).any() == (2 / 4 > 0.5)  # half is not a majority


def test_finer_strides_have_higher_bounds():
    bounds = upper_bounds((blobs(seed) for seed in range(8)), ["a", "b", "c", "d"])
    means = [bounds.bounds[stride].mean_iou for stride in STRIDES]
    assert means == sorted(means) and len(set(means)) == len(STRIDES)
    assert bounds.masks == 8


@pytest.mark.parametrize("height", [31, 96, 131])
def test_a_large_mask_is_coarsened_in_parts_with_the_same_result(height, monkeypatch):
    labels = blobs(4, (height, 50))
    labels[:40, :9] = 255
    whole = coarsened(labels)
    sizes = []
    compute = upper_bounds_of._coarsened
    monkeypatch.setattr(upper_bounds_of, "MOST_SHARES", 1)
    monkeypatch.setattr(
        upper_bounds_of, "_coarsened", lambda *given: sizes.append(len(given[0])) or compute(*given)
    )
    parts = coarsened(labels)
    assert max(sizes) <= 96 and len(sizes) == -(-height // 32)
    for stride in STRIDES:
        assert parts[stride].dtype == whole[stride].dtype
        assert (parts[stride] == whole[stride]).all()


def test_coarsened_equals_a_numpy_reference():
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
    for stride, prediction in coarsened(labels).items():
        assert (prediction == expected[stride]).mean() > 0.999  # ties fall either way


def tents(shares, rows, columns):
    def weights(positions, number):
        return np.clip(1 - np.abs(positions[:, None] - np.arange(number)), 0, None)

    vertical = weights(rows, shares.shape[1])
    horizontal = weights(columns, shares.shape[2])
    return np.einsum("hr,krc,wc->khw", vertical, shares, horizontal)


def test_ignored_pixels_are_neither_predicted_nor_counted():
    labels = blobs(1)
    labels[:40] = 255
    bounds = upper_bounds([labels], ["a", "b", "c", "d"])
    assert bounds.bounds[8].counts.sum() == (labels != 255).sum()
    assert not (coarsened(labels)[8] == 255).any()
    empty = upper_bounds([np.full((8, 8), 255, np.uint8)], ["a"])
    assert np.isnan(empty.bounds[4].mean_iou) and empty.sentences() == []


def test_the_area_median_size_is_robust_to_fragments():
    labels = np.zeros((500, 500), np.uint8)
    labels[20:480, 20:480] = 1  # 460 wide
    labels[::10, :4] = labels[1::10, :4] = labels[2::10, :4] = labels[3::10, :4] = 1
    bounds = upper_bounds([labels], ["ground", "field"])
    assert bounds.size(1, 0.5) == 4
    assert bounds.area_median_size(1) == 460


def test_the_sample_is_fixed_and_bounded():
    names = [f"frame {number}" for number in range(1000)]
    picked = sample_indices(names, 100)
    assert len(picked) == MAX_MASKS
    assert picked == sample_indices(names, 100)
    assert len(sample_indices(names, 5_000_000)) == 4
    backwards = sample_indices(names[::-1], 100)
    assert {names[i] for i in picked} == {names[::-1][i] for i in backwards}


def test_a_class_that_is_too_small_is_named_with_its_bound():
    labels = np.zeros((96, 96), np.uint8)
    labels[:, 48:50] = 1
    bounds = upper_bounds([labels], ["road", "pole"])
    assert any(
        "FCN-32s cannot exceed an IoU of 0.0 % on pole" in line for line in bounds.sentences()
    )


def test_few_low_classes_are_named_and_many_counted():
    def sentence(number):
        labels = np.zeros((96, 96), np.uint8)
        for label in range(1, number + 1):
            labels[:, 8 * label] = label
        names = ["road", *(f"pole{label}" for label in range(1, number + 1))]
        return next(
            line for line in upper_bounds([labels], names).sentences() if "FCN-32s cannot" in line
        )

    assert sentence(4).count("pole") == 4 and "more" not in sentence(4)
    assert sentence(6).count("pole") == 3
    assert sentence(6).endswith("; 3 more classes stay below 60.0 %")


def test_the_receptive_field_is_that_of_fc7_of_vgg():
    architecture = Architecture(name="fcn8s-vgg16", classes=2, width=0.02)
    normalization = Normalization(mean=(0, 0, 0), std=(1, 1, 1))
    rows = {row.name: row for row in summarize(on_meta(architecture, normalization), 500, 500)}
    assert rows["fc7"].field == FC7_RECEPTIVE_FIELD

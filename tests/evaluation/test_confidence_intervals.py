"""Confidence intervals hold the true value as often as they promise; they equal scipy's."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from fullconv.evaluation.confidence_intervals import (
    MOST_WEIGHTS,
    RESAMPLES,
    Units,
    block_length,
    choose_units,
    expanded_tail,
    percentile_interval,
    resample,
    resample_weights,
    resampled_sums,
)
from fullconv.evaluation.image_counts import ImageCounts, class_iou, mean_known


def counts_of(iou, pixels=1000):
    """Return images of one class with these IoUs."""
    correct = np.rint(np.asarray(iou) * pixels).astype(np.int64)
    values = np.stack([correct, np.zeros_like(correct), pixels - correct], 1)[:, None]
    return ImageCounts(tuple(map(str, range(len(correct)))), values)


def independent(names):
    return Units("images", np.arange(len(names)))


def coverage(draw, truth, units):
    """Return the share of 500 simulated data sets whose interval holds the true value."""
    weights = np.concatenate([*resample_weights(len(units))])[:1000]
    held = 0
    for seed in range(500):
        sums = units.sums(draw(np.random.default_rng(seed)))
        sizes = units.sums(np.ones(len(units.index)))
        means = (weights @ sums) / (weights @ sizes)
        low, high = percentile_interval(means, len(units))
        held += low <= truth <= high
    return held / 500


def test_intervals_of_independent_images_hold_the_truth():
    units = independent(range(40))
    assert 0.92 <= coverage(lambda random: random.beta(8, 3, 40), 8 / 11, units) <= 0.97


def test_intervals_of_blocks_hold_the_truth_of_a_video():
    names = [f"clip_{index:04d}" for index in range(101)]
    units = choose_units(names)

    def series(random):
        noise = random.normal(size=200)
        for index in range(1, 200):
            noise[index] += 0.5 * noise[index - 1]
        return noise[-101:]

    assert 0.90 <= coverage(series, 0, units) <= 0.97
    assert coverage(series, 0, independent(names)) < 0.85  # why frames are not resampled


def test_the_interval_is_that_of_scipy_at_the_expanded_level():
    iou = np.random.default_rng(0).beta(8, 3, 40)
    found = resample(counts_of(iou), independent(iou)).interval
    level = 1 - 2 * expanded_tail(40)
    expected = bootstrap(
        (np.rint(iou * 1000) / 1000,),
        np.mean,
        n_resamples=20_000,
        method="percentile",
        confidence_level=level,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found == pytest.approx(expected, abs=0.004)
    assert level == pytest.approx(0.9594, abs=2e-4)


def test_iou_is_computed_from_the_summed_counts_of_each_resample():
    values = np.random.default_rng(1).integers(0, 50, (12, 3, 3))
    images = ImageCounts(tuple("abcdefghijkl"), values)
    found = resample(images, independent(images.names))
    (weights,) = resample_weights(12)
    for index in (0, 1, 1999):
        expected = class_iou(np.repeat(values, weights[index], 0).sum(0))
        assert found.iou[index] == pytest.approx(expected)
        assert found.mean_iou[index] == pytest.approx(mean_known(expected))
    (again,) = resample_weights(12)
    assert (weights == again).all() and (weights.sum(1) == 12).all()


def test_under_eight_units_there_is_no_interval():
    found = resample(counts_of([0.5] * 7), independent(range(7)))
    assert found.interval is None and found.class_intervals == [None]
    assert str(found.units) == "7 images"
    assert resample(counts_of([0.5] * 8), independent(range(8))).interval == (0.5, 0.5)


@pytest.mark.parametrize(
    ("names", "groups", "kind", "number"),
    [
        ([f"{word}" for word in "abcdefghi"], None, "images", 9),
        ([f"{clip}_{i}" for clip in "abcdefgh" for i in range(3)], None, "clips", 8),
        ([f"walk_{i}" for i in range(101)], None, "blocks", 14),
        ([f"walk_{i}" for i in range(16)], [*"aabbccddeeffgghh"], "groups", 8),
        ([f"walk_{i}" for i in range(32)], ["a"] * 16 + ["b"] * 16, "blocks", 6),
    ],
)
def test_the_unit_follows_from_the_names(names, groups, kind, number):
    units = choose_units(names, groups)
    assert (units.kind, len(units)) == (kind, number)


def test_blocks_are_consecutive_frames_of_one_clip():
    random = np.random.default_rng(0)
    names = [f"{clip}_{number}" for clip in "ab" for number in range(60)]
    random.shuffle(names)
    units = choose_units(names)
    for block in range(len(units)):
        inside = sorted(
            (names[i][0], int(names[i][2:])) for i in np.flatnonzero(units.index == block)
        )
        numbers = [number for _, number in inside]
        assert len({clip for clip, _ in inside}) == 1
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert abs(len(numbers) - block_length(120)) <= 1


def test_weights_are_drawn_in_parts_of_bounded_size(monkeypatch):
    sums = np.random.default_rng(0).integers(0, 1000, (9, 4))
    whole = resampled_sums(sums)
    assert whole.shape == (RESAMPLES, 4)
    assert next(resample_weights(30_000)).nbytes <= 8 * MOST_WEIGHTS
    monkeypatch.setattr("fullconv.evaluation.confidence_intervals.MOST_WEIGHTS", 9 * 77)
    assert len([*resample_weights(9)]) == 26
    assert (resampled_sums(sums) == whole).all()

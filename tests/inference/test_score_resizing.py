"""Resized scores are those of PyTorch's bilinear interpolation."""

import numpy as np
import pytest
import torch

from fullconv.inference.score_resizing import resize_scores

SIZES = [
    ((1, 1), (5, 7)),
    ((3, 4), (9, 4)),
    ((3, 4), (3, 11)),
    ((7, 5), (64, 33)),
    ((40, 31), (9, 8)),
]


@pytest.mark.parametrize(("before", "after"), SIZES)
def test_scores_are_those_of_pytorchs_interpolation(before, after):
    score = np.random.default_rng(0).normal(size=(3, *before)).astype(np.float32)
    kept = score.copy()
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(score)[None], after, mode="bilinear", align_corners=False
    )
    found = resize_scores(score, after)
    np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-6)
    assert found.dtype == np.float32 and np.array_equal(score, kept)


def test_scores_of_the_size_wanted_and_constant_ones_stay_exactly_so():
    score = np.full((2, 3, 5), 0.1, np.float32)
    assert resize_scores(score, (3, 5)) is score
    assert np.array_equal(resize_scores(score, (17, 8)), np.full((2, 17, 8), 0.1, np.float32))

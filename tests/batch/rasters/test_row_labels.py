"""Regions cover all data, and little else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullconv.batch.rasters.row_labels import MIN_GAP, regions
from fullconv.inference.streaming.ops import Region


@given(st.integers(1, 90), st.integers(1, 200), st.integers(0, 99), st.sampled_from([1, 7, 16]))
def test_all_data_is_in_one_region_each(height, width, seed, block):
    draw = np.random.default_rng(seed)
    seen = draw.random((height, width)) < draw.choice([0, 0.001, 0.02])
    found = np.zeros_like(seen, int)
    for rows, columns in regions(seen, block):
        part = found[rows[0] : rows[1], columns[0] : columns[1]]
        assert part.size  # none is empty
        part += 1
        assert seen[rows[0] : rows[1], columns[0] : columns[1]].any()
    assert (found[seen] == 1).all() and found.max(initial=0) <= 1


def test_distant_pixels_are_in_two_regions():
    seen = np.zeros((40, 200), bool)
    seen[12, 3] = seen[30, 199] = True
    assert regions(seen, 10) == [Region((10, 40), (0, 10)), Region((10, 40), (190, 200))]


@pytest.mark.parametrize("gap", [1, MIN_GAP - 1])
def test_close_pixels_are_in_one_region(gap):
    seen = np.zeros((10, 100), bool)
    seen[0, 0] = seen[0, 10 * (gap + 1)] = True
    assert regions(seen, 10) == [Region((0, 10), (0, 10 * (gap + 2)))]

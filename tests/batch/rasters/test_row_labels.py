"""Regions cover all data, and little else."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fullconv.batch.rasters.row_labels import MIN_GAP, RowLabeller, regions
from fullconv.inference.planner import Plan
from fullconv.inference.streaming.graph import Region


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


@pytest.mark.parametrize("kind", ["whole", "strips"])
def test_the_image_gets_the_precision_of_the_weights(kind):
    network = nn.Conv2d(3, 4, 1).double()
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    plan = Plan(kind, True, (8, 6), 4, 6)
    labels = np.zeros((8, 6), np.uint8)
    labeller = RowLabeller(network, lambda window: image[window.slices], plan, 4)
    assert sum(progress.pixels for progress in labeller.fill(labels, 0)) == 8 * 6
    with torch.no_grad():
        expected = network(torch.from_numpy(image).permute(2, 0, 1)[None].double())
    assert np.array_equal(labels, expected[0].argmax(0))

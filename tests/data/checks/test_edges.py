"""Interpolated masks against exact ones with thin outlines."""

import numpy as np
import pytest
from PIL import Image

from fullconv.data.checks._edges import MAX_FRINGE, fringe, outlined_fringe
from fullconv.data.checks._scan import MaskFacts


def discs(seed, *widths, size=(160, 200)):
    """Draw ellipses of nested classes 1, 2, ...; all but the innermost are `widths` thin."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    labels = np.zeros(size, np.uint8)
    for _ in range(8):
        row, column = rng.uniform(20, 140), rng.uniform(20, 180)
        height, width = rng.uniform(10, 22, 2)
        for label, inset in enumerate(np.cumsum((0, *widths)), 1):
            u, v = (x - column) / (width - inset), (y - row) / (height - inset)
            labels[u**2 + v**2 < 1] = label
    return labels


@pytest.mark.parametrize("widths", [(1,), (1.5,), (2,), (3,), (1, 4), (3, 1), (2, 1), (2, 2, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_thin_outlines_of_nested_classes_are_exact(widths, seed):
    labels = discs(seed, *widths)
    assert outlined_fringe(labels) < MAX_FRINGE / 2
    assert outlined_fringe(labels) <= fringe(labels)


def blobs(seed, *values):
    noise = np.random.default_rng(seed).integers(0, len(values), (10, 12))
    return np.array(values, np.uint8)[noise].repeat(14, 0).repeat(14, 1)


@pytest.mark.parametrize("values", [(0, 3), (0, 1, 2, 3, 4, 5), (0, 30), (0, 100, 200)])
@pytest.mark.parametrize("factor", [1.7, 2, 3])
def test_interpolation_between_classes_is_still_found(values, factor):
    exact = blobs(1, *values)
    size = (round(exact.shape[1] * factor), round(exact.shape[0] * factor))
    soft = np.asarray(Image.fromarray(exact).resize(size, Image.Resampling.BILINEAR))
    assert outlined_fringe(exact) == fringe(exact) == 0
    assert outlined_fringe(soft) > MAX_FRINGE


def test_outlines_count_only_where_all_values_are_classes():
    facts = MaskFacts.__new__(MaskFacts)
    for name, value in {"fringe": 0.9, "outlined": 0.0, "counts": {0: 1}}.items():
        object.__setattr__(facts, name, value)
    assert facts.is_interpolated(known=False) and not facts.is_interpolated(known=True)


def test_small_masks_have_no_edges():
    for shape in ((1, 1), (3, 4), (40, 4), (2, 300)):
        assert outlined_fringe(np.zeros(shape, np.uint8)) == 0

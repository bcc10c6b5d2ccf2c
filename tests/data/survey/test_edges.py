"""Interpolated masks against exact ones with thin outlines."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from fullconv.data.checks import examine
from fullconv.data.survey.edges import (
    MAX_FRINGE,
    count_steps,
    fringe,
    is_inner,
    outlined_fringe,
    thin_values,
)
from mask_folders import folder_of


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


def outlined(labels, *others):
    """Return the outlined fringe of a mask whose data set holds `others`, too."""
    pixels, inner = Counter(), Counter()
    for mask in (labels, *others):
        pixels.update(mask.ravel().tolist())
        inner.update(mask[1:-1, 1:-1][is_inner(mask)].tolist())
    return outlined_fringe(count_steps(labels), thin_values(pixels, inner))


WIDTHS = [(1,), (1.5,), (2,), (1, 4), (2, 1), (1, 1), (1, 1, 1), (2, 2, 2)]


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("seed", range(2))
def test_thin_outlines_of_nested_classes_are_exact(widths, seed):
    labels = discs(seed, *widths)
    assert outlined(labels) < MAX_FRINGE / 2
    assert outlined(labels) <= fringe(labels)


@pytest.mark.parametrize("seed", range(3))
def test_inner_pixels_are_those_of_a_literal_reference(seed):
    labels = np.random.default_rng(seed).integers(0, 2, (9, 11)).repeat(3, 0).repeat(3, 1)
    expected = [
        [len({*labels[y - 1 : y + 2, x - 1 : x + 2].ravel()}) == 1 for x in range(1, 32)]
        for y in range(1, 26)
    ]
    assert (is_inner(labels) == expected).all()


def blobs(seed, *values):
    noise = np.random.default_rng(seed).integers(0, len(values), (10, 12))
    return np.array(values, np.uint8)[noise].repeat(14, 0).repeat(14, 1)


@pytest.mark.parametrize("values", [(0, 3), (0, 1, 2, 3, 4, 5), (0, 30), (0, 100, 200)])
@pytest.mark.parametrize("factor", [1.7, 2, 3])
def test_interpolation_between_classes_is_still_found(values, factor):
    exact = blobs(1, *values)
    size = (round(exact.shape[1] * factor), round(exact.shape[0] * factor))
    soft = np.asarray(Image.fromarray(exact).resize(size, Image.Resampling.BILINEAR))
    assert outlined(exact) == fringe(exact) == 0
    assert outlined_fringe(count_steps(soft), frozenset()) == fringe(soft)
    solid = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(40, 0).repeat(40, 1)
    assert outlined(soft, solid, solid) > MAX_FRINGE


def test_nested_classes_are_no_finding_and_other_values_are(tmp_path):
    folder = folder_of(tmp_path / "set", [discs(seed, 1, 1) for seed in range(3)])
    (folder / "classes.txt").write_text("background\nwall\nrim\ncell\n")
    found = examine(str(folder), workers=1)
    assert found.findings == () and all(item.is_valid for item in found.survey.items)
    (folder / "classes.txt").write_text("0 background\n1 wall\n3 cell\n")
    errors = [f for f in examine(str(folder), workers=1).findings if f.severity == "error"]
    assert len(errors) == 3


def test_small_masks_have_no_edges():
    for shape in ((1, 1), (3, 4), (40, 4), (2, 300)):
        assert outlined(np.zeros(shape, np.uint8)) == 0

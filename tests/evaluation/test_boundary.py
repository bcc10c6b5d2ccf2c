"""Boundary IoU, BF score and trimaps, against stored results of other software.

Bands: bowenc0221/boundary-iou-api (OpenCV). Edge matching: davis2017-evaluation's f_measure.
"""

import hashlib
import math

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from drawn_labels import labels_and_prediction
from fullconv.evaluation.boundary import (
    RADII,
    TrimapCounts,
    band_width,
    boundary_band,
    boundary_counts,
    boundary_f1,
    edge_distance,
    match_f1,
    within,
)
from fullconv.evaluation.image_table import class_edges
from fullconv.evaluation.metrics import Confusion
from fullconv.io.palettes import VOID


def masks():
    """Yield 500 masks with widths: noise, full, empty, rectangles that touch the frame, pixels."""
    random = np.random.default_rng(0)
    for index in range(500):
        height, width = int(random.integers(1, 60)), int(random.integers(1, 60))
        mask = np.zeros((height, width), bool)
        kind = index % 6
        if kind in (0, 1):
            mask = random.random((height, width)) < (0.5, 0.97)[kind]
        elif kind == 2:
            mask[:] = True
        elif kind == 4:
            top, bottom = sorted(random.integers(0, height + 1, 2))
            left, right = sorted(random.integers(0, width + 1, 2))
            mask[top:bottom, left:right] = True
        elif kind == 5:
            mask[random.integers(height), random.integers(width)] = True
        yield mask, 1 + index % 40


def test_bands_equal_those_of_opencvs_erosion():
    digest, pixels = hashlib.sha256(), 0
    for mask, width in masks():
        band = boundary_band(mask, width)
        pixels += int(band.sum())
        digest.update(np.packbits(band).tobytes())
    assert (pixels, digest.hexdigest()[:16]) == (161_515, "7ec28cdcc85d2659")


def test_the_width_is_two_percent_of_the_diagonal():
    assert band_width((360, 480)) == 12 and band_width((10, 10)) == 1


def test_an_edge_to_ignored_pixels_is_no_boundary():
    mask = np.zeros((20, 30), bool)
    mask[:, :10] = True
    ignored = np.zeros_like(mask)
    ignored[:, 10:] = True
    band = boundary_band(mask, 3, ignored)
    assert not band[3:-3, 3:].any() and band[:, :3].all()


def test_counts_of_all_classes_equal_bands_of_whole_masks():
    target, prediction = labels_and_prediction(1)
    prediction[target == VOID] = VOID
    counts = boundary_counts(target, prediction, 5, 4)
    for label in range(4):
        one, other = (
            boundary_band(labels == label, 4, target == VOID) for labels in (target, prediction)
        )
        assert counts[label].tolist() == [(one & other).sum(), (one | other).sum()]
    assert counts[4].tolist() == [0, 0]


def davis_edges(mask):
    """Edges as DAVIS draws them, half a pixel towards the origin."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    edges = mask ^ padded[:-1, 1:] | mask ^ padded[1:, :-1]
    diagonal = mask ^ padded[1:, 1:]
    diagonal[-1], diagonal[:, -1] = False, False
    return np.argwhere(edges | diagonal)


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, 0.8417224335374164),
        (1, 0.7896635153904745),
        (2, 0.8959712150479751),
        (3, 0.8367577002800103),
    ],
)
def test_matched_edges_equal_davis_f_measure(seed, expected):
    target, prediction = labels_and_prediction(seed)
    one, other = davis_edges(target == 1), davis_edges(prediction == 1)
    assert match_f1(one, other, 3) == pytest.approx(expected, abs=1e-9)


def test_within_includes_the_radius_itself():
    origin = np.array([[0, 0]])
    points = np.array([[3, 4], [0, 5], [3, 5], [4, 4]])
    assert within(points, origin, 5).tolist() == [True, True, False, False]
    assert within(points, origin, math.sqrt(32)).tolist() == [True, True, False, True]
    assert within(points, origin[:0], 5).tolist() == [False] * 4


def test_the_bf_score_of_equal_labels_is_1_and_needs_edges():
    target, prediction = labels_and_prediction(2)
    assert boundary_f1(target, target, 4) == 1
    flat = np.zeros((9, 9), np.uint8)
    assert math.isnan(boundary_f1(flat, flat, 4))
    assert boundary_f1(target, np.where(target == VOID, VOID, 0).astype(np.uint8), 4) == 0
    prediction[target == VOID] = VOID
    assert 0 < boundary_f1(target, prediction, 4) < 1


def test_distances_in_strips_equal_those_of_the_whole(monkeypatch):
    monkeypatch.setattr("fullconv.evaluation.boundary.STRIP", 1)
    target = np.repeat(labels_and_prediction(3)[0], 3, 0)
    whole = distance_transform_edt(~class_edges(target))
    assert (edge_distance(target, 6) == np.where(whole <= 6, whole, np.inf)).all()
    assert np.isinf(edge_distance(np.zeros((4, 5), np.uint8), 6)).all()


def test_trimaps_count_the_pixels_nearer_than_each_radius():
    target, prediction = labels_and_prediction(4)
    distance = distance_transform_edt(~class_edges(target))
    counts = TrimapCounts.of(4)
    counts.add(target, prediction, edge_distance(target, max(RADII)))
    for matrix, radius in zip(counts.within(), (*RADII, np.inf), strict=True):
        expected = Confusion(4)
        near = distance < radius
        expected.add(target[near], prediction[near])
        assert (matrix == expected.counts).all()

"""Boundary IoU, BF score and trimaps, against stored results of other software.

Bands: bowenc0221/boundary-iou-api (OpenCV). Edge matching: davis2017-evaluation's f_measure,
DeepMind's surface-distance.
"""

import hashlib
import math

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from drawn_labels import labels_and_prediction
from fullconv.evaluation.boundary import (
    RADII,
    EdgeMatch,
    TrimapCounts,
    band_width,
    boundary_band,
    boundary_counts,
    boundary_matches,
    edge_distance,
    match_edges,
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
    assert match_edges(one, other, 3).f1 == pytest.approx(expected, abs=1e-9)


def contour(mask):
    """Corners of pixels at which DeepMind's surface-distance puts contours, and their lengths."""
    padded = np.pad(mask, 1).astype(int)
    corners = padded[:-1, :-1] + padded[:-1, 1:] + padded[1:, :-1] + padded[1:, 1:]
    opposite = padded[:-1, :-1] + padded[1:, 1:]
    diagonal = np.isin(opposite, (0, 2)) & (corners == 2)
    lengths = np.select([diagonal, corners == 2], [math.sqrt(2), 1], math.sqrt(0.5))
    at = np.argwhere((corners > 0) & (corners < 4))
    return at, lengths[tuple(at.T)]


@pytest.mark.parametrize(
    ("seed", "tolerance", "expected"),
    [
        (0, 1, 0.655881566383575),
        (0, 3, 0.8769217005998491),
        (1, 1, 0.5785488279674555),
        (1, 3, 0.806925729824645),
        (2, 1, 0.7288022733797669),
        (2, 3, 0.9191649564368299),
        (3, 1, 0.6743782131824075),
        (3, 3, 0.8921888873031871),
    ],
)
def test_the_surface_dice_equals_that_of_deepminds_package(seed, tolerance, expected):
    target, prediction = labels_and_prediction(seed)
    (one, first), (other, second) = contour(target == 1), contour(prediction == 1)
    found = match_edges(one, other, tolerance, (first, second))
    assert found.surface_dice == pytest.approx(expected, abs=1e-9)


def test_edges_without_a_partner_class_have_no_overlap():
    match = match_edges(np.array([[1, 1], [1, 2]]), np.zeros((0, 2), np.int64), 3)
    assert match.f1 == 0 and match.surface_dice == 0
    assert math.isnan(EdgeMatch((0, 0), (0, 0)).surface_dice)


def test_within_includes_the_radius_itself():
    origin = np.array([[0, 0]])
    points = np.array([[3, 4], [0, 5], [3, 5], [4, 4]])
    assert within(points, origin, 5).tolist() == [True, True, False, False]
    assert within(points, origin, math.sqrt(32)).tolist() == [True, True, False, True]
    assert within(points, origin[:0], 5).tolist() == [False] * 4


@pytest.mark.parametrize("radius", [0, 1, math.sqrt(2), 2.5, 4.5, 6.48, 37.5])
def test_cells_decide_as_all_distances_do(radius):
    random = np.random.default_rng(int(10 * radius))
    for count in (1, 5, 60):
        points, others = (random.integers(0, 90, (n, 2)) for n in (300, count))
        distance = np.sqrt(((points[:, None] - others[None]) ** 2).sum(2)).min(1)
        assert (within(points, others, radius) == (distance <= radius)).all()


def test_the_edges_of_equal_labels_match_and_flat_labels_have_none():
    target, prediction = labels_and_prediction(2)
    equal = boundary_matches(target, target, 4)
    assert [(match.f1, match.surface_dice) for match in equal] == [(1, 1)] * 4
    flat = np.zeros((9, 9), np.uint8)
    assert boundary_matches(flat, flat, 4) == []
    missing = boundary_matches(target, np.where(target == VOID, VOID, 0).astype(np.uint8), 4)
    assert {match.f1 for match in missing} == {0}
    prediction[target == VOID] = VOID
    assert all(0 < match.f1 < 1 for match in boundary_matches(target, prediction, 4))


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

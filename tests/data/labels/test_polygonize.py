"""Polygons are exact: GDAL rasterizes them to the same labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fullconv.data.labels.polygonize import count_edges, polygonize

features = pytest.importorskip("rasterio.features", reason="rasterio rasterizes the polygons")

SMALL = arrays(
    np.uint8,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([0, 1, 2, 255]),
    fill=st.nothing(),
)


def drawn(polygon, size):
    """Return the pixels of a polygon, rasterized by GDAL."""
    rings = [[(int(c), int(r)) for r, c in ring] for ring in polygon.rings]
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]] for ring in rings]}
    return features.rasterize([geometry], size).astype(bool)


def signed_area(ring):
    """Return twice the signed area of a ring: positive if clockwise on the screen."""
    y, x = ring.T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


@settings(max_examples=150, deadline=None)
@given(SMALL)
def test_rasterized_polygons_equal_the_labels(labels):
    again = np.full_like(labels, 255)
    for polygon in polygonize(labels):
        mask = drawn(polygon, labels.shape)
        assert mask.sum() == polygon.pixels
        assert (again[mask] == 255).all(), "no pixel is in two polygons"
        again[mask] = polygon.label
    assert (again == labels).all()


@settings(max_examples=150, deadline=None)
@given(SMALL)
def test_rings_are_simple_and_oriented(labels):
    for polygon in polygonize(labels):
        outline, *holes = polygon.rings
        assert signed_area(outline) > 0 and all(signed_area(hole) < 0 for hole in holes)
        for ring in polygon.rings:
            assert len({tuple(corner) for corner in ring.tolist()}) == len(ring)
            sides = np.roll(ring, -1, 0) - ring
            assert ((sides == 0).sum(1) == 1).all(), "every side is vertical or horizontal"
            bends = (sides * np.roll(sides, 1, 0)).sum(1)
            assert (bends == 0).all(), "every corner is a bend"


@settings(max_examples=100, deadline=None)
@given(SMALL)
def test_gdal_finds_the_same_regions(labels):
    found = features.shapes(labels, mask=labels != 255, connectivity=4)
    expected = sorted((int(value), len(shape["coordinates"]) - 1) for shape, value in found)
    own = list(polygonize(labels))
    assert len(own) == len(expected)
    assert sorted(one.label for one in own) == [label for label, _ in expected]


def test_nested_regions():
    labels = np.zeros((7, 7), np.uint8)
    labels[1:6, 1:6] = 1
    labels[3, 3] = 0
    sea, island, pond = polygonize(labels)
    assert [one.label for one in (sea, island, pond)] == [0, 1, 0]
    assert [len(one.rings) for one in (sea, island, pond)] == [2, 2, 1]
    assert [one.pixels for one in (sea, island, pond)] == [24, 24, 1]
    assert pond.rings[0].tolist() == [[3, 3], [3, 4], [4, 4], [4, 3]]


def test_corners_that_touch_do_not_join_regions():
    own = list(polygonize(np.array([[1, 0], [0, 1]], np.uint8)))
    assert [one.label for one in own] == [1, 0, 0, 1] and all(one.pixels == 1 for one in own)


def test_a_hole_that_touches_the_outline_stays_a_hole():
    labels = np.ones((3, 3), np.uint8)
    labels[0, 0] = labels[1, 1] = 0
    ring = next(one for one in polygonize(labels) if one.label == 1)
    assert len(ring.rings) == 2 and ring.pixels == 7
    assert sorted(ring.rings[1].tolist()) == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_holes_side_by_side_belong_to_one_outline():
    labels = np.ones((5, 8), np.uint8)
    labels[1, 1] = labels[2, 4] = labels[3, 6] = 0
    outer, *ponds = sorted(polygonize(labels), key=lambda one: -one.pixels)
    assert outer.pixels == 37 == drawn(outer, labels.shape).sum() and len(outer.rings) == 4
    assert [one.pixels for one in ponds] == [1, 1, 1]


def test_ignored_pixels_alone_give_no_polygon():
    assert list(polygonize(np.full((3, 4), 255, np.uint8))) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_one_class_is_one_rectangle(size):
    (only,) = polygonize(np.full(size, 254, np.uint8))
    assert only.label == 254 and only.pixels == size[0] * size[1]
    assert only.rings[0].tolist() == [[0, 0], [0, size[1]], [*size], [size[0], 0]]


def test_large_noise_is_restored():
    labels = np.random.default_rng(3).integers(0, 3, (120, 90)).astype(np.uint8)
    shapes = [
        ({"type": "Polygon", "coordinates": closed(one)}, one.label) for one in polygonize(labels)
    ]
    assert (features.rasterize(shapes, labels.shape, fill=9, dtype=np.uint8) == labels).all()


def closed(polygon):
    return [[(c, r) for r, c in [*ring.tolist(), ring[0].tolist()]] for ring in polygon.rings]


@settings(max_examples=100, deadline=None)
@given(SMALL)
def test_edges_are_the_sides_between_different_labels(labels):
    def at(row, column):
        inside = 0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]
        return labels[row, column] if inside else 255

    sides = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    expected = sum(
        label != 255 and at(row + down, column + right) != label
        for (row, column), label in np.ndenumerate(labels)
        for down, right in sides
    )
    assert count_edges(labels) == expected

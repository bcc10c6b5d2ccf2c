from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from fullconv.data.labels import patches
from fullconv.data.labels.patches import Patch, union
from fullconv.data.labels.rasterize import (
    Layer,
    bitmap,
    dots,
    ellipse,
    line,
    paint,
    parse_points,
    polygon,
    rectangle,
)
from fullconv.errors import DataError

SIZE = (17, 23)


def whole(patch, size=SIZE):
    mask = np.zeros(size, bool)
    patch.of(mask)[...] = patch.mask
    return mask


def by_rays(rings, size):
    """Rasterize by exact even-odd ray casting, independently of the tested code."""
    mask = np.zeros(size, bool)
    for i in range(size[0]):
        for j in range(size[1]):
            row, column, inside = Fraction(2 * i + 1, 2), Fraction(2 * j + 1, 2), False
            for ring in rings:
                corners = [tuple(Fraction(float(number)) for number in point) for point in ring]
                for (r0, c0), (r1, c1) in zip(corners, corners[1:] + corners[:1], strict=True):
                    if (r0 <= row) != (r1 <= row):
                        inside ^= c0 + (row - r0) / (r1 - r0) * (c1 - c0) <= column
            mask[i, j] = inside
    return mask


def random_ring(rng, corners, low=-4.0, high=26.0, grid=4):
    return np.round(rng.uniform(low, high, (corners, 2)) * grid) / grid


@pytest.mark.parametrize("step", [1.0, 0.5])
def test_a_rectangle_has_the_pixels_whose_centres_it_contains(step):
    rng = np.random.default_rng(3)
    rows, columns = np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5
    for _ in range(50):
        top, bottom = np.sort(rng.integers(-3, 20 / step, 2)) * step
        left, right = np.sort(rng.integers(-3, 26 / step, 2)) * step
        inside_rows = (top <= rows) & (rows < bottom)
        inside_columns = (left <= columns) & (columns < right)
        mask = whole(rectangle((bottom, left), (top, right), SIZE))
        assert np.array_equal(mask, np.outer(inside_rows, inside_columns))


@pytest.mark.parametrize("corners", [3, 4, 5, 9])
def test_a_polygon_equals_exact_ray_casting(corners):
    rng = np.random.default_rng(corners)
    for _ in range(5):
        ring = random_ring(rng, corners)
        assert np.array_equal(whole(polygon([ring], SIZE)), by_rays([ring], SIZE))


def test_rings_inside_one_another_are_holes():
    rng = np.random.default_rng(5)
    outer = np.array([(1.0, 1.0), (1.0, 20.0), (15.0, 20.0), (15.0, 1.0)])
    for _ in range(4):
        inner = random_ring(rng, 4, 2, 14)
        assert np.array_equal(whole(polygon([outer, inner], SIZE)), by_rays([outer, inner], SIZE))
    hole = polygon([outer, outer], SIZE)
    assert hole.area == 0


def test_adjacent_shapes_share_no_pixel_and_leave_none_out():
    rng = np.random.default_rng(7)
    border = [
        (0.0, 0.0),
        (0.0, 11.5),
        (0.0, 23.0),
        (8.5, 23.0),
        (17.0, 23.0),
        (17.0, 4.5),
        (17.0, 0.0),
    ]
    for _ in range(30):
        middle = (rng.integers(2, 31) / 2, rng.integers(2, 43) / 2)  # often a pixel's centre
        parts = [
            polygon([np.array([middle, one, other])], SIZE)
            for one, other in zip(border, border[1:] + border[:1], strict=True)
        ]
        counts = sum(whole(part).astype(int) for part in parts)
        assert (counts == 1).all()


def test_direction_and_first_corner_do_not_matter():
    ring = random_ring(np.random.default_rng(11), 7, grid=1000)
    mask = whole(polygon([ring], SIZE))
    assert mask.any()
    assert np.array_equal(mask, whole(polygon([ring[::-1]], SIZE)))
    assert np.array_equal(mask, whole(polygon([np.roll(ring, 3, 0)], SIZE)))


@pytest.mark.parametrize("shape", ["polygon", "ellipse", "line"])
def test_shapes_are_clipped_at_the_border(shape):
    rng = np.random.default_rng(13)
    for _ in range(20):
        points, down, across = random_ring(rng, 5, -30, 50), 40, 50
        moved = points + np.array([down, across])
        draw = {
            "polygon": lambda points, size: polygon([points], size),
            "ellipse": lambda points, size: ellipse(tuple(points[0]), (9.0, 14.0), size, 30),
            "line": lambda points, size: line(points, 6.0, size),
        }[shape]
        large = whole(draw(moved, (120, 140)), (120, 140))
        small = whole(draw(points, SIZE))
        assert np.array_equal(small, large[down : down + SIZE[0], across : across + SIZE[1]])


# pycocotools 2.0.11 uses an outdated signature of __array__.
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_pycocotools_agrees_except_at_the_border():
    masks = pytest.importorskip("pycocotools.mask", reason="needs pycocotools, the oracle")
    rng = np.random.default_rng(17)
    size = (120, 150)
    for _ in range(10):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 12))
        radii = rng.uniform(15, 55, 12)
        ring = np.stack([60 + radii * np.sin(angles), 75 + radii * np.cos(angles)], 1)
        runs = masks.frPyObjects([ring[:, ::-1].ravel().tolist()], *size)
        differs = whole(polygon([ring], size), size) != masks.decode(runs)[..., 0].astype(bool)
        points = np.argwhere(differs) + 0.5
        assert len(points) < 0.03 * np.pi * 35**2
        assert all(distance(point, ring) < 1 for point in points)


def distance(point, ring):
    ends = np.roll(ring, -1, 0) - ring
    along = (((point - ring) * ends).sum(1) / (ends**2).sum(1)).clip(0, 1)
    return np.hypot(*(point - ring - along[:, None] * ends).T).min()


def test_a_disc_has_the_pixels_whose_centres_are_within_its_radius():
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    for centre, radius in (((8.5, 9.5), 5.0), ((0.0, 0.0), 7.25), ((20.0, 11.0), 6.0)):
        near = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
        assert np.array_equal(whole(ellipse(centre, (radius, radius), SIZE)), near)


def test_an_ellipse_turns_clockwise():
    quarter = whole(ellipse((8.0, 11.0), (2.0, 6.0), SIZE, 90))
    assert np.array_equal(quarter, whole(ellipse((8.0, 11.0), (6.0, 2.0), SIZE)))
    tilted = np.argwhere(whole(ellipse((8.0, 11.0), (1.5, 7.0), SIZE, 30))) + 0.5 - (8.0, 11.0)
    assert (tilted[:, 0] * tilted[:, 1]).sum() > 0  # right goes with down


def test_a_line_has_its_width_and_flat_ends():
    mask = whole(line(np.array([(8.0, 4.0), (8.0, 15.0)]), 6.0, SIZE))
    expected = np.zeros(SIZE, bool)
    expected[5:11, 4:15] = True
    assert np.array_equal(mask, expected)


def test_a_bend_is_round_and_has_no_notch():
    corner = (8.0, 14.0)
    mask = whole(line(np.array([(8.0, 2.0), corner, (16.0, 14.0)]), 6.0, SIZE))
    disc = whole(ellipse(corner, (3.0, 3.0), SIZE))
    assert mask[disc].all()
    assert not mask[5, 16]  # the corner of a square joint


def test_a_line_of_one_point_is_a_disc():
    dot = whole(ellipse((8.0, 9.0), (3.0, 3.0), SIZE))
    assert np.array_equal(whole(line(np.array([(8.0, 9.0)] * 2), 6.0, SIZE)), dot)
    assert np.array_equal(whole(dots(np.array([(8.0, 9.0)]), 3.0, SIZE)), dot)


def test_a_bitmap_is_clipped_at_each_side():
    mask = np.random.default_rng(19).random((9, 9)) < 0.5
    for corner in ((2, 3), (-4, 5), (12, -3), (-20, 4), (3, 30)):
        expected = np.zeros((60, 60), bool)
        expected[20 + corner[0] : 29 + corner[0], 20 + corner[1] : 29 + corner[1]] = mask
        placed = whole(bitmap(mask, corner, SIZE))
        assert np.array_equal(placed, expected[20 : 20 + SIZE[0], 20 : 20 + SIZE[1]])


def test_union_holds_all_pixels():
    parts = [rectangle((1, 1), (4, 9), SIZE), rectangle((3, 5), (12, 7), SIZE)]
    assert np.array_equal(whole(union(parts)), whole(parts[0]) | whole(parts[1]))
    assert union([rectangle((40, 40), (50, 50), SIZE)]).area == 0


def square(top, left, side, label, order=0):
    return Layer(rectangle((top, left), (top + side, left + side), SIZE), label, order)


def test_small_things_stay_visible_whatever_their_order():
    layers = [square(3, 3, 4, 1), square(0, 0, 14, 2), square(4, 4, 2, 3)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        painted = paint([layers[index] for index in order], SIZE)
        assert np.bincount(painted.labels.ravel()).tolist() == [17 * 23 - 196, 12, 180, 4]
        assert painted.hidden == {(2, 1): 16, (1, 3): 4}


def test_of_equal_areas_the_later_one_is_on_top():
    assert paint([square(0, 0, 4, 1), square(0, 0, 4, 2)], SIZE).labels[1, 1] == 2
    assert paint([square(0, 0, 4, 2), square(0, 0, 4, 1)], SIZE).labels[1, 1] == 1


def test_an_explicit_order_comes_first():
    painted = paint([square(0, 0, 9, 1, order=2), square(2, 2, 3, 2, order=1)], SIZE)
    assert set(painted.labels.ravel().tolist()) == {0, 1}
    assert painted.hidden == {(2, 1): 9}


def test_a_class_does_not_hide_itself_but_ignored_pixels_do():
    painted = paint([square(0, 0, 9, 1), square(0, 0, 5, 1), square(0, 0, 3, 255)], SIZE, ground=4)
    assert painted.hidden == {(1, 255): 9}
    assert np.bincount(painted.labels.ravel())[[1, 4, 255]].tolist() == [72, 17 * 23 - 81, 9]


@pytest.mark.parametrize(
    "points",
    [[], [(1, 2), (3, 4)], [(1, 2, 3)] * 3, [(1, 2), (3,), (4, 5)], [("a", "b")] * 3, 7, [1, 2, 3],
     [(1, 2), (3, float("nan")), (5, 6)], [(1, 2), (3, float("inf")), (5, 6)], [(1e300, 2)] * 3,
     [(10**400, 2)] * 3],
)  # fmt: skip
def test_an_invalid_polygon_is_refused(points):
    with pytest.raises(DataError, match=r"point|coordinate"):
        parse_points(points, least=3)


@pytest.mark.parametrize("radii", [(0.0, 3.0), (3.0, -1.0), (float("nan"), 1.0)])
def test_an_ellipse_needs_radii(radii):
    with pytest.raises(DataError):
        ellipse((5.0, 5.0), radii, SIZE)


def test_an_empty_patch_paints_nothing():
    nowhere = polygon([np.array([(50.0, 50.0), (50.0, 60.0), (60.0, 55.0)])], SIZE)
    assert nowhere.area == 0
    assert (
        paint([Layer(nowhere, 3), Layer(Patch(0, 0, np.ones((1, 1), bool)), 2)], SIZE).labels != 3
    ).all()


def bars_and_discs(points, width, size):
    """Draw a line piece by piece."""
    mask = np.zeros(size, bool)
    for start, end in pairwise(points):
        step = end - start
        aside = step[::-1] * [1, -1] * (width / 2 / np.hypot(*step))
        bar = np.array([start - aside, start + aside, end + aside, end - aside])
        mask |= whole(polygon([bar], size), size)
    for point in points[1:-1]:
        mask |= whole(ellipse(tuple(point), (width / 2, width / 2), size), size)
    return mask


@pytest.mark.parametrize("seed", range(12))
def test_large_outlines_are_filled_in_parts_with_the_same_pixels(monkeypatch, seed):
    rng = np.random.default_rng(seed)
    ring = rng.uniform(-9, 30, (int(rng.integers(3, 30)), 2)).round(int(rng.integers(0, 3)))
    at_once = whole(polygon([ring], SIZE))
    assert np.array_equal(at_once, by_rays([ring], SIZE))
    monkeypatch.setattr(patches, "_CHUNK", 7)
    assert np.array_equal(whole(polygon([ring], SIZE)), at_once)


@pytest.mark.parametrize("seed", range(6))
def test_a_line_is_the_union_of_bars_and_discs(seed):
    points = np.random.default_rng(seed).uniform(-5, 28, (9, 2))
    assert np.array_equal(whole(line(points, 4.0, SIZE)), bars_and_discs(points, 4.0, SIZE))


def test_shapes_of_200_000_points_are_drawn():
    turns = np.linspace(0, 2 * np.pi, 200_000, endpoint=False)
    ring = 100 + 90 * np.stack([np.sin(turns), np.cos(turns)], 1)
    size = (200, 200)
    disc = whole(ellipse((100.0, 100.0), (90.0, 90.0), size), size)
    assert (whole(polygon([ring], size), size) != disc).sum() < 20
    rim = whole(line(ring, 10.0, size), size)
    assert 0.9 < rim.sum() / (2 * np.pi * 90 * 10) < 1.1
    ends = ring[[0, 50_000]]
    discs = [ellipse(tuple(point), (5.0, 5.0), size) for point in ends]
    assert np.array_equal(whole(dots(ends, 5.0, size), size), whole(union(discs), size))


@pytest.mark.parametrize("draw", [lambda points, size: polygon([points], size),
                                  lambda points, size: line(points, 3.0, size)])  # fmt: skip
def test_an_outline_that_would_take_minutes_is_refused(draw):
    zigzag = np.zeros((200_000, 2))
    zigzag[1::2] = (4000, 50)
    with pytest.raises(DataError, match=r"crosses the rows of its image .* times.*simplify it"):
        draw(zigzag, (4000, 100))

import math

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from fullconv.data.synthetic.canvas import (
    Stroke,
    band,
    blank_canvas,
    blur,
    cloud,
    ellipse,
    glow,
    line,
    noise,
    pixel_centers,
    polygon,
    rectangle,
)

SIZE = (40, 50)
RED = (1.0, 0.0, 0.0)


def whole(stroke: Stroke, size=SIZE) -> np.ndarray:
    """Return the cover of a stroke on the whole canvas."""
    cover = np.zeros(size, np.float32)
    cover[stroke.rows, stroke.columns] = stroke.cover
    return cover


def all_centers(size=SIZE) -> np.ndarray:
    return np.indices(size).reshape(2, -1).T + 0.5


def convex(rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return corners on an ellipse, in order, some of them outside the canvas."""
    angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(3, 9)))
    middle, radii = rng.uniform(0, 45, 2), rng.uniform(4, 25, 2)
    return [
        (float(middle[0] + radii[0] * math.sin(a)), float(middle[1] + radii[1] * math.cos(a)))
        for a in angles
    ]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("turned", [False, True])
def test_a_polygon_has_the_pixels_whose_centers_it_contains(seed, turned):
    corners = convex(np.random.default_rng(seed))
    mask = whole(polygon(SIZE, corners[::-1] if turned else corners)) > 0.5
    outline = Outline([*corners, corners[0]], closed=True)
    inside = outline.contains_points(all_centers(), radius=0).reshape(SIZE)
    # A centre within rounding of an edge may fall on either side.
    assert (mask != inside).sum() <= 1
    assert inside.any() or not mask.any()


def test_a_polygon_covers_its_area():
    assert whole(polygon(SIZE, [(5, 5), (35, 10), (20, 45)])).sum() == pytest.approx(
        0.5 * abs(30 * 40 - 15 * 5), rel=0.01
    )


@pytest.mark.parametrize("opposite", [(7.0, 11.0), (2.0, 11.0)])
def test_a_rectangle_on_whole_pixels_covers_exactly_those(opposite):
    first = (2.0, 3.0) if opposite[0] == 7 else (7.0, 3.0)
    expected = np.zeros(SIZE, np.float32)
    expected[2:7, 3:11] = 1
    np.testing.assert_array_equal(whole(rectangle(SIZE, first, opposite)), expected)


def test_a_rectangle_is_the_polygon_of_its_corners():
    corners = [(3.3, 4.2), (3.3, 20.7), (15.9, 20.7), (15.9, 4.2)]
    np.testing.assert_allclose(
        whole(rectangle(SIZE, corners[0], corners[2])), whole(polygon(SIZE, corners)), atol=1e-5
    )


def test_half_covered_pixels_are_not_in_the_mask():
    stroke = rectangle(SIZE, (2, 3), (4, 5.5))
    assert whole(stroke)[2, 5] == 0.5
    assert stroke.mask.sum() == 4


@pytest.mark.parametrize("corners", [[(5, 5)] * 4, [(5, 5), (9, 9), (7, 7)]])
def test_a_polygon_without_area_is_empty(corners):
    assert not polygon(SIZE, corners).mask.any()


def test_repeated_corners_change_nothing():
    corners = [(5.0, 5.0), (30.0, 8.0), (20.0, 40.0)]
    np.testing.assert_array_equal(
        polygon(SIZE, [*corners, corners[-1]]).cover, polygon(SIZE, corners).cover
    )


def test_a_line_covers_its_length_times_its_thickness():
    length = math.hypot(20, 30)
    assert whole(line(SIZE, (10, 10), (30, 40), 4)).sum() == pytest.approx(4 * length, rel=0.02)
    assert not line(SIZE, (10, 10), (10, 10), 4).mask.any()


def test_an_ellipse_has_the_pixels_of_its_equation():
    stroke = ellipse(SIZE, (18.3, 22.6), (9, 15))
    rows, columns = all_centers().T
    inside = ((rows - 18.3) / 9) ** 2 + ((columns - 22.6) / 15) ** 2 < 1
    np.testing.assert_array_equal(whole(stroke) > 0.5, inside.reshape(SIZE))


def test_a_glow_falls_from_its_centre_to_nothing_at_its_edge():
    cover = whole(glow(SIZE, (20.5, 25.5), (10, 10)))
    assert cover[20, 25] == 1
    assert cover[20, 30] == pytest.approx(0.5)
    assert cover[20, 35] == 0 == cover[9, 25]


def test_a_cloud_is_the_union_of_its_discs():
    discs = [(12.0, 14.0, 6.0), (18.0, 22.0, 9.0), (30.0, 60.0, 12.0)]
    single = [whole(ellipse(SIZE, (row, column), (r, r))) for row, column, r in discs]
    np.testing.assert_allclose(whole(cloud(SIZE, discs)), np.maximum.reduce(single), atol=1e-5)


@pytest.mark.parametrize("away", [-500.0, 500.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_shapes_outside_the_canvas_change_nothing(away, axis):
    shift = (away, 0) if axis == 0 else (0, away)
    start = (20 + shift[0], 20 + shift[1])
    corner = (start[0] + 5, start[1] + 5)
    canvas = blank_canvas(SIZE)
    for stroke in (
        rectangle(SIZE, start, corner),
        polygon(SIZE, [start, corner, (start[0], corner[1])]),
        ellipse(SIZE, start, (4, 4)),
        line(SIZE, start, corner, 2),
        cloud(SIZE, [(*start, 4.0)]),
    ):
        canvas.paint(stroke, RED, 3)
        canvas.tint(stroke, RED, 1)
    assert not canvas.image.any()
    assert not canvas.labels.any()


def test_the_last_shape_sets_the_label():
    canvas = blank_canvas(SIZE)
    canvas.paint(rectangle(SIZE, (0, 0), (20, 20)), RED, 1)
    canvas.paint(rectangle(SIZE, (10, 10), (30, 30)), (0.0, 1.0, 0.0), 2)
    assert (canvas.labels == 1).sum() == 300
    assert (canvas.labels == 2).sum() == 400
    np.testing.assert_array_equal(canvas.image[15, 15], (0, 1, 0))


def test_an_edge_mixes_colours_but_not_labels():
    canvas = blank_canvas(SIZE)
    canvas.paint(rectangle(SIZE, (2, 3), (4, 5.25)), RED, 1)
    np.testing.assert_allclose(canvas.image[2, 5], (0.25, 0, 0))
    assert canvas.labels[2, 5] == 0


def test_a_tint_can_be_limited_to_a_class():
    canvas = blank_canvas(SIZE)
    canvas.paint(rectangle(SIZE, (0, 0), (10, 10)), (0.0, 0.0, 1.0), 1)
    before = canvas.labels.copy()
    canvas.tint(rectangle(SIZE, (0, 0), (10, 20)), RED, 0.5, only=1)
    np.testing.assert_array_equal(canvas.labels, before)
    np.testing.assert_allclose(canvas.image[5, 5], (0.5, 0, 0.5))
    assert not canvas.image[5, 15].any()


def test_a_band_covers_its_rows():
    cover = whole(band(SIZE, 7, 12))
    assert cover[7:12].all()
    assert cover.sum() == 5 * SIZE[1]


def test_pixel_centers():
    rows, columns = pixel_centers(Stroke(slice(3, 5), slice(7, 10), np.zeros((2, 3), np.float32)))
    np.testing.assert_array_equal(rows, [[3.5], [4.5]])
    np.testing.assert_array_equal(columns, [[7.5, 8.5, 9.5]])


@pytest.mark.parametrize("cell", [0.3, 1.0, 4.7, 90.0])
def test_noise_is_in_0_to_1_and_repeatable(cell):
    first, again = (noise(np.random.default_rng(5), (33, 47), cell) for _ in range(2))
    assert first.shape == (33, 47)
    assert 0 <= first.min() < first.max() <= 1
    np.testing.assert_array_equal(first, again)


def test_noise_is_smoother_with_larger_cells():
    fine, coarse = (noise(np.random.default_rng(5), SIZE, cell) for cell in (1.0, 8.0))
    assert np.abs(np.diff(coarse)).mean() < 0.3 * np.abs(np.diff(fine)).mean()


def test_blur_is_binomial_and_keeps_the_sum():
    image = np.zeros((7, 7, 3), np.float32)
    image[3, 3] = 1
    soft = blur(image, 0.25)
    binomial = np.outer([1, 2, 1], [1, 2, 1]) / 16
    np.testing.assert_allclose(soft[2:5, 2:5, 0], binomial, atol=1e-6)
    assert soft.sum() == pytest.approx(3)
    np.testing.assert_array_equal(blur(image, 0.0), image)
    np.testing.assert_allclose(blur(np.ones((1, 1, 3), np.float32), 0.2), 1, atol=1e-6)

import io
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fullconv.evaluation.report import charts
from fullconv.evaluation.report.charts import DARK, LIGHT, draw_confusion, draw_curves, sparkline


def decoded(png):
    return np.array(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def row(epoch, **values):
    return {"epoch": epoch, "loss": 1 / epoch, "lr": 0.01} | values


def centre(picture, color):
    """Return the mean position of the pixels of a colour, in [0, 1] down and across."""
    found = np.argwhere((picture == color).all(2))
    assert len(found) > 500
    return found.mean(0) / picture.shape[:2]


def test_curves_are_a_valid_png():
    png = draw_curves([row(e, mean_iou=0.5, pixel_accuracy=0.9) for e in range(1, 13)])
    width, height = struct.unpack(">II", png[16:24])  # PNG specification, 11.2.2: IHDR
    assert 1200 < width < 1600 and 300 < height < 600
    assert decoded(png).shape == (height, width, 3)


@pytest.mark.parametrize(
    "history",
    [
        [row(1)],
        [row(1), row(2, mean_iou=0.2, pixel_accuracy=0.4), row(3, mean_iou=math.nan)],
        [row(1, loss=math.inf), row(2, loss=math.nan)],
        [row(1, loss=1e9, lr=1e-10), row(2, loss=3.0, lr=0.0)],
        [row(e) for e in range(1, 1000)],
    ],
)
def test_any_history_is_drawn_without_a_warning(history):
    assert draw_curves(history).startswith(b"\x89PNG")


def test_values_that_are_not_finite_are_skipped():
    known = [row(1, mean_iou=0.2), row(3, mean_iou=0.6)]
    gap = [known[0], row(2, loss=math.nan, lr=math.nan, mean_iou=math.nan), known[1]]
    assert draw_curves(gap) == draw_curves(known)


def test_higher_metrics_are_drawn_higher():
    blue = (0x0B, 0x62, 0xA8)  # of the light theme's first line; the loss is the same in both
    high = decoded(draw_curves([row(e, mean_iou=0.9) for e in (1, 2, 3)]))
    low = decoded(draw_curves([row(e, mean_iou=0.1) for e in (1, 2, 3)]))
    assert centre(high, blue)[0] < centre(low, blue)[0] - 0.1


@pytest.mark.parametrize(("classes", "theme"), [(1, LIGHT), (2, DARK), (11, DARK), (60, LIGHT)])
def test_the_matrix_has_a_sensible_size_for_any_number_of_classes(classes, theme):
    counts = np.zeros((classes, classes + 1), np.int64)
    counts[range(classes), range(classes)] = 5
    height, width, _ = decoded(
        draw_confusion(counts, [f"class {i}" for i in range(classes)], theme)
    ).shape
    assert max(height, width) < 3000
    assert min(height, width) > max(120, 24 * classes)  # a name of 7 points is 15 pixels high


def test_rows_are_normalized():
    rare = np.array([[8, 2, 0], [1, 3, 0]])
    frequent = rare * np.array([[1000], [1]])
    assert draw_confusion(rare, ["a", "b"]) == draw_confusion(frequent, ["a", "b"])


def test_rows_are_true_classes_and_columns_predictions():
    dark = (0x08, 0x3B, 0x73)  # all of a row's pixels, in the light theme
    row_of_first = np.array([[0, 7, 0], [5, 5, 0]])
    down, across = centre(decoded(draw_confusion(row_of_first, ["a", "b"])), dark)
    assert down < 0.5 < across


def test_the_unlabelled_column_is_drawn_only_if_it_has_pixels():
    without = np.array([[9, 1, 0], [0, 5, 0]])
    within = np.array([[9, 1, 2], [0, 5, 0]])
    narrow = decoded(draw_confusion(without, ["a", "b"])).shape[1]
    assert decoded(draw_confusion(within, ["a", "b"])).shape[1] > narrow + 60


def test_a_class_without_pixels_is_a_plain_row():
    faint = (0xD8, 0xDE, 0xE4)
    counts = np.array([[9, 1, 0], [0, 0, 0]])
    assert centre(decoded(draw_confusion(counts, ["a", "b"])), faint)[0] > 0.4


@pytest.mark.parametrize(
    "name", ["$\\oops$", "$a", "道路", "a_b^{", "\\frac", "a" * 300, "two\nlines", ""]
)
def test_any_class_name_is_drawn_without_a_warning(name):
    picture = decoded(draw_confusion(np.eye(2, 3, dtype=np.int64), [name, "b"]))
    assert max(picture.shape) < 1200


def test_only_small_matrices_have_numbers():
    def inks_in_cells(classes):
        counts = np.full((classes, classes + 1), 10)
        counts[:, -1] = 0
        picture = decoded(draw_confusion(counts, [""] * classes))
        height, width, _ = picture.shape
        middle = picture[height // 4 : height // 2, width // 4 : width // 2]
        return len(np.unique(middle.reshape(-1, 3), axis=0))

    assert inks_in_cells(20) > 10  # antialiased digits
    assert inks_in_cells(21) == 1


def test_pyplot_is_not_used():
    assert "pyplot" not in Path(charts.__file__).read_text()


def points(curve):
    return [tuple(map(float, point.split(","))) for point in curve.points.split()]


def test_a_sparkline_spans_its_box():
    curve = sparkline([1, 2, 3], [0.0, 0.5, 1.0], 3, high=1.0)
    assert (curve.first, curve.last) == (0.0, 1.0)
    (x0, y0), (x1, y1), (x2, y2) = points(curve)
    assert (x0, x1, x2) == (0, 60, 120) and y0 > y1 > y2
    assert y1 == pytest.approx((y0 + y2) / 2)
    assert y2 >= 0 and y0 <= curve.HEIGHT


def test_a_sparkline_skips_values_that_are_not_finite():
    gap = sparkline([1, 2, 4], [0.2, math.nan, 0.4], 4)
    assert gap == sparkline([1, 4], [0.2, 0.4], 4) and gap.last == 0.4
    assert sparkline([1, 2], [math.nan, math.inf], 2) is None
    assert sparkline([], [], 1) is None


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [5.0]])
def test_constant_and_single_values_are_a_horizontal_line(values):
    curve = sparkline(range(1, len(values) + 1), values, len(values))
    heights = {y for _, y in points(curve)}
    assert len(heights) == 1 and points(curve)[-1][0] == curve.WIDTH

import io

import numpy as np
import pytest
from PIL import Image

from fullconv.evaluation.report.gallery import (
    COLUMN,
    GAP,
    GallerySample,
    draw_comparison,
    draw_sample,
    encode_panels,
    legend_entries,
)

CLASSES, PALETTE = ("sky", "road", "car"), ((0, 0, 255), (90, 90, 90), (0, 128, 0))
CREAM, RED = (224, 224, 192), (255, 45, 45)


def sample(height=200, width=200, target=0, prediction=0):
    image = np.full((height, width, 3), (200, 100, 50), np.uint8)
    return GallerySample(
        "p",
        image,
        np.full((height, width), target, np.uint8),
        np.full((height, width), prediction, np.uint8),
        0.5,
    )


def opened(content, mode="RGB"):
    return np.array(Image.open(io.BytesIO(content)).convert(mode))


def panels(drawn, width):
    """Split a drawn sample into its four panels, which are 6 pixels apart."""
    return [drawn[:, start : start + width] for start in range(0, 4 * (width + 6), width + 6)]


def test_photo_ground_truth_prediction_and_errors_are_side_by_side():
    shown = sample(target=1, prediction=1)
    shown.prediction[:100] = 2
    shown.target[:50] = 255
    drawn = draw_sample(shown, CLASSES, PALETTE)
    photo, target, prediction, wrong = panels(drawn, 200)
    assert (photo[:200] == shown.image).all()
    assert (target[:50] == CREAM).all() and (target[50:200] == PALETTE[1]).all()
    assert (prediction[:100] == PALETTE[2]).all() and (prediction[100:200] == PALETTE[1]).all()
    assert (wrong[:50] == CREAM).all() and (wrong[50:100] == RED).all()
    right = wrong[100:200].reshape(-1, 3)
    assert (right == right[:, :1]).all(), "a correct pixel is grey"


def test_the_legend_shows_the_classes_that_occur():
    drawn = draw_sample(sample(target=1, prediction=1), CLASSES, PALETTE)
    strip = {tuple(color) for color in drawn[200:].reshape(-1, 3).tolist()}
    assert {PALETTE[1], RED} <= strip
    assert not {PALETTE[0], PALETTE[2], CREAM} & strip


def test_legend_entries_are_in_the_order_of_the_classes():
    assert [
        name for name, _ in legend_entries([sample(target=2, prediction=0)], CLASSES, PALETTE)
    ] == [
        "sky",
        "car",
        "error",
    ]
    entries = legend_entries([sample(target=255, prediction=1)], CLASSES, PALETTE)
    assert entries == [("road", PALETTE[1]), ("ignored", CREAM), ("error", RED)]


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((480, 640), (480, 640)),
        ((960, 1280), (480, 640)),
        ((1280, 640), (640, 320)),
        ((40, 50), (120, 150)),
        ((1, 1), (160, 160)),
        ((1, 5000), (1, 640)),
        ((5000, 3), (640, 1)),
        ((600, 40), (600, 40)),
    ],
)
def test_large_photos_are_downscaled_and_tiny_ones_enlarged(size, shown):
    for content in encode_panels(sample(*size), PALETTE).values():
        assert opened(content).shape[:2] == shown


def test_resizing_adds_no_class():
    shown = sample(900, 1300)
    shown.target[:, ::2] = 2
    shown.prediction[::2] = 1
    encoded = encode_panels(shown, PALETTE)
    for kind, classes in (("ground truth", {0, 2}), ("prediction", {0, 1})):
        assert set(np.array(Image.open(io.BytesIO(encoded[kind]))).ravel().tolist()) <= classes


def test_panels_of_the_page_equal_those_of_the_file():
    shown = sample(target=1, prediction=2)
    shown.target[:30] = 255
    encoded = encode_panels(shown, PALETTE)
    file = panels(draw_sample(shown, CLASSES, PALETTE), 200)
    for panel, kind in zip(file, ("photo", "ground truth", "prediction", "errors"), strict=True):
        difference = panel[:200].astype(int) - opened(encoded[kind])
        assert abs(difference).max() <= (8 if kind == "photo" else 0)  # the photo is a JPEG


def test_greys_of_correct_pixels_differ_from_errors_and_ignored():
    shown = sample(2, 256)
    shown.image[:] = np.arange(256, dtype=np.uint8)[None, :, None]
    wrong = np.array(Image.open(io.BytesIO(encode_panels(shown, PALETTE)["errors"])))
    assert wrong.max() < 254
    assert (np.diff(wrong.astype(int), axis=1) >= 0).all() and np.ptp(wrong) > 100


def test_a_comparison_has_a_row_of_three_panels_for_each_sample():
    wide, tall = sample(100, 140, 1, 2), sample(300, 150, 0, 1)
    drawn = draw_comparison([wide, tall], CLASSES, PALETTE)
    assert drawn.shape[1] == 3 * COLUMN + 2 * GAP
    heights, top = (200, 560), 20  # 280 wide; the titles are 20 high
    for shown, height in zip((wide, tall), heights, strict=True):
        row = drawn[top : top + height]
        starts = range(0, 3 * COLUMN, COLUMN + GAP)
        photo, target, prediction = (row[:, start : start + COLUMN] for start in starts)
        assert (photo == (200, 100, 50)).all()
        assert (target == PALETTE[shown.target[0, 0]]).all()
        assert (prediction == PALETTE[shown.prediction[0, 0]]).all()
        assert (drawn[top + height : top + height + GAP] == 255).all()
        top += height + GAP
    assert len(drawn) > top, "a legend is below"

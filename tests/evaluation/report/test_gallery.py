import io

import numpy as np
import pytest
from PIL import Image

from fullconv.evaluation.report.gallery import Picture, draw_sample, encode_panels, keys

CLASSES, PALETTE = ("sky", "road", "car"), ((0, 0, 255), (90, 90, 90), (0, 128, 0))
CREAM, RED = (224, 224, 192), (255, 45, 45)


def picture(height=200, width=200, truth=0, answer=0):
    image = np.full((height, width, 3), (200, 100, 50), np.uint8)
    return Picture(
        "p",
        image,
        np.full((height, width), truth, np.uint8),
        np.full((height, width), answer, np.uint8),
        0.5,
    )


def opened(content, mode="RGB"):
    return np.array(Image.open(io.BytesIO(content)).convert(mode))


def panels(drawn, width):
    """The four panels of a sample's picture, which stand 6 pixels apart."""
    return [drawn[:, start : start + width] for start in range(0, 4 * (width + 6), width + 6)]


def test_photo_truth_answer_and_errors_stand_side_by_side():
    shown = picture(truth=1, answer=1)
    shown.answer[:100] = 2
    shown.truth[:50] = 255
    drawn = draw_sample(shown, CLASSES, PALETTE)
    photo, truth, answer, wrong = panels(drawn, 200)
    assert (photo[:200] == shown.image).all()
    assert (truth[:50] == CREAM).all() and (truth[50:200] == PALETTE[1]).all()
    assert (answer[:100] == PALETTE[2]).all() and (answer[100:200] == PALETTE[1]).all()
    assert (wrong[:50] == CREAM).all() and (wrong[50:100] == RED).all()
    right = wrong[100:200].reshape(-1, 3)
    assert (right == right[:, :1]).all(), "a right pixel is grey"


def test_the_strip_below_shows_the_colours_of_the_classes_that_occur():
    drawn = draw_sample(picture(truth=1, answer=1), CLASSES, PALETTE)
    strip = {tuple(color) for color in drawn[200:].reshape(-1, 3).tolist()}
    assert {PALETTE[1], RED} <= strip
    assert not {PALETTE[0], PALETTE[2], CREAM} & strip


def test_keys_name_what_occurs_in_truth_or_answer_in_the_order_of_the_classes():
    assert [name for name, _ in keys([picture(truth=2, answer=0)], CLASSES, PALETTE)] == [
        "sky",
        "car",
        "wrong",
    ]
    void = keys([picture(truth=255, answer=1)], CLASSES, PALETTE)
    assert void == [("road", PALETTE[1]), ("void", CREAM), ("wrong", RED)]


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
def test_large_photos_are_scaled_down_and_tiny_ones_up_in_proportion(size, shown):
    for content in encode_panels(picture(*size), PALETTE).values():
        assert opened(content).shape[:2] == shown


def test_scaling_labels_invents_no_class():
    shown = picture(900, 1300)
    shown.truth[:, ::2] = 2
    shown.answer[::2] = 1
    encoded = encode_panels(shown, PALETTE)
    for kind, mine in (("truth", {0, 2}), ("answer", {0, 1})):
        assert set(np.array(Image.open(io.BytesIO(encoded[kind]))).ravel().tolist()) <= mine


def test_the_panels_of_a_page_are_the_panels_of_the_file():
    shown = picture(truth=1, answer=2)
    shown.truth[:30] = 255
    encoded = encode_panels(shown, PALETTE)
    file = panels(draw_sample(shown, CLASSES, PALETTE), 200)
    for panel, kind in zip(file, ("photo", "truth", "answer", "errors"), strict=True):
        difference = panel[:200].astype(int) - opened(encoded[kind])
        assert abs(difference).max() <= (8 if kind == "photo" else 0)  # the photo is a JPEG


def test_every_grey_of_a_right_pixel_differs_from_wrong_and_void():
    shown = picture(2, 256)
    shown.image[:] = np.arange(256, dtype=np.uint8)[None, :, None]
    wrong = np.array(Image.open(io.BytesIO(encode_panels(shown, PALETTE)["errors"])))
    assert wrong.max() < 254
    assert (np.diff(wrong.astype(int), axis=1) >= 0).all() and np.ptp(wrong) > 100

import numpy as np
import pytest

from fullconv.errors import ConfigError
from fullconv.io import palettes as colors

# Read from a PASCAL VOC mask's own palette.
VOC = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 15: (192, 128, 128)}


def test_the_palette_equals_that_of_voc():
    palette = colors.voc_palette()
    assert {label: palette[label] for label in VOC} == VOC and palette[255] == (224, 224, 192)


def test_ignored_pixels_are_cream_and_unused_entries_black():
    palette = colors.full_palette(((1, 2, 3),))
    assert len(palette) == 256 and palette[255] == colors.VOID_COLOR and palette[7] == (0, 0, 0)
    with pytest.raises(ConfigError, match="256 colours"):
        colors.full_palette(colors.voc_palette())


def test_an_overlay_blends_photo_and_colours():
    image = np.full((2, 2, 3), 100, np.uint8)
    labels = np.array([[0, 1], [1, 255]], np.uint8)
    palette = ((0, 0, 0), (200, 200, 200))
    assert (colors.overlay(image, labels, palette, 0.0) == image).all()
    assert (colors.overlay(image, labels, palette, 1.0)[0, 1] == 200).all()
    assert (colors.overlay(image, labels, palette)[0, 1] == 150).all()


@pytest.mark.parametrize(("color", "found"), [((0, 0, 0), 100), ((63, 9, 0), 100), ((64,) * 3, 82)])
def test_colours_that_would_only_darken_an_image_leave_it_as_it_is(color, found):
    image = np.full((1, 1, 3), 100, np.uint8)
    for strength in (0.0, 0.5):
        drawn = colors.overlay(image, np.zeros((1, 1), np.uint8), (color,), strength)
        assert (drawn == (found if strength else 100)).all()


def test_ignored_pixels_are_never_errors():
    target = np.array([[0, 1, 255]], np.uint8)
    assert colors.find_errors(target, np.array([[0, 0, 0]], np.uint8)).tolist() == [
        [False, True, False]
    ]

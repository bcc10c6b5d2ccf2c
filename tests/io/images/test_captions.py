"""Legends and captions fit the requested width."""

import pytest

from fullconv.io import images
from fullconv.io.palettes import voc_palette


def test_a_legend_has_the_requested_width():
    strip = images.legend([f"class {i}" for i in range(12)], voc_palette(12), 200)
    assert strip.shape[1] == 200 and strip.shape[0] > 40


@pytest.mark.parametrize("text", ["", "a", "photo-001", "x" * 400, "Grüße 🌳.png"])
def test_a_caption_is_one_line_within_the_width(text):
    strip = images.caption(text, 120)
    assert strip.shape == (20, 120, 3)
    assert (strip[:, :2] == 255).all() and (strip[:, -2:] == 255).all(), "the margins are empty"
    assert (strip < 128).any() == bool(text)

"""Class heat maps: bilinear, and aligned with the image by the score grid's coordinate map."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from fullconv.errors import ConfigError
from fullconv.explain.class_heatmap import class_heat, heat_map, heat_picture
from fullconv.networks.geometry import CoordMap, Field


def scores(at):
    score = torch.zeros(5, 4, 6)
    score[(3, *at)] = 9
    return score


def test_the_maximum_is_where_the_coordinate_map_places_it():
    field = Field(100, CoordMap(Fraction(8), Fraction(13)))
    heat = class_heat(scores((2, 4)), 3, (60, 80), field)
    assert np.unravel_index(heat.argmax(), heat.shape) == (8 * 2 + 13, 8 * 4 + 13)


def test_the_heat_map_is_the_bilinear_interpolation_of_the_probability():
    score = torch.randn(5, 4, 6, generator=torch.manual_seed(1))
    expected = torch.nn.functional.interpolate(
        score.double().softmax(0)[None, 2:3], (40, 54), mode="bilinear", align_corners=False
    )
    assert np.allclose(class_heat(score, 2, (40, 54)), expected[0, 0], atol=1e-12)


def test_the_overlay_has_the_photos_size_and_is_coloured_where_the_class_is():
    image = np.full((40, 60, 3), 128, np.uint8)
    picture = heat_map(scores((0, 0)), 3, image)
    assert picture.shape == image.shape and picture.dtype == np.uint8
    assert picture[0, 0].astype(int).sum() > picture[-1, -1].astype(int).sum() + 200
    assert (heat_map(scores((0, 0)), 3, image, strength=0) == 128).all()


def test_a_single_score_gives_a_single_colour():
    picture = heat_map(torch.zeros(2, 1, 1), 0, np.zeros((5, 7, 3), np.uint8))
    assert (picture == picture[0, 0]).all()


def test_an_unknown_class_is_refused():
    with pytest.raises(ConfigError, match="expected 0 to 4"):
        heat_map(scores((0, 0)), 5, np.zeros((5, 7, 3), np.uint8))


def test_the_picture_has_a_title_and_a_scale_below():
    image = np.full((40, 300, 3), 128, np.uint8)
    picture = heat_picture(scores((0, 0)), 3, image, None, "network: probability of cat")
    assert picture.shape == (80, 300, 3)
    assert np.array_equal(picture[20:60], heat_map(scores((0, 0)), 3, image))
    ramp = picture[70, 80:220].astype(int).sum(1)
    assert ramp[-1] > ramp[0] + 400

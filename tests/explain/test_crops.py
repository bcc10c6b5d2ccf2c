"""Sizes, coordinates and crops of the paper's networks, as the course's notes have them."""

import pytest

from fullconv.config import new_architecture
from fullconv.explain.crops import crop_rulers, draw_rulers
from fullconv.explain.narrow import narrow_network


def rulers(name, padding):
    return crop_rulers(narrow_network(new_architecture(name, 21, padding=padding)))


@pytest.fixture(scope="module")
def fcn8s():
    return rulers("fcn8s-vgg16", 100)


def test_the_sizes_are_those_of_the_notes(fcn8s):
    rows = {ruler.name: str(ruler.rows) for ruler in fcn8s.maps}
    # The notes end with a map of 32H - 136 rows; the largest image that fits has 31 fewer at
    # either end.
    assert rows["upscore8"] == "32H - 136" and rows["image"] == "32H - 198"
    assert (rows["upscore2"], rows["upscore_pool4"]) == ("2H - 10", "4H - 18")
    assert (rows["pool3"], rows["pool4"], rows["pool5"]) == ("4H", "2H", "H")


def test_the_crops_are_5_9_and_31(fcn8s):
    found = [(each.cropped, each.offset) for each in fcn8s.alignments]
    assert found == [("pool4", 5), ("pool3", 9), ("upscore8", 31)]


def test_cropped_maps_coincide(fcn8s):
    maps = {ruler.name: ruler.centre for ruler in fcn8s.maps}
    for each in fcn8s.alignments:
        other = ({each.upscore, each.target} - {each.cropped}).pop()
        assert maps[each.cropped](each.offset) == maps[other](0)


def test_a_single_crop_of_19():
    assert [each.offset for each in rulers("fcn32s-vgg11", 100).alignments] == [19]


def test_the_picture_names_the_crops(fcn8s):
    picture = draw_rulers(fcn8s, "fcn8s-vgg16")
    for text in ("drop 5 of pool4", "drop 9 of pool3", "drop 31 of upscore8"):
        assert text in picture


def test_maps_without_crops_have_sizes():
    network = narrow_network(new_architecture("fcn8s-vgg11", 2, upsampling="unpooling"))
    assert not crop_rulers(network).alignments

import numpy as np
import pytest

from fullconv.data.formats.labelstudio.painting import paint_annotation
from fullconv.data.formats.labelstudio.tasks import Annotation, Region
from fullconv.data.labels.patches import Patch, union
from fullconv.data.labels.photo_fit import check_fit, check_reach
from fullconv.data.labels.rasterize import Layer, bitmap, dots, ellipse, line, polygon, rectangle
from fullconv.errors import DataError

SIZE = (40, 60)


def layers(patch):
    return [Layer(patch, 1, where="a.json: shape 0")]


def square(top, left, side=4.0):
    return rectangle((top, left), (top + side, left + side), SIZE)


OUTSIDE = {
    "below": square(46, 10),
    "right": square(10, 66),
    "above": square(-10, 10),
    "left": square(10, -10),
    "polygon": polygon([np.array([(50.0, 70.0), (90.0, 80.0), (60.0, 75.0)])], SIZE),
    "two polygons": union([square(46, 10), square(46, 70)]),
    "ellipse": ellipse((60.0, 30.0), (4.0, 4.0), SIZE),
    "line": line(np.array([(50.0, 0.0), (50.0, 60.0)]), 4.0, SIZE),
    "dots": dots(np.array([(60.0, 10.0), (60.0, 80.0)]), 5.0, SIZE),
    "bitmap": bitmap(np.ones((4, 4), np.bool_), (46, 0), SIZE),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_shape_wholly_outside_is_refused(name):
    assert not OUTSIDE[name].mask.any()
    with pytest.raises(DataError, match=r"a.json: shape 0: a shape outside of its photo.*40 x 60"):
        check_fit(layers(OUTSIDE[name]), SIZE)


def test_the_message_has_the_place_of_the_shape():
    with pytest.raises(DataError, match="at rows 46 to 50 and columns 10 to 14; the photo has"):
        check_fit(layers(square(46, 10)), SIZE)


@pytest.mark.parametrize(
    "patch",
    [
        square(38, 58),  # partly outside
        square(44, 10),  # a sliver along the edge
        rectangle((-100, -100), (140, 160), SIZE),
        union([square(10, 10), square(46, 10)]),  # one polygon of two
        ellipse((45.0, 30.0), (9.0, 9.0), SIZE),  # whose center is outside
        Patch(0, 0, np.zeros(SIZE, np.bool_)),  # a brush mask without pixels
        polygon([np.array([(3.1, 3.1), (3.2, 3.1), (3.2, 3.2)])], SIZE),  # between pixel centers
    ],
)
def test_other_shapes_fit(patch):
    check_fit(layers(patch), SIZE)


@pytest.mark.parametrize(
    "patch", [square(30, 30, 21.0), square(-11, 30, 12.0), square(10, 50, 21.0)]
)
def test_without_a_size_a_shape_may_not_reach_far_out(patch):
    check_fit(layers(patch), SIZE)
    with pytest.raises(DataError, match="does not say the photo's size"):
        check_reach(layers(patch), SIZE)


@pytest.mark.parametrize(
    "patch",
    [square(30, 30, 19.0), square(-9, 30, 12.0), ellipse((35.0, 30.0), (30.0, 30.0), SIZE)],
)
def test_without_a_size_a_shape_may_reach_a_little_out(patch):
    check_reach(layers(patch), SIZE)


def test_the_reach_grows_with_the_photo():
    large = (1000, 1000)
    check_reach(layers(rectangle((0, 0), (1049, 900), large)), large)
    with pytest.raises(DataError, match="rows 0 to 1051"):
        check_reach(layers(rectangle((0, 0), (1051, 900), large)), large)


def test_an_annotation_of_a_label_studio_event_must_fit_its_photo():
    value = {"x": 110, "y": 10, "width": 20, "height": 20, "rectanglelabels": ["car"]}
    region = Region("task 1: region 1", value, "car", SIZE)
    annotation = Annotation((), "", False, False, (region,))
    with pytest.raises(DataError, match=r"region 1 \('car'\): a shape outside of its photo"):
        paint_annotation(annotation, ("road", "car"), SIZE, "task 1")

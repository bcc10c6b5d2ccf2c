"""Coordinate maps and windows, compared with definitions, gradients and the authors' numbers."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fullconv.errors import GeometryError
from fullconv.explain.receptive_field import measure_field
from fullconv.networks.fcn import create_model
from fullconv.networks.geometry import (
    CoordMap,
    Field,
    SlidingWindow,
    coord_map,
    crop_offset,
    extent,
    line_up,
    receptive_field,
    window_of,
)

SMALL = {"width": 1 / 32, "hidden": 4}
fractions = st.fractions(-100, 100, max_denominator=64)
maps = st.builds(CoordMap, fractions.filter(lambda scale: scale > 0), fractions)
layers = st.builds(
    lambda kernel, stride, padding, dilation: nn.Conv2d(
        1, 1, kernel, stride, min(padding, kernel // 2), dilation, bias=False
    ),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 2),
)


@given(maps, maps, fractions)
def test_a_composed_map_applies_both(outer, inner, i):
    assert (outer @ inner)(i) == outer(inner(i))


@given(maps, maps, maps)
def test_composition_is_associative(a, b, c):
    assert (a @ b) @ c == a @ (b @ c)


@given(maps, maps)
def test_the_inverse_undoes_from_both_sides(a, b):
    assert a @ a.inverse() == a.inverse() @ a == CoordMap()
    assert (a @ b).inverse() == b.inverse() @ a.inverse()


@given(layers)
def test_a_transposed_convolution_inverts_the_map_of_its_convolution(window):
    same = (window.kernel_size, window.stride, window.padding)
    back = nn.ConvTranspose2d(1, 1, *same, dilation=window.dilation)
    assert coord_map(back) @ coord_map(window) == CoordMap()


@given(st.lists(layers, min_size=1, max_size=4))
def test_the_field_of_a_chain_is_what_its_gradient_reaches(chain):
    found = receptive_field(chain)
    for window in chain:
        nn.init.ones_(window.weight)
    side = 40 + found.size + 8 * int(found.stride)
    image = torch.zeros(1, 1, side, 1 + side, dtype=torch.float64, requires_grad=True)
    result = nn.Sequential(*chain).double()(image)
    middle = result.shape[-2] // 2
    result[0, 0, middle].sum().backward()
    seen = image.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert seen[0] > 0 and seen[-1] < side - 1
    assert int(seen[-1] - seen[0]) + 1 == found.size
    assert Fraction(int(seen[0] + seen[-1]), 2) == found.map(middle)


windows = st.builds(
    SlidingWindow,
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(0, 4),
    st.integers(1, 3),
    st.booleans(),
)
spans = st.tuples(st.integers(-12, 30), st.integers(1, 14)).map(lambda s: (s[0], s[0] + s[1]))
OUTPUTS = range(-60, 60)


def positions(window, output):
    """Return the inputs that one output reads, by definition."""
    start = output * window.stride - window.padding
    return {start + k * window.dilation for k in range(window.kernel)}


@given(windows, spans)
def test_a_window_reads_from_its_first_to_its_last_position(window, outputs):
    found = set().union(*(positions(window, output) for output in range(*outputs)))
    assert window.reads(outputs) == (min(found), max(found) + 1)
    assert window.extent == window.reads((0, 1))[1] - window.reads((0, 1))[0]
    assert window.coord_map(3) == Fraction(min(positions(window, 3)) + max(positions(window, 3)), 2)
    assert window.scale == window.coord_map.scale == window.stride


@given(windows, spans)
def test_outputs_within_a_span_read_nothing_else(window, span):
    inside = set(range(*span))
    assert list(range(*window.within(span))) == [
        output for output in OUTPUTS if positions(window, output) <= inside
    ]


@given(windows, spans)
def test_outputs_that_touch_a_span_are_those_whose_extent_overlaps_it(window, span):
    inside = set(range(*span))
    overlapping = [
        output for output in OUTPUTS if inside & set(range(*window.reads((output, output + 1))))
    ]
    assert list(range(*window.touching(span))) == overlapping
    reading = [output for output in OUTPUTS if positions(window, output) & inside]
    assert set(reading) <= set(overlapping)
    assert window.dilation > 1 or reading == overlapping


@given(windows, st.integers(1, 30))
def test_a_window_has_as_many_outputs_as_pytorchs_pooling(window, length):
    window = replace(window, padding=min(window.padding, window.kernel // 2))
    settings = window.kernel, window.stride, window.padding, window.dilation
    pool = nn.MaxPool1d(*settings, ceil_mode=window.ceil)
    x = torch.zeros(1, 1, length)
    if window.outputs(length) > 0:
        assert pool(x).shape[-1] == window.outputs(length)
    else:
        with pytest.raises(RuntimeError):
            pool(x)


@given(windows, st.integers(1, 30))
def test_all_outputs_without_padding_are_within_the_input(window, length):
    window = replace(window, padding=0, ceil=False)
    assert window.within((0, length)) == (0, window.outputs(length))


@given(layers)
def test_the_window_of_a_layer(layer):
    window = window_of(layer)
    assert layer.kernel_size == (window.kernel,) * 2 and layer.stride == (window.stride,) * 2
    assert layer.padding == (window.padding,) * 2 and layer.dilation == (window.dilation,) * 2
    assert window_of(nn.MaxPool2d(3, 2, 1, ceil_mode=True)) == SlidingWindow(3, 2, 1, ceil=True)


@pytest.mark.parametrize(
    ("stride", "offsets"), [(32, (19,)), (16, (5, 27)), (8, (5, 9, 31)), (4, (5, 9, 17, 33))]
)
def test_the_authors_offsets(stride, offsets):
    """voc-fcn32s, -16s and -8s crop by these; 4s as Caffe's coord_map.py would."""
    assert create_model(f"fcn{stride}s-vgg16", 21, padding=100, **SMALL).offsets() == offsets


def test_fc7_sees_404_pixels_every_32_from_12_and_a_half():
    backbone = create_model("fcn32s-vgg16", 2, padding=100, **SMALL).backbone
    expected = Field(404, CoordMap(Fraction(32), Fraction(25, 2)))
    assert backbone.feature_info()["fc7"].field == expected
    assert measure_field(backbone, "fc7") == (expected, expected)


def test_a_strided_window_and_its_extent():
    assert coord_map(nn.MaxPool2d(2)) == CoordMap(Fraction(2), Fraction(1, 2))
    assert coord_map(nn.ZeroPad2d(3)) == CoordMap(shift=Fraction(-3))
    assert extent(nn.Conv2d(1, 1, 3, dilation=4)) == 9
    assert extent(nn.ReLU()) == 1


def test_an_unbounded_field_stays_unbounded():
    assert not Field(bounded=False).through(nn.Conv2d(1, 1, 3)).bounded


@pytest.mark.parametrize(
    "layer", [nn.Softmax2d(), nn.Conv2d(1, 1, (1, 3)), nn.ZeroPad2d((1, 0, 2, 0))]
)
def test_an_unknown_layer_or_window_is_refused(layer):
    with pytest.raises(GeometryError):
        coord_map(layer)


def test_crops_by_a_fraction_of_a_pixel_are_refused():
    half = CoordMap(shift=Fraction(1, 2))
    with pytest.raises(GeometryError, match="no whole crop"):
        crop_offset(CoordMap(), half)
    with pytest.raises(GeometryError, match="no whole crop"):
        crop_offset(CoordMap(), CoordMap(shift=Fraction(-1)))
    assert line_up(CoordMap(shift=Fraction(3)), CoordMap()) == (0, 3)
    assert line_up(CoordMap(), CoordMap(shift=Fraction(3))) == (3, 0)


def test_maps_as_text():
    assert str(CoordMap(Fraction(32), Fraction(-25, 2))) == "32 i - 25/2"
    assert str(CoordMap()) == "i"

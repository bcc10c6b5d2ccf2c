"""Named sequences, normalization, checked crops and upsampling, compared with references."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, coord_map
from fullconv.networks.layers import (
    BilinearUpsample,
    CornerResize,
    NamedSequential,
    Normalize,
    TransposedUpsample,
    Unpool,
    bilinear_kernel,
    crop,
)

few = settings(deadline=None, max_examples=20, derandomize=True)
factors = st.integers(2, 32)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def chain():
    layers = [("conv1", nn.Conv2d(3, 4, 3, padding=1)), ("pool1", nn.MaxPool2d(2))]
    return NamedSequential([*layers, ("conv2", nn.Conv2d(4, 5, 3)), ("pool2", nn.MaxPool2d(2))])


def test_features_equal_the_layers_outputs():
    layers, x = chain(), drawn(1, 3, 16, 16)
    found = layers.features(x, ("pool1", "pool2"))
    assert torch.equal(found["pool1"], layers.pool1(layers.conv1(x)))
    assert torch.equal(found["pool2"], layers(x)) and list(found) == ["pool1", "pool2"]


def test_nothing_after_the_last_wanted_feature_is_computed():
    layers = chain()
    layers.conv2.register_forward_hook(lambda *_: pytest.fail("conv2 ran"))
    found = layers.features(drawn(1, 3, 16, 16), ("pool1",))
    assert list(found) == ["pool1"] and found["pool1"].shape == (1, 4, 8, 8)


def test_feature_info_has_widths_strides_and_skips():
    layers = chain()
    assert {name: tap.width for name, tap in layers.feature_info().items()} == {
        "conv1": 4, "pool1": 4, "conv2": 5, "pool2": 5,
    }  # fmt: skip
    assert layers.skip(2) == "pool1" and layers.skip(4) == "pool2" and layers.skip(8) is None
    assert layers.top == "pool2"


def test_normalizing_subtracts_divides_and_orders():
    image = torch.tensor([10.0, 20.0, 30.0]).view(1, 3, 1, 1)
    rgb = Normalize((1, 2, 3), (1, 2, 3))(image).flatten()
    assert rgb.tolist() == [9, 9, 9]
    bgr = Normalize((0, 0, 0), (1, 1, 1), "bgr")(image).flatten()
    assert bgr.tolist() == [30, 20, 10]


@pytest.mark.parametrize("size", [1, 4, 5, 8, 9, 16, 32, 64])
def test_the_kernel_is_caffes_filler(size):
    # BilinearFiller of Caffe's filler.hpp; it is made for these sizes, 2 f - f % 2.
    f = (size + 1) // 2
    c = (2 * f - 1 - f % 2) / (2.0 * f)
    row = [1 - abs(x / f - c) for x in range(size)]
    np.testing.assert_allclose(bilinear_kernel(size), np.outer(row, row), atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 15, 16, 63, 64])
def test_the_kernel_is_the_authors(size):
    # upsample_filt of the authors' surgery.py
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    row = 1 - np.abs(np.arange(size) - centre) / factor
    np.testing.assert_allclose(bilinear_kernel(size), np.outer(row, row), atol=1e-6)


@few
@given(factors, st.integers(2, 5), st.integers(2, 5))
@torch.no_grad()
def test_transposed_upsampling_starts_as_bilinear_interpolation_away_from_the_border(factor, h, w):
    x, margin = drawn(1, 2, h, w), (factor + 1) // 2
    found = crop(TransposedUpsample(2, factor)(x), factor // 2, (factor * h, factor * w))
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    inside = (..., slice(margin, -margin), slice(margin, -margin))
    torch.testing.assert_close(found[inside], expected[inside], rtol=0, atol=1e-5)
    # At the border it fades to zero.
    assert not torch.allclose(found[..., 0, :], expected[..., 0, :], atol=1e-3)


@few
@given(factors, st.integers(1, 5), st.integers(1, 5))
def test_interpolation_equals_pytorchs_up_to_the_border(factor, h, w):
    x = drawn(1, 2, h, w)
    found = crop(BilinearUpsample(factor)(x), factor // 2, (factor * h, factor * w))
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@few
@given(factors, st.booleans(), st.integers(1, 6))
@torch.no_grad()
def test_interpolation_has_the_pixels_of_transposed_upsampling_and_repeats_the_edge(
    factor, odd, length
):
    kernel = 2 * factor - 1 if odd else 2 * factor - factor % 2
    layer, twin = BilinearUpsample(factor, kernel), TransposedUpsample(1, factor, kernel)
    x = drawn(1, 1, length, 1).repeat(1, 1, 1, 3)  # columns alike, so that numpy can do the rows
    found = layer(x)
    assert found.shape == twin(x).shape and coord_map(layer) == coord_map(twin)
    at = [float(coord_map(layer)(i)) for i in range(found.shape[2])]
    rows = np.interp(at, range(length), x[0, 0, :, 0])  # which repeats the edge too
    np.testing.assert_allclose(found[0, 0], np.repeat(rows[:, None], found.shape[3], 1), atol=1e-5)
    inside = (..., slice(factor, -factor), slice(factor, -factor))
    torch.testing.assert_close(found[inside], twin(x)[inside], rtol=0, atol=1e-5)


@few
@given(st.integers(1, 6), st.integers(1, 20))
def test_corner_resizing_aligns_the_corners(length, size):
    x = drawn(1, 1, length, 1).expand(1, 1, length, 2)
    found = CornerResize()(x, (size, 2))[0, 0, :, 0].numpy()
    positions = np.linspace(0, length - 1, size) if size > 1 else [0]
    np.testing.assert_allclose(found, np.interp(positions, range(length), x[0, 0, :, 0]), atol=1e-5)


@few
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3))
def test_unpooling_equals_pytorchs(h, w, window):
    before = drawn(2, 3, h, w)
    pool = nn.MaxPool2d(window, ceil_mode=True, return_indices=True)
    values, indices = pool(before)
    expected = F.max_unpool2d(values * 2, indices, window, output_size=(h, w))
    assert torch.equal(Unpool(pool)(values * 2, before), expected)


def test_unpooling_passes_gradients_back_to_the_values_only():
    values, before = drawn(1, 1, 2, 2).requires_grad_(), drawn(1, 1, 4, 4).requires_grad_()
    Unpool(nn.MaxPool2d(2))(values, before).sum().backward()
    assert torch.equal(values.grad, torch.ones(1, 1, 2, 2)) and before.grad is None


@pytest.mark.parametrize("options", [{"stride": 2}, {"padding": 1}, {"dilation": 2}])
def test_unpooling_windows_that_overlap_is_refused(options):
    with pytest.raises(GeometryError, match="neither overlap nor leave gaps"):
        Unpool(nn.MaxPool2d(3, **options))


def test_the_maps_of_upsampling_layers():
    assert coord_map(TransposedUpsample(1, 2)) == CoordMap(Fraction(1, 2), Fraction(-3, 4))
    assert coord_map(BilinearUpsample(2)) == CoordMap(Fraction(1, 2), Fraction(-3, 4))


@pytest.mark.parametrize(("offset", "size"), [(-1, (2, 2)), (3, (2, 3)), (0, (5, 4)), (0, (4, 5))])
def test_a_crop_that_does_not_fit_is_refused(offset, size):
    with pytest.raises(GeometryError, match=f"{size[0]} x {size[1]} at {offset}"):
        crop(torch.zeros(1, 1, 4, 4), offset, size)
    assert crop(torch.zeros(1, 1, 4, 4), 1, (3, 2)).shape == (1, 1, 3, 2)

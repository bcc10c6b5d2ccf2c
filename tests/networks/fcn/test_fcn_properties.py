"""Properties for any size, number of classes, set of skips, width and padding."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from fullconv.networks.backbones import create_classifier
from fullconv.networks.dense.convolutionalize import convolutionalize, headless
from fullconv.networks.fcn import create_model
from fullconv.networks.layers import NamedSequential
from fullconv.training.target import cross_entropy

few = settings(deadline=None, max_examples=15, derandomize=True)
strides = st.sampled_from([32, 16, 8, 4, 2])
depths = st.sampled_from([11, 13, 16, 19])
backbones = st.sampled_from(["vgg11", "vgg11_bn", "vgg13", "vgg16", "vgg16_bn", "vgg19"])
sides = st.integers(1, 80)
ways = st.sampled_from(
    [
        ("transposed", "cascade"),
        ("transposed", "sum"),
        ("bilinear", "cascade"),
        ("bilinear", "sum"),
        ("bilinear-corners", "cascade"),
        ("bilinear-corners", "sum"),
        ("unpooling", "cascade"),
    ]
)


def network(name, classes=3, width=1 / 32, **options):
    torch.manual_seed(0)
    made = create_model(name, classes, width=width, **({"hidden": 8} | options)).eval()
    for layer in made.score_layers():
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    return made


def photo(height, width, seed=1, batch=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=generator) * 255


@few
@given(strides, backbones, ways, sides, sides, st.integers(1, 4), st.sampled_from([1 / 64, 1 / 16]))
@example(2, "vgg16", ("unpooling", "cascade"), 1, 1, 2, 1 / 64)
@torch.no_grad()
def test_scores_have_the_images_size(stride, backbone, way, height, width, classes, wide):
    upsampling, fusing = way
    options = {"upsampling": upsampling, "fusing": fusing}
    made = network(f"fcn{stride}s-{backbone}", classes, wide, **options)
    assert made(photo(height, width)).shape == (1, classes, height, width)


@few
@given(strides, st.integers(97, 130), sides, sides, st.sampled_from(["transposed", "bilinear"]))
@example(8, 97, 1, 1, "transposed")
@example(32, 97, 1, 1, "bilinear")
@torch.no_grad()
def test_any_padding_from_97_works_for_any_size(stride, padding, height, width, upsampling):
    made = network(f"fcn{stride}s-vgg11", padding=padding, upsampling=upsampling)
    assert made(photo(height, width)).shape == (1, 3, height, width)


@few
@given(depths, st.integers(97, 130))
@example(16, 100)
def test_inner_crops_equal_the_authors_and_only_the_last_depends_on_the_padding(depth, padding):
    # One more pixel of zeros moves all features by one: the skips stay where the scores are.
    extra = padding - 100
    for name, authors in (("32s", ()), ("16s", (5,)), ("8s", (5, 9)), ("4s", (5, 9, 17))):
        last = {"32s": 19, "16s": 27, "8s": 31, "4s": 33}[name]
        for norm in ("", "_bn"):
            made = network(f"fcn{name}-vgg{depth}{norm}", width=1 / 64, padding=padding)
            assert made.offsets() == (*authors, last + extra)


@few
@given(depths, st.sampled_from(["", "_bn"]), strides)
def test_with_padding_same_every_cell_covers_its_own_pixels(depth, norm, stride):
    made = network(f"fcn{stride}s-vgg{depth}{norm}", width=1 / 64)
    features = made.backbone.feature_info()
    for name in (made.top, *made.skips):
        middle = features[name].field.map
        assert middle.shift == Fraction(middle.scale - 1, 2)  # pixel 0 covers the first `scale`
    assert made.offset == stride // 2 and set(made.offsets()[:-1]) <= {1}


SHIFT = 32


def inside(tap, height, count):
    """Return the cells, of `count`, whose receptive field is inside an image of `height` rows."""
    reach = Fraction(tap.field.size - 1, 2)
    at = [tap.field.map(i) for i in range(count)]
    return [i for i, row in enumerate(at) if row - reach >= 0 and row + reach <= height - 1]


@pytest.mark.parametrize("padding", ["same", 100])
@pytest.mark.parametrize("name", ["fcn8s-vgg11", "fcn8s-vgg13_bn"])
@torch.no_grad()
def test_shifting_the_image_by_the_stride_shifts_the_score_by_one_cell(name, padding):
    made = network(name, width=1 / 16, padding=padding)
    size = 512
    wide = photo(size + SHIFT, size + SHIFT)
    features = [
        made.backbone.features(made.normalize(one), (made.top, *made.skips))
        for one in (wide[..., :size, :size], wide[..., SHIFT:, SHIFT:])
    ]
    for layer, feature in zip(made.score_layers(), (made.top, *made.skips), strict=True):
        tap = made.backbone.feature_info()[feature]
        first, second = (layer(one[feature]) for one in features)
        cells, step = inside(tap, size, first.shape[-1]), SHIFT // int(tap.field.stride)
        both = [i for i in cells if i - step in cells]
        assert both
        moved = [i - step for i in both]
        here, there = first[..., both, :][..., both], second[..., moved, :][..., moved]
        torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-4)
        assert len(both) == 1 or here.std() > 0


@pytest.mark.parametrize("options", [{}, {"padding": 100}, {"fusing": "sum"}])
@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
@torch.no_grad()
def test_shifting_the_image_by_the_stride_shifts_the_scores(upsampling, options):
    made = network("fcn8s-vgg11", width=1 / 16, upsampling=upsampling, **options)
    size = 608
    wide = photo(size + SHIFT, size + SHIFT)
    first, second = made(wide[..., :size, :size]), made(wide[..., SHIFT:, SHIFT:])
    # A pixel sees the fields of the cells around it, two cells away at most.
    margin = made.backbone.feature_info()[made.top].field.size // 2 + 2 * 32
    rows = slice(margin + SHIFT, size - margin)
    moved = slice(margin, size - margin - SHIFT)
    here, there = first[..., rows, rows], second[..., moved, moved]
    assert here.shape[-1] >= 32 and here.std() > 0
    torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("depth", "size"), [(11, None), (16, 404)])
@pytest.mark.parametrize("padding", [1, 100])
def test_the_receptive_field_equals_that_of_the_gradient(depth, size, padding):
    """fc7 of VGG-16 has a field of 404 pixels (paper, table 1), centred as computed."""
    classifier = create_classifier(f"vgg{depth}", 1, width=1 / 64, hidden=1, padding=padding)
    dense = headless(convolutionalize(classifier, padding == 1)).double().eval()
    tap = dense.feature_info()["fc7"]
    assert size is None or tap.field.size == size
    # Average instead of max pooling gives every pixel of a window a gradient.
    layers = [
        (name, nn.AvgPool2d(2, ceil_mode=True) if isinstance(layer, nn.MaxPool2d) else layer)
        for name, layer in dense.named_children()
    ]
    for parameter in dense.parameters():
        nn.init.constant_(parameter, 0.5)
    image = torch.ones(1, 3, 500, 480, dtype=torch.float64, requires_grad=True)
    feature = NamedSequential(layers).features(image, ("fc7",))["fc7"]
    row, column = (
        next(i for i in range(99) if tap.field.map(i) - Fraction(tap.field.size - 1, 2) >= 0)
        for _ in range(2)
    )
    (gradient,) = torch.autograd.grad(feature[0, 0, row, column], image)
    seen = gradient[0, 0].nonzero()
    first, last = seen.min(0).values, seen.max(0).values
    assert len(seen) == tap.field.size**2  # a full square
    assert (last - first + 1).tolist() == [tap.field.size] * 2
    for axis, cell in enumerate((row, column)):
        assert Fraction(int(first[axis] + last[axis]), 2) == tap.field.map(cell)


@few
@given(strides, st.integers(1, 9), ways)
@torch.no_grad()
def test_initial_scores_are_zero_and_the_loss_is_that_of_chance(stride, classes, way):
    upsampling, fusing = way
    fresh = create_model(
        f"fcn{stride}s-vgg11", classes, width=1 / 64, hidden=4, upsampling=upsampling, fusing=fusing
    )
    score = fresh(photo(33, 20))
    assert not score.any()
    labels = torch.randint(classes, (1, 33, 20), generator=torch.Generator().manual_seed(0))
    assert cross_entropy(score, labels).item() == pytest.approx(math.log(classes), abs=1e-6)


@few
@given(
    st.tuples(*[st.floats(0, 255)] * 3),
    st.tuples(*[st.floats(1, 255)] * 3),
    st.sampled_from(["rgb", "bgr"]),
)
@torch.no_grad()
def test_the_network_applies_mean_std_and_channel_order(mean, std, order):
    plain = network("fcn32s-vgg11", mean=(0, 0, 0), std=(1, 1, 1)).double()
    made = network("fcn32s-vgg11", mean=mean, std=std, order=order).double()
    image = photo(40, 36).double()
    moved = (image - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    torch.testing.assert_close(made(image), plain(moved.flip(1) if order == "bgr" else moved))


@few
@given(st.sampled_from(["fcn16s-vgg11", "fcn8s-vgg11", "fcn4s-vgg11"]), st.data())
@torch.no_grad()
def test_a_skip_scale_equals_scaled_score_weights(name, data):
    plain = network(name)
    factors = tuple(data.draw(st.floats(1e-4, 4)) for _ in plain.skips)
    scaled = network(name, skip_scales=factors)
    for skip, factor in zip(plain.skips, factors, strict=True):
        plain.get_submodule(f"score_{skip}").weight *= factor
    torch.testing.assert_close(plain(photo(40, 50)), scaled(photo(40, 50)), rtol=1e-4, atol=1e-4)


@few
@given(strides, st.booleans(), st.sampled_from(["cascade", "sum"]))
def test_upsampling_is_trained_only_if_learned(stride, learned, fusing):
    options = {"upsampling": "transposed", "learn_upsampling": learned, "fusing": fusing}
    made = network(f"fcn{stride}s-vgg11", **options)
    made(photo(33, 40)).square().mean().backward()
    weights = [one for name, one in made.named_parameters() if name.startswith("upscore")]
    assert len(weights) == len(made.skips) + 1
    for weight in weights:
        assert bool(weight.grad is not None and weight.grad.any()) is learned

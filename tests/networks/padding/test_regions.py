"""Influenced regions: the paper's network, and regions found by changing the image."""

import pytest
import torch
from torch import nn

from fullconv.networks.backbones import create_classifier
from fullconv.networks.dense.convolutionalize import convolutionalize, headless
from fullconv.networks.geometry import SlidingWindow
from fullconv.networks.padding.regions import AxisRegions, plan_regions


def chain(name, padding=100):
    classifier = create_classifier(name, 1, width=1 / 64, hidden=2, padding=padding)
    return dict(headless(convolutionalize(classifier)).eval().named_children())


def test_the_papers_ranges_on_rows_of_256():
    # conv1_1 sees one pixel to each side, every 3 x 3 convolution adds one, a pooling halves.
    steps = plan_regions(chain("vgg16"), (1, 3, 256, 256))
    influenced = {name: step.axes[0].influenced for name, step in steps.items()}
    expected = {"conv1_1": (98, 356), "conv1_2": (97, 357), "pool1": (48, 179)}
    expected |= {"conv2_2": (46, 181), "pool2": (23, 91), "pool3": (10, 47), "pool4": (3, 25)}
    assert {name: influenced[name] for name in expected} == expected
    assert list(steps)[-1] == "pool4"
    assert [steps[name].axes[0].constant[0] for name in ("conv1_1", "conv1_2", "pool4")] == [
        0,
        1,
        3,
    ]


@pytest.mark.parametrize("name", ["vgg11", "vgg13_bn", "vgg16", "vgg19", "alexnet"])
@pytest.mark.parametrize("side", [1, 2, 31, 100, 257])
def test_influenced_positions_are_those_that_a_change_of_the_image_reaches(name, side):
    layers = chain(name)
    generator = torch.Generator().manual_seed(side)
    empty = torch.zeros(1, 3, 1, side, dtype=torch.float64)
    images = empty, torch.rand(empty.shape, generator=generator, dtype=torch.float64) - 0.5
    steps = plan_regions(layers, empty.shape)
    assert steps
    for step, first, second in zip(
        steps.values(), *(_rows(layers, x) for x in images), strict=False
    ):
        differs = (first != second).any(1).flatten().nonzero().flatten()
        axis = step.axes[1]
        assert first.shape[-1] == axis.length
        alike = first[..., axis.constant[0] : axis.constant[1]]
        assert (alike == alike[..., :1]).all()
        assert axis.constant[0] <= axis.influenced[0] < axis.influenced[1] <= axis.constant[1]
        if len(differs):  # a pooling may hide what comes from an edge
            assert axis.influenced[0] <= differs.min() and differs.max() < axis.influenced[1]


def _rows(layers, image):
    """Yield the middle row of every layer's output, computed by PyTorch."""
    x = image
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            layer.double()
        x = layer(x)
        yield x[..., x.shape[-2] // 2, None, :]


def test_regions_end_where_the_influence_meets_the_border():
    axis = AxisRegions(length=10, constant=(2, 8), influenced=(4, 6))
    layer = SlidingWindow(kernel=3, padding=1)
    once = axis.through(layer)
    assert once == AxisRegions(10, (3, 7), (3, 7))
    assert once.through(layer) is None


REFUSED = {
    "padding is not zeros": lambda: nn.Conv2d(3, 2, 3, padding=9, padding_mode="circular"),
    "rows and columns differ": lambda: nn.Conv2d(3, 2, 3, padding=(9, 8)),
    "nothing around the image": lambda: nn.Conv2d(3, 2, 3),
    "dropout is random": lambda: nn.Dropout(),
    "a kind of its own": lambda: type("Mine", (nn.Conv2d,), {})(3, 2, 3, padding=9),
}


@pytest.mark.parametrize("why", REFUSED)
def test_unknown_layers_have_no_regions(why):
    assert plan_regions({"first": REFUSED[why]()}, (1, 3, 20, 20)) == {}


def test_a_layer_with_hooks_has_no_regions():
    layers = chain("vgg11")
    assert "pool1" in plan_regions(layers, (1, 3, 20, 20))
    layers["conv1_1"].register_forward_hook(lambda *_: None)
    assert plan_regions(layers, (1, 3, 20, 20)) == {}


@pytest.mark.parametrize("side", [1, 64, 301])
def test_padding_same_has_no_regions(side):
    assert plan_regions(chain("vgg16", "same"), (1, 3, side, side)) == {}

"""The choice of upsampling layers, and the alignment of their pixels."""

from fractions import Fraction

import pytest
import torch

from fullconv.errors import GeometryError
from fullconv.networks.fcn import create_model
from fullconv.networks.fcn.upsampling import IMAGE, plan_upsampling, upsampler
from fullconv.networks.geometry import CoordMap, Field
from fullconv.networks.layers import BilinearUpsample, CornerResize, FeatureInfo, TransposedUpsample


def at(scale, shift):
    return CoordMap(Fraction(scale), Fraction(shift))


CELLS = at(32, "31/2")  # a pixel is the middle of 32 pixels: VGG, padding "same"
KNOTS = at(32, 0)  # one feature per 32 pixels, at pixel 0: ResNet


@pytest.mark.parametrize(
    ("kind", "layer"), [("transposed", TransposedUpsample), ("bilinear", BilinearUpsample)]
)
@pytest.mark.parametrize(("here", "size"), [(CELLS, 64), (KNOTS, 63), (at(4, 3), 7), (at(3, 1), 5)])
def test_the_kernel_aligns_with_the_image(kind, layer, here, size):
    found, reached = upsampler(kind, 2, here, IMAGE, learned=False)
    assert isinstance(found, layer)
    kernel = found.kernel if kind == "bilinear" else found.kernel_size[0]
    assert kernel == size
    assert reached.scale == 1 and reached.shift.denominator == 1


def test_corner_resizing_needs_maps_that_start_at_the_images_corner():
    assert isinstance(upsampler("bilinear-corners", 2, CELLS, IMAGE, False)[0], CornerResize)
    with pytest.raises(GeometryError, match='or with VGG padding "same"'):
        upsampler("bilinear-corners", 2, at(16, "-183/2"), IMAGE, False)


TAPS = {
    "top": FeatureInfo(8, Field(map=CELLS)),
    "skip": FeatureInfo(4, Field(map=at(16, "15/2"))),
    "fine": FeatureInfo(4, Field(map=at(8, "7/2"))),
}


@pytest.mark.parametrize(
    ("fusing", "names", "offsets"),
    [
        ("cascade", ["upscore2", "upscore_skip", "upscore8"], [(1, 0), (1, 0)]),
        ("sum", ["upscore", "upscore16", "upscore8"], [(16, 0), (8, 0)]),
    ],
)
def test_a_plan_names_the_layers_and_crops(fusing, names, offsets):
    plan = plan_upsampling("transposed", fusing, 2, False, TAPS, "top", ("skip", "fine"))
    assert list(plan.layers) == names and plan.final == "upscore8" and plan.offset == 4
    assert [(f.score_offset, f.skip_offset) for f in plan.fusions] == offsets


@pytest.mark.parametrize("name", ["fcn8s-vgg11", "fcn2s-mnasnet0_5"])
@torch.no_grad()
def test_scores_do_not_fade_at_the_edges_by_default(name):
    settings = {"width": 1 / 32, "hidden": 8} if "vgg" in name else {}
    image = torch.zeros(1, 3, 45, 70)
    for upsampling, fades in ((None, False), ("transposed", True)):
        network = create_model(name, 2, upsampling=upsampling, **settings).eval()
        network.score_fr.bias.fill_(3.0)  # the same score everywhere
        score = network(image)
        assert torch.allclose(score, torch.tensor(3.0)) != fades


def test_the_papers_padding_keeps_transposed_convolutions():
    settings = {"width": 1 / 32, "hidden": 8}
    for options in ({"padding": 100}, {"learn_upsampling": True}):
        network = create_model("fcn8s-vgg11", 2, **settings, **options)
        assert network.architecture.upsampling == "transposed"

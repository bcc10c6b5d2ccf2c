"""A finer network starts as the coarser one; how exactly depends on `fusing`."""

import numpy as np
import pytest
import torch
from torch import nn

from fullconv.errors import ConfigError, UnknownNameError
from fullconv.networks.fcn import create_model
from fullconv.networks.fcn.staging import grow, stage
from fullconv.networks.layers import TransposedUpsample


def trained(network, seed=0):
    """Set scores, norms and learned upsampling to random values."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network.score_layers():
        layer.weight.data.normal_(0, 0.1, generator=generator)
        layer.bias.data.normal_(0, 0.1, generator=generator)
    for layer in network.modules():
        if isinstance(layer, TransposedUpsample) and layer.weight.requires_grad:
            layer.weight.data += 0.01
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1, generator=generator)
    return network.eval()


def tiny(name="fcn32s-vgg11", classes=3, **options):
    torch.manual_seed(0)
    return create_model(name, classes, **({"width": 1 / 16, "hidden": 16} | options))


def photo(height=75, width=98):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(5)) * 255


EXACT = [
    {"upsampling": "transposed"},
    {"upsampling": "transposed", "learn_upsampling": True},
    {"upsampling": "transposed", "padding": 100},
    {"upsampling": "bilinear"},
    {"upsampling": "bilinear", "padding": 100},
    {"upsampling": "bilinear-corners"},
    {"upsampling": "unpooling"},
]


@pytest.mark.parametrize("options", EXACT, ids=lambda options: " ".join(map(str, options.values())))
@pytest.mark.parametrize("backbone", ["vgg11", "vgg16_bn"])
@torch.no_grad()
def test_every_stage_starts_with_exactly_the_coarser_scores(backbone, options):
    network = trained(tiny(f"fcn32s-{backbone}", **options))
    for number, stride in enumerate((16, 8, 4, 2)):
        finer = grow(network)
        assert finer.architecture.name == f"fcn{stride}s-{backbone}"
        assert len(finer.skips) == number + 1
        scores = network(photo())
        assert torch.equal(finer(photo()), scores) and scores.std() > 0
        network = trained(finer, seed=stride)
        assert not torch.equal(network(photo()), scores)  # the new skip has an effect


@torch.no_grad()
def test_in_the_papers_cascade_the_coarse_scores_are_exact():
    coarser = trained(tiny("fcn16s-vgg11"))
    finer = grow(coarser)
    seen = []
    for network, name in ((coarser, "upscore16"), (finer, "upscore_pool4")):
        layer = network.get_submodule(name)
        layer.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
        network(photo())
    assert torch.equal(*seen)


@torch.no_grad()
def test_in_the_papers_cascade_the_upsampled_scores_are_not():
    # The numbers that `stage` tells: the corner that the second step cuts.
    single = torch.zeros(1, 1, 9, 9)
    single[..., 4, 4] = 1
    once, first, second = (
        TransposedUpsample(1, 32),
        TransposedUpsample(1, 2),
        TransposedUpsample(1, 16),
    )
    at_once, in_two = once(single), second(first(single))
    assert at_once.max().item() == pytest.approx(0.97, abs=0.005)
    assert in_two.max().item() == pytest.approx(0.56, abs=0.005)
    coarser = trained(tiny())
    difference = (grow(coarser, "cascade")(photo()) - coarser(photo())).abs().max()
    assert 0.01 < difference / coarser(photo()).abs().max() < 0.5


@torch.no_grad()
def test_in_the_papers_cascade_linear_scores_stay_exact_inside():
    slope = (torch.arange(9.0)[:, None] + 2 * torch.arange(9.0))[None, None]
    at_once, in_two = (
        TransposedUpsample(1, 32)(slope),
        TransposedUpsample(1, 16)(TransposedUpsample(1, 2)(slope)),
    )
    middle = [one[..., 160:-160, 160:-160] for one in (at_once, in_two[..., 8:-8, 8:-8])]
    torch.testing.assert_close(*middle)


def test_only_these_two_kernels_compose_to_the_single_step():
    # By rows, as polynomials: 64 = first(z^16) * second has a rest unless first is (1 + z)^n.
    tent = {
        size: 1 - np.abs(np.arange(size) - (size - 1) / 2) / ((size + 1) // 2) for size in (4, 64)
    }

    def spread(row):
        apart = np.zeros(16 * (len(row) - 1) + 1)
        apart[::16] = row
        return apart

    rest = np.polydiv(tent[64], spread(tent[4]))[1]
    assert np.abs(rest).max() > 0.1
    second, rest = np.polydiv(tent[64], spread(np.array([1.0, 1.0])))  # repeats pixels
    assert np.abs(rest).max() < 1e-12 and len(second) == 48


def test_new_scores_are_zero_and_old_layers_are_copies():
    coarser = trained(tiny("fcn16s-vgg11", mean=(1, 2, 3), upsampling="transposed"))
    torch.manual_seed(9)
    finer = tiny("fcn8s-vgg11", upsampling="transposed")
    nn.init.ones_(finer.score_pool3.weight)
    done = stage(finer, coarser)
    assert set(done.missing) == {
        "score_pool3.weight", "score_pool3.bias", "upscore_pool4.weight", "upscore8.weight",
    }  # fmt: skip
    assert done.left_over == ("upscore16.weight",) and not done.reshaped
    assert not finer.score_pool3.weight.any() and not finer.score_pool3.bias.any()
    assert torch.equal(finer.backbone.conv1_1.weight, coarser.backbone.conv1_1.weight)
    assert torch.equal(finer.score_pool4.weight, coarser.score_pool4.weight)
    assert finer.normalization == coarser.normalization
    finer.score_pool4.weight.data.zero_()
    assert coarser.score_pool4.weight.any()


def test_the_new_skip_has_a_gradient_in_the_first_step():
    finer = grow(trained(tiny()))
    finer(photo()).square().mean().backward()
    assert finer.score_pool4.weight.grad.abs().sum() > 0


def test_skip_scales_are_kept():
    coarser = tiny("fcn16s-vgg11", skip_scales=(0.01,))
    assert grow(coarser, scale=0.0001).architecture.skip_scales == (0.01, 0.0001)
    assert grow(coarser).skip_scales == {"pool4": 0.01, "pool3": 1.0}
    assert grow(tiny()).architecture.skip_scales is None


def test_growing_keeps_the_training_mode():
    assert grow(tiny().train()).training and not grow(tiny().eval()).training


OTHERS = {
    "3 classes and skips pool4 cannot start from one with 5": (
        {"name": "fcn16s-vgg11"}, {"classes": 5},
    ),
    "the same skips and more": ({"name": "fcn16s-vgg11"}, {"name": "fcn8s-vgg11"}),
    '"bilinear" cannot start from one with "transposed"': ({}, {"upsampling": "transposed"}),
    'fusing "sum" cannot start from': (
        {"name": "fcn8s-vgg11", "fusing": "sum"}, {"name": "fcn16s-vgg11"},
    ),
    "pool4 has factor 1 in the finer network and 0.01 in the coarser": (
        {"name": "fcn8s-vgg11"}, {"name": "fcn16s-vgg11", "skip_scales": (0.01,)},
    ),
    "backbones differ": ({"name": "fcn16s-vgg11"}, {"name": "fcn32s-vgg13"}),
}  # fmt: skip


@pytest.mark.parametrize("reason", OTHERS)
def test_networks_that_do_not_fit_together_are_refused(reason):
    finer, coarser = (tiny(**options) for options in OTHERS[reason])
    with pytest.raises(ConfigError, match=reason):
        stage(finer, coarser)


def test_the_finest_network_cannot_grow():
    with pytest.raises(UnknownNameError, match="fcn1s-vgg11"):
        grow(tiny("fcn2s-vgg11"))


def test_a_network_not_built_by_name_cannot_grow():
    network = tiny()
    network.architecture = None
    with pytest.raises(ConfigError, match="use `stage`"):
        grow(network)


def test_what_cannot_grow_is_refused_in_a_sentence():
    network = tiny("fcn32s-vgg11")
    with pytest.raises(ConfigError, match="fusing is 'add': expected 'cascade' or 'sum'"):
        grow(network, fusing="add")
    with pytest.raises(ConfigError, match="coarser is of the type str; expected a network"):
        grow("fcn32s-vgg11")
    with pytest.raises(UnknownNameError, match="expected FCN-2s at the finest"):
        grow(tiny("fcn2s-vgg11"))

"""The unpooling decoder: sizes, channels, positions, and what it refuses."""

import pytest
import torch
from torch import nn

from fullconv.errors import ConfigError
from fullconv.networks.backbones import create_classifier
from fullconv.networks.dense.convolutionalize import convolutionalize, headless
from fullconv.networks.fcn.unpooling import UnpoolingDecoder
from fullconv.networks.layers import NamedSequential


def backbone(name="vgg11_bn", **options):
    torch.manual_seed(0)
    classifier = create_classifier(name, 1, width=1 / 16, hidden=8, **options)
    return headless(convolutionalize(classifier, same=True)).eval()


def backwards(chain, image, **skips):
    """Return the decoder's features, and the shapes of its maps by layer."""
    mirror = UnpoolingDecoder(chain, chain.feature_info()[chain.top].width, tuple(skips)).eval()
    sizes = {}
    for name, layer in mirror.named_modules():
        layer.register_forward_hook(
            lambda layer, given, output, name=name: sizes.update({name: output.shape[1:]})
        )
    features = chain.features(image, (chain.top, *mirror.inputs.values(), *skips))
    return mirror(features[chain.top], features, skips), sizes, features


# Without half-filled windows nothing would be left of images below 32 x 32.
SIZES = [(1, 1, True), (2, 3, True), (33, 65, True), (33, 65, False), (64, 32, False)]


@pytest.mark.parametrize(("height", "width", "ceil_mode"), SIZES)
@torch.no_grad()
def test_every_map_has_the_size_of_the_backbones_map(height, width, ceil_mode):
    chain = backbone(ceil_mode=ceil_mode)
    found, sizes, features = backwards(chain, torch.rand(2, 3, height, width) * 255)
    assert found.shape == (2, 4, height, width)
    for pool, before in UnpoolingDecoder(chain, 8).inputs.items():
        assert sizes[f"un{pool}"] == features[before].shape[1:]


def test_convolutions_are_mirrored_from_output_to_input_channels():
    mirror = UnpoolingDecoder(backbone("vgg16"), 8)
    found = {
        name.split(".")[-1]: (layer.in_channels, layer.out_channels)
        for name, layer in mirror.named_modules()
        if isinstance(layer, nn.Conv2d)
    }
    assert list(found)[:4] == ["enter", "conv5_3", "conv5_2", "conv5_1"]
    assert found["enter"] == (8, 32) and found["conv4_1"] == (32, 16)
    assert found["conv2_1"] == (8, 4) and found["conv1_1"] == (4, 4)  # scores follow, no colours
    assert len(found) == 14


@pytest.mark.parametrize(("name", "norms"), [("vgg11", 0), ("vgg11_bn", 9)])
def test_norms_are_mirrored_too(name, norms):
    mirror = UnpoolingDecoder(backbone(name), 8)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in mirror.modules()) == norms


@torch.no_grad()
def test_values_return_to_the_brightest_pixel_of_their_window():
    chain = NamedSequential([("conv1", nn.Conv2d(3, 1, 1)), ("pool1", nn.MaxPool2d(2))])
    nn.init.ones_(chain.conv1.weight)
    image = torch.zeros(1, 3, 4, 4)
    image[0, :, 1, 2] = image[0, :, 3, 0] = 9
    mirror = UnpoolingDecoder(chain, 1)
    unpooled = mirror.unpool1(torch.ones(1, 1, 2, 2), chain.conv1(image))
    assert unpooled[0, 0, 1, 2] == 1 and unpooled[0, 0, 3, 0] == 1
    assert unpooled.sum() == 4


@torch.no_grad()
def test_activations_keep_their_scale_through_the_decoder():
    # He et al.'s rule without the zeros of unpooling; with them, each block would halve the scale.
    chain = backbone("vgg16")
    mirror = UnpoolingDecoder(chain, 8)
    torch.manual_seed(1)
    wide = [getattr(mirror, f"backpool{n}") for n in (5, 4)]
    spread = []
    for block in wide:
        for layer in block.children():
            if isinstance(layer, nn.Conv2d):
                spread.append(layer.weight.std() * (9 * layer.in_channels / 2) ** 0.5)
    assert spread[0] == pytest.approx(2, rel=0.1) and spread[3] == pytest.approx(2, rel=0.1)
    assert spread[1] == pytest.approx(1, rel=0.1) and spread[4] == pytest.approx(1, rel=0.1)


@torch.no_grad()
def test_skips_are_added_at_their_poolings_output():
    chain, image = backbone(), torch.rand(1, 3, 40, 50) * 255
    first = backwards(chain, image)[0]
    nothing = torch.zeros_like(chain.features(image, ("pool4",))["pool4"])
    torch.manual_seed(2)
    mirror = UnpoolingDecoder(chain, 8, ("pool4",)).eval()
    features = chain.features(image, (chain.top, *mirror.inputs.values()))
    bare, zero, one = (
        mirror(features[chain.top], features, skips)
        for skips in ({}, {"pool4": nothing}, {"pool4": nothing + 1})
    )
    assert torch.equal(bare, zero) and not torch.equal(bare, one) and first.shape == one.shape


REFUSED = {
    "this backbone [(]Sequential[)]; expected a sequence": lambda: nn.Sequential(
        nn.Conv2d(3, 1, 1)
    ),
    "this backbone [(]NamedSequential[)]; expected a sequence": lambda: NamedSequential(
        [("conv1", nn.Conv2d(3, 1, 1))]
    ),
    "conv1 .kernel 3, stride 2, padding 1. changes": lambda: NamedSequential(
        [("conv1", nn.Conv2d(3, 1, 3, stride=2, padding=1)), ("pool1", nn.MaxPool2d(2))]
    ),
    "pool1: max pooling with kernel 3, stride 2 and padding 0 cannot be undone": lambda: (
        NamedSequential([("conv1", nn.Conv2d(3, 1, 1)), ("pool1", nn.MaxPool2d(3, 2))])
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_backbones_that_cannot_be_mirrored_are_refused(reason):
    with pytest.raises(ConfigError, match=reason):
        UnpoolingDecoder(REFUSED[reason](), 1)


def test_the_papers_padding_is_refused():
    with pytest.raises(ConfigError, match='padding "same"'):
        UnpoolingDecoder(backbone(padding=100), 8)


def test_skips_that_are_not_poolings_are_refused():
    with pytest.raises(ConfigError, match="relu4_1 are not poolings"):
        UnpoolingDecoder(backbone(), 8, ("relu4_1",))

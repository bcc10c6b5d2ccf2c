"""The FCN: the authors' crops and layer names, and the effect of its settings."""

import math

import pytest
import torch
from torch import nn

from fullconv.errors import ConfigError, GeometryError
from fullconv.model import Model, load
from fullconv.networks.fcn import FCN, create_model
from fullconv.networks.layers import NamedSequential, TransposedUpsample
from fullconv.training.target import cross_entropy

TINY = {"width": 1 / 32, "hidden": 8}


def network(name="fcn8s-vgg11", classes=3, **options):
    torch.manual_seed(0)
    made = create_model(name, classes, **TINY, **options).eval()
    for layer in made.score_layers():
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    return made


def photo(height=37, width=45):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 255


# Crop offsets of the authors' prototxts; those of FCN-4s follow the same way.
AUTHORS = {32: (19,), 16: (5, 27), 8: (5, 9, 31), 4: (5, 9, 17, 33)}


@pytest.mark.parametrize("stride", AUTHORS)
def test_the_authors_crops_follow_from_the_layers(stride):
    assert network(f"fcn{stride}s-vgg16", padding=100).offsets() == AUTHORS[stride]


def test_the_papers_layer_names():
    paper = {"upsampling": "transposed"}
    arrays = network("fcn8s-vgg16", **paper).state_dict()
    names = {key.split(".")[0] for key in arrays} - {"backbone"}
    scores = {"score_fr", "score_pool4", "score_pool3"}
    assert names == scores | {"upscore2", "upscore_pool4", "upscore8"}
    assert "upscore.weight" in network("fcn32s-vgg16", **paper).state_dict()
    assert "upscore16.weight" in network("fcn16s-vgg16", **paper).state_dict()


def test_sum_has_an_upsampling_layer_per_score():
    sums = network("fcn8s-vgg16", fusing="sum")
    found = {name: layer.factor for name, layer in sums.named_children() if "upscore" in name}
    assert found == {"upscore": 32, "upscore16": 16, "upscore8": 8}


@torch.no_grad()
def test_sum_adds_the_upsampled_scores():
    sums, image = network("fcn8s-vgg11", fusing="sum"), photo()
    total = 0
    for layer in sums.score_layers():
        alone = network("fcn8s-vgg11", fusing="sum")
        for other in alone.score_layers():
            other.weight.zero_()
            other.bias.zero_()
        same = dict(sums.named_modules())
        name = next(name for name in same if same[name] is layer)
        alone.get_submodule(name).load_state_dict(layer.state_dict())
        total = total + alone(image)
    torch.testing.assert_close(sums(image), total)


@pytest.mark.parametrize("options", [{}, {"padding": 100}])
@torch.no_grad()
def test_cascade_and_sum_are_equal_without_skips(options):
    first, second = (network("fcn32s-vgg11", fusing=way, **options) for way in ("cascade", "sum"))
    assert torch.equal(first(photo()), second(photo()))


@torch.no_grad()
def test_a_new_network_gives_every_class_the_same_probability():
    fresh = create_model("fcn8s-vgg11", 7, **TINY)
    labels = torch.zeros(1, 37, 45, dtype=torch.int64)
    assert cross_entropy(fresh(photo()), labels).item() == pytest.approx(math.log(7))


@pytest.mark.parametrize("learned", [False, True])
def test_only_learned_upsampling_gets_gradients(learned):
    made = network(upsampling="transposed", learn_upsampling=learned)
    made(photo()).square().mean().backward()
    layers = [layer for layer in made.modules() if isinstance(layer, TransposedUpsample)]
    assert len(layers) == 3
    for layer in layers:
        assert layer.weight.requires_grad is learned
        assert (layer.weight.grad is not None) is learned
        assert not learned or layer.weight.grad.abs().sum() > 0
    assert made.score_fr.weight.grad.abs().sum() > 0


@torch.no_grad()
def test_skip_scales_multiply_the_features_before_the_score():
    plain, scaled = network(), network(skip_scales=(0.01, 0.0001))
    for skip, factor in (("pool4", 0.01), ("pool3", 0.0001)):
        plain.get_submodule(f"score_{skip}").weight *= factor
    torch.testing.assert_close(plain(photo()), scaled(photo()))
    assert not torch.allclose(network()(photo()), scaled(photo()))


@torch.no_grad()
def test_the_network_normalizes_its_image():
    mean, std = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)
    raw = network(mean=(0, 0, 0), std=(1, 1, 1))
    image, column = photo(), torch.tensor([mean, std]).view(2, 1, 3, 1, 1)
    expected = raw((image - column[0]) / column[1])
    torch.testing.assert_close(network(mean=mean, std=std)(image), expected)
    found = network(mean=mean, std=std, order="bgr")(image)
    torch.testing.assert_close(found, raw(((image - column[0]) / column[1]).flip(1)))
    assert not torch.allclose(found, expected)


def test_normalization_follows_the_networks_dtype():
    made = network().double()
    assert made.normalize.mean.dtype == torch.float64 and "normalize.mean" not in made.state_dict()


def test_features_that_no_crop_aligns_are_refused():
    layers = [("pool1", nn.MaxPool2d(3)), ("conv2", nn.Conv2d(3, 4, 2))]  # at 3 i + 5/2
    with pytest.raises(GeometryError, match="cannot be upsampled by 3"):
        FCN(NamedSequential(layers), 3)


def test_context_is_a_layer_before_each_score():
    network = create_model(
        "fcn8s-vgg11_bn", 3, width=1 / 16, hidden=8, context=6, skip_context=4
    ).eval()
    assert network.score_fr.in_channels == 6 and network.score_pool3.in_channels == 4
    image = torch.rand(1, 3, 40, 50) * 255
    bare = network.backbone.features(network.normalize(image), [network.top])[network.top]
    seen = []
    network.score_fr.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0]))
    assert network(image).shape == (1, 3, 40, 50)
    conv, norm = network.context_fr.conv, network.context_fr.bn
    by_hand = torch.relu(norm(torch.nn.functional.conv2d(bare, conv.weight, padding=1)))
    torch.testing.assert_close(seen[0], by_hand)
    field = network.feature_info()["pool4"].field
    assert field.size == network.backbone.feature_info()["pool4"].field.size + 2 * 16


def test_context_layers_are_saved_and_loaded(tmp_path):
    network = create_model("fcn16s-vgg11", 2, width=1 / 16, hidden=8, context=4)
    torch.nn.init.normal_(network.score_fr.weight)
    model = Model(network.eval(), ["a", "b"])
    model.save(tmp_path / "model.safetensors")
    image = torch.rand(1, 3, 33, 47) * 255
    assert torch.equal(load(tmp_path / "model.safetensors").network(image), network(image))


def test_context_is_refused_with_unpooling():
    with pytest.raises(ConfigError, match="context"):
        create_model("fcn8s-vgg11", 2, width=1 / 16, upsampling="unpooling", context=4)


def test_each_skip_may_have_a_context_of_its_own_width():
    given = {"width": 1 / 16, "hidden": 8}
    network = create_model("fcn8s-vgg11_bn", 3, **given, skip_context=[4, 0])
    assert network.get_submodule("context_pool4").conv.out_channels == 4
    assert not hasattr(network, "context_pool3")
    equal = create_model("fcn8s-vgg11_bn", 3, **given, skip_context=[4, 4])
    one = create_model("fcn8s-vgg11_bn", 3, **given, skip_context=4)
    assert [*equal.state_dict()] == [*one.state_dict()]
    with pytest.raises(ConfigError, match=r"1 widths; the network has 2 skips \(pool4, pool3\)"):
        create_model("fcn8s-vgg11_bn", 3, **given, skip_context=[4])

"""torchvision's and timm's classifiers as backbones: sizes, features and names."""

import pytest
import torch
from torch import nn

from fullconv.errors import ConfigError, GeometryError, UnknownNameError
from fullconv.model import Model, load
from fullconv.networks.backbones import create_classifier, traced_backbone
from fullconv.networks.backbones._traced import TracedBackbone
from fullconv.networks.fcn import create_model
from fullconv.networks.transplant import transplant

QUICK = (
    *("resnet18", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5"),
    *("mnasnet0_5", "torchvision_alexnet", "tf_efficientnet_lite0", "regnetx_002", "hgnetv2_b0"),
    *("convnextv2_atto", "ghostnet_100", "timm_resnet18"),
)
HEAVY = (
    *("resnet50", "densenet121", "googlenet", "inception_v3", "efficientnet_b0", "convnext_tiny"),
    *("regnet_y_400mf", "torchvision_vgg11", "resnet50d", "res2net50_26w_4s", "dla34"),
    *("repvgg_a0", "inception_v4", "resnetv2_50", "mixnet_s"),
)
SIZES = ((1, 1), (2, 3), (31, 33), (65, 47))


def scored(name, classes=2):
    """Build a network with random score layers, so every feature has an influence."""
    network = create_model(name, classes).eval()
    for layer in network.score_layers():
        nn.init.normal_(layer.weight)
    return network


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in HEAVY)]
)
@torch.no_grad()
def test_scores_have_the_images_size(name):
    network = scored(f"fcn8s-{name}")
    for size in SIZES:
        score = network(torch.rand(1, 3, *size) * 255)
        assert score.shape[-2:] == size and score.isfinite().all()


@pytest.mark.parametrize("name", ["fcn32s-resnet18", "fcn4s-mobilenet_v2", "fcn16s-hgnetv2_b0"])
@torch.no_grad()
def test_other_strides_and_paddings(name):
    for padding in ("same", 1, 50):
        network = create_model(name, 2, padding=padding).eval()
        assert network(torch.zeros(1, 3, 37, 70)).shape[-2:] == (37, 70)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "regnetx_002", "timm_resnet18"])
@torch.no_grad()
def test_at_multiples_of_32_the_features_equal_timms(name):
    torch.manual_seed(3)
    classifier = create_classifier(name).eval()
    image = torch.randn(1, 3, 64, 96)
    expected = classifier.forward_features(image)
    assert torch.equal(TracedBackbone(classifier, name)(image), expected)


@torch.no_grad()
def test_the_features_equal_torchvisions():
    torch.manual_seed(3)
    classifier = create_classifier("resnet18").eval()
    image, seen = torch.randn(1, 3, 64, 96), {}
    for name in ("layer2", "layer3", "layer4"):
        keep = classifier.get_submodule(name).register_forward_hook
        keep(lambda _, given, result, name=name: seen.update({name: result.clone()}))
    classifier(image)
    found = TracedBackbone(classifier, "resnet18").features(image, ["layer2", "layer4"])
    assert found.keys() == {"layer2", "layer4"}
    assert all(torch.equal(found[name], seen[name]) for name in found)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "tf_efficientnet_lite0"])
def test_published_weights_load_by_name(name):
    network = create_model(f"fcn32s-{name}", 2, top="head")
    done = transplant(network, create_classifier(name).state_dict())
    assert done.taken and not done.reshaped
    assert all(missing.startswith(("score_", "upscore")) for missing in done.missing)
    assert all(left.startswith(("fc.", "classifier.")) for left in done.left_over)


@torch.no_grad()
def test_a_shift_of_the_image_shifts_the_scores():
    network = scored("fcn32s-squeezenet1_1")
    image = torch.rand(1, 3, 512, 512) * 255
    score, moved = network(image), network(image.roll((16, 32), (2, 3)))
    inside = (..., slice(224, 288), slice(224, 288))
    assert torch.allclose(score.roll((16, 32), (2, 3))[inside], moved[inside], atol=1e-3)


@torch.no_grad()
def test_a_saved_model_can_be_loaded(tmp_path):
    network = scored("fcn8s-regnetx_002")
    Model(network, ["a", "b"]).save(tmp_path / "m.safetensors")
    image = torch.rand(1, 3, 40, 50) * 255
    assert torch.equal(load(tmp_path / "m.safetensors").network(image), network(image))


@torch.no_grad()
def test_it_can_be_exported_for_other_sizes():
    network = scored("fcn8s-squeezenet1_1")
    auto = torch.export.Dim.AUTO
    program = torch.export.export(
        network, (torch.rand(1, 3, 64, 96),), dynamic_shapes=({2: auto, 3: auto},)
    )
    image = torch.rand(1, 3, 75, 130)
    assert torch.allclose(program.module()(image), network(image), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vit_b_16", "does not run on an image of 256 x 256"),
        ("swin_t", "attention"),
        ("hrnet_w18_small", "more than calling one layer after another"),
        ("tresnet_m", "moves pixels in an unknown way"),
    ],
)
def test_unsuitable_classifiers_are_refused_with_the_reason(name, reason):
    with pytest.raises(GeometryError, match=f"{name} cannot be a backbone.*{reason}"):
        traced_backbone(name)


def test_branches_that_are_not_aligned_are_refused():
    class Apart(nn.Module):
        def __init__(self):
            super().__init__()
            self.left = nn.Conv2d(3, 4, 3)
            self.right = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return self.left(x)[..., :-2, :-2] + self.right(nn.functional.pad(x, (-2, 0, -2, 0)))

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.both = Apart()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(self.both(x).mean((2, 3)))

    with pytest.raises(GeometryError, match="at both"):
        TracedBackbone(Classifier(), "apart")


def test_a_width_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="one size; omit hidden and width"):
        create_model("fcn8s-resnet18", 2, width=0.5, hidden=8)


def test_an_unknown_classifier_is_refused_with_a_near_name():
    with pytest.raises(UnknownNameError, match=r"vgg16.* or a name of .*mean resnet18\?"):
        create_classifier("resnet181")


@pytest.mark.parametrize(
    ("name", "top", "dropped"),
    [
        ("efficientnet_lite2", "blocks_6", ("conv_head", "bn2")),
        ("mobilenet_v2", "features_17", ("features.18",)),
        ("resnet18", "layer4", ()),
    ],
)
def test_layers_that_only_widen_the_last_block_are_dropped(name, top, dropped):
    network = create_model(f"fcn8s-{name}", 2)
    assert (network.top, network.backbone.dropped) == (top, dropped)
    whole = create_model(f"fcn8s-{name}", 2, top="head")
    assert not whole.backbone.dropped and whole.skips == network.skips


@torch.no_grad()
def test_the_features_are_the_same_without_the_dropped_layers():
    torch.manual_seed(0)
    whole = traced_backbone("mnasnet0_5").eval()
    block = traced_backbone("mnasnet0_5", top="block").eval()
    missing = block.load_state_dict(whole.state_dict(), strict=False)
    assert not missing.missing_keys
    assert all(key.startswith("layers.1") for key in missing.unexpected_keys)
    image = torch.randn(1, 3, 40, 64)
    assert torch.equal(block(image), whole.features(image, [block.top])[block.top])


@pytest.mark.parametrize("stride", [8, 4, 2])
def test_the_default_network_has_less_than_5_million_parameters(stride):
    network = create_model(f"fcn{stride}s-efficientnet_lite2", 21)
    assert sum(parameter.numel() for parameter in network.parameters()) < 5e6
    assert len(network.skips) == {8: 2, 4: 3, 2: 4}[stride]
    assert network.context_fr.conv.in_channels == 352


def test_our_lite2_is_tensorflows_whose_padding_and_norms_differ_from_timms():
    ours, timms = (create_classifier(f"{name}efficientnet_lite2") for name in ("", "timm_"))
    assert (ours.bn1.eps, timms.bn1.eps) == (1e-3, 1e-5)
    assert type(ours.conv_stem).__name__ == "Conv2dSame"

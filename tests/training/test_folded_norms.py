"""Frozen batch norms inside of convolutions: the same scores and gradients, in double precision."""

import pytest
import torch
from torch import nn

from fullconv.networks.fcn import create_model
from fullconv.training import folded_norms
from fullconv.training.batch_norm import set_training_mode
from fullconv.training.folded_norms import FoldedNorms
from toy_training import CONFIG, make_trainer, state


def random_network(name, **settings):
    """Return a network in double precision whose scores and norms are not trivial."""
    network = create_model(name, 3, **settings).double()
    for layer in network.score_layers():
        nn.init.normal_(layer.weight)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    return network


def gradients(network, image):
    set_training_mode(network, frozen=True)
    network.zero_grad()
    torch.manual_seed(0)  # of dropout
    score = network(image)
    score.square().mean().backward()
    return score.detach(), {name: p.grad.clone() for name, p in network.named_parameters()}


@pytest.mark.parametrize(
    ("name", "settings", "layout"),
    [
        ("fcn8s-vgg11_bn", {"width": 1 / 16, "hidden": 8}, torch.contiguous_format),
        ("fcn32s-vgg11_bn", {"width": 1 / 16, "hidden": 8, "channels": 4}, torch.contiguous_format),
        ("fcn32s-vgg11_bn", {"width": 1 / 16, "hidden": 8, "streams": (3, 3)}, torch.channels_last),
        ("fcn4s-tf_mobilenetv3_small_minimal_100", {}, torch.channels_last),
        ("fcn8s-resnet10t", {}, torch.contiguous_format),
    ],
)
def test_scores_and_gradients_are_those_of_the_layers(name, settings, layout):
    network = random_network(name, **settings).to(memory_format=layout)
    image = torch.rand(2, network.channels, 64, 96).double() * 255
    image = image.to(memory_format=layout)
    score, expected = gradients(network, image)
    folded = FoldedNorms(network)
    assert len(folded) > 5
    with folded.applied():
        found_score, found = gradients(network, image)
    torch.testing.assert_close(found_score, score, rtol=1e-9, atol=1e-9)
    for key, value in expected.items():
        largest = value.abs().max().item()
        torch.testing.assert_close(found[key], value, rtol=1e-6, atol=1e-9 * max(1, largest))
    assert torch.equal(gradients(network, image)[0], score)  # the layers compute again


def test_a_pair_that_changes_the_features_is_not_folded(monkeypatch):
    network = random_network("fcn8s-resnet10t")
    wrong = {"backbone.layer1.0.bn2": "backbone.layer1.0.conv1"}
    monkeypatch.setattr(folded_norms, "followed_convolutions", lambda *given: wrong)
    assert len(FoldedNorms(network)) == 0


def test_layers_with_hooks_are_left_alone():
    network = random_network("fcn8s-vgg11_bn", width=1 / 16, hidden=8)
    count = len(FoldedNorms(network))
    network.get_submodule("backbone.bn1_1").register_forward_hook(lambda *given: None)
    assert len(FoldedNorms(network)) == count - 1


def test_norms_in_training_mode_use_the_statistics_of_the_batch():
    network = random_network("fcn8s-vgg11_bn", width=1 / 16, hidden=8).train()
    image = torch.rand(2, 3, 48, 48).double() * 255
    folded = FoldedNorms(network)
    torch.manual_seed(0)
    with torch.no_grad(), folded.applied():
        found = network(image)
    torch.manual_seed(0)
    assert torch.equal(found, network(image))


def test_a_training_with_frozen_norms_ends_like_one_without_folding(monkeypatch):
    config = CONFIG.model_copy(update={"freeze_bn": True, "epochs": 1, "lr": 1e-3})
    trainer = make_trainer(config)
    assert sum(map(len, trainer._train_step.folded))
    list(trainer.run())
    monkeypatch.setattr(folded_norms, "_foldable", lambda network: {})
    other = make_trainer(config)
    assert not sum(map(len, other._train_step.folded))
    list(other.run())
    for name, value in state(other).items():
        torch.testing.assert_close(state(trainer)[name], value, rtol=1e-3, atol=1e-5)

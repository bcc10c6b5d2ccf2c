"""Every change that the scores follow from is noticed, whatever makes it."""

import copy

import pytest
import torch
from torch import nn

import export_models
from fullconv.config import Normalization
from fullconv.engines.choose import choose_engine
from fullconv.inference.cpu.network_state import NetworkState, count_changes, is_evaluating
from fullconv.inference.cpu.optimize import optimize

IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255


def new_normalization(network):
    network.normalization = Normalization(mean=(90, 9, 9), std=(2, 200, 20))


def new_layer(network):
    network.score_fr = copy.deepcopy(network.score_fr)
    nn.init.normal_(network.score_fr.weight)


def new_inner_layer(network):
    network.backbone.conv2_1 = copy.deepcopy(network.backbone.conv2_1)
    nn.init.normal_(network.backbone.conv2_1.weight)


def new_backbone(network):
    network.backbone = copy.deepcopy(network.backbone)
    nn.init.normal_(network.backbone.conv2_1.weight)


def one_norm_in_training(network):
    network.backbone.bn2_1.train()


@torch.inference_mode()
def in_place(network):
    network.backbone.conv2_1.weight.mul_(-1)


CHANGES = [
    new_normalization,
    new_layer,
    new_inner_layer,
    new_backbone,
    one_norm_in_training,
    in_place,
]


@pytest.mark.parametrize(
    ("change", "inference"), [*((change, False) for change in CHANGES), (in_place, True)]
)
@pytest.mark.parametrize("prepare", [choose_engine, optimize])
def test_after_a_change_the_scores_are_those_of_the_layers(doubles, prepare, change, inference):
    with torch.inference_mode(inference):
        network = export_models.network("fcn8s-vgg11_bn")
    prepare(network)
    with torch.inference_mode():
        before = network(IMAGE)
    change(network)
    plain = copy.deepcopy(network)
    assert plain.engine is None and plain.optimized_backbone is None
    with torch.inference_mode():
        expected = plain(IMAGE)
        rounding = 1e-5 * expected.abs().max()
        assert (expected - before).abs().max() > 1e3 * rounding
        assert (network(IMAGE) - expected).abs().max() < rounding


@pytest.mark.parametrize("replace", ["weight", "data"])
def test_a_later_weight_at_the_same_address_is_another_one(replace):
    layer = nn.Linear(4, 4)
    layer.weight = nn.Parameter(torch.zeros(4, 4))
    state = NetworkState(layer.eval())
    assert state.is_current()
    for number in range(1, 100):
        new = torch.full((4, 4), float(number))
        if replace == "weight":
            layer.weight = nn.Parameter(new)
        else:
            layer.weight.data = new
        assert not state.is_current()


@pytest.mark.parametrize("change", ["layer", "weight", "buffer", "hook", "less"])
def test_what_is_added_or_removed_is_a_change(change):
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2, bias=False))
    state = NetworkState(network.eval())
    assert state.is_current()
    if change == "layer":
        network[0].extra = nn.Linear(1, 1).eval()
    elif change == "weight":
        network[2].bias = nn.Parameter(torch.ones(2))
    elif change == "buffer":
        network[0].register_buffer("scale", torch.ones(1))
    elif change == "hook":
        network[2].register_forward_pre_hook(lambda layer, given: None)
    else:
        network[0].bias = None
    assert not state.is_current()


def test_the_order_of_layers_counts():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).eval()
    state = NetworkState(network)
    network[0], network[1] = network[1], network[0]
    assert not state.is_current()


def test_a_network_is_evaluating_if_all_of_its_modules_are():
    network = nn.Sequential(nn.Sequential(nn.Dropout(), nn.Identity()), nn.BatchNorm1d(1)).eval()
    network.register_module("none", None)
    assert is_evaluating(network)
    network[0][1].train()
    assert not is_evaluating(network)


def test_changes_of_weights_made_in_inference_mode_are_counted():
    with torch.inference_mode():
        layer = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        layer.append(layer[0])
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    count_changes(layer)
    assert layer[2].weight is layer[0].weight and layer[0].weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    state = NetworkState(layer.eval())
    kept = layer[0].weight
    count_changes(layer)
    assert layer[0].weight is kept and state.is_current()
    with torch.inference_mode():
        layer[1].running_mean += 1
    assert not state.is_current()

"""Sparse padding for one size equals computing all of the padding."""

import pytest
import torch

import export_models
from fullconv.networks.padding.fixed_size import FixedSizeBackbone


def difference(first, second):
    return ((first - second).abs().max() / second.abs().max()).item()


@pytest.mark.parametrize("name", ["fcn8s-vgg11", "fcn16s-vgg13_bn", "fcn8s-alexnet", "fcn4s-vgg16"])
@pytest.mark.parametrize("size", [(1, 1), (33, 47), (64, 90)])
def test_the_result_equals_that_of_the_literal_padding(name, size):
    if name == "fcn8s-alexnet":
        name = "fcn32s-alexnet"
    net = export_models.network(name, padding=100, width=1 / 32, hidden=4)
    for layer in net.backbone.children():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.bias, std=0.3)  # so no constant value is zero
    names = (*net.skips, net.top)
    image = torch.from_numpy(export_models.batch(2, *size)) / 255
    with torch.no_grad():
        chain = FixedSizeBackbone(net.backbone, size, names)
        expected, found = net.backbone.features(image, names), chain.features(image, names)
    assert chain.regions and set(found) == set(names)
    for feature in names:
        assert found[feature].shape == expected[feature].shape
        assert difference(found[feature], expected[feature]) < 1e-5, feature
